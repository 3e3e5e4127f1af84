package lamp

import (
	"cmp"
	"slices"

	"github.com/pialert/pialert/pkg/attack"
)

// route is a lamp's configuration in the form that events are matched with.
type route struct {
	name, color string
	agents      []string // empty: every agent
	hosts       []string // empty: every machine
	counters    []string // empty: every counter
	kinds       kindSet
	listed      kindSet // the kinds that are listed by their own names
	sweepFrom   attack.Severity
	today       bool
}

// routes compiles lamps that passed [Validate].
func routes(lamps []Config) []route {
	compiled := make([]route, len(lamps))
	for i, c := range lamps {
		r := route{name: c.Name, color: c.Color, agents: slices.Clone(c.Agents), hosts: slices.Clone(c.Hosts), counters: slices.Clone(c.Counters), today: c.Count == "today"}
		r.sweepFrom, _ = sweepFrom(c.SweepFrom)
		for _, word := range c.Kinds {
			set, _ := parseKinds(word)
			r.kinds.union(set)
			if _, isFamily := families[word]; !isFamily {
				r.listed.union(set)
			}
		}
		if len(c.Kinds) == 0 {
			for _, family := range families {
				r.kinds.addFamily(family)
			}
		}
		compiled[i] = r
	}
	return compiled
}

// counts says whether a kind's counts enter the lamp's total.
func (r *route) counts(kind attack.Kind) bool { return kind.Attempt() || r.listed.has(kind) }

// find returns the index of the lamp that collects what is counted under a source, or -1. The caller
// holds the lock.
func (t *Table) find(from source) int {
	for i := range t.lamps {
		if r := &t.lamps[i]; r.kinds.has(from.kind) && r.takes(from) && t.collects(i, from.agent) {
			return i
		}
	}
	return -1
}

// takes says whether the lamp collects from a machine, and a counter. The lines without the name of
// a machine are of the agent's own.
func (r *route) takes(from source) bool {
	return (len(r.hosts) == 0 || slices.Contains(r.hosts, cmp.Or(from.host, from.agent))) &&
		(from.kind != attack.Counter || len(r.counters) == 0 || slices.Contains(r.counters, from.key))
}

// collects says whether the lamp at index i collects from an agent.
func (t *Table) collects(i int, agent string) bool {
	agents := t.lamps[i].agents
	if len(agents) == 0 {
		return true
	}
	for _, name := range agents {
		switch {
		case name == agent:
			return true
		case name == FirstAgent && t.isFirst(agent):
			return true
		case name == OtherAgents && !t.named(agent):
			return true
		}
	}
	return false
}

// named says whether any lamp names the agent, be it as the first.
func (t *Table) named(agent string) bool {
	for i := range t.lamps {
		for _, name := range t.lamps[i].agents {
			if name == agent || name == FirstAgent && t.isFirst(agent) {
				return true
			}
		}
	}
	return false
}

func (t *Table) isFirst(agent string) bool { return t.first != "" && agent == t.first }
