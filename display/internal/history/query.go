package history

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// Committed returns the highest number of an agent's epoch that is committed, 0 if none is.
func (h *History) Committed(_ context.Context, agent string, epoch uint64) (uint64, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.known.marks[stream{agent, epoch}].committed, nil
}

// Total is what was counted of one kind from one agent. Tests are apart.
type Total struct {
	Agent string      `json:"agent"`
	Kind  attack.Kind `json:"kind"`
	Test  bool        `json:"test,omitempty"`
	Sum
}

// Totals returns the committed totals of all time, by agent, kind and test in that order.
func (h *History) Totals(context.Context) ([]Total, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return listTotals(h.known.totals), nil
}

func listTotals(totals map[route]Sum) []Total {
	list := make([]Total, 0, len(totals))
	for at, sum := range totals {
		list = append(list, Total{at.agent, at.kind, at.test, sum})
	}
	slices.SortFunc(list, func(a, b Total) int {
		return cmp.Or(cmp.Compare(a.Agent, b.Agent), cmp.Compare(a.Kind, b.Kind), cmp.Compare(flag(a.Test), flag(b.Test)))
	})
	return list
}

// TotalsOn returns the committed totals of one day of the history's time zone, by arrival.
func (h *History) TotalsOn(ctx context.Context, day time.Time) ([]Total, error) {
	totals := make(map[route]Sum)
	var name string
	var kind, test int64
	var sum Sum
	err := h.query(ctx, `SELECT agents.name, kind, test, events, attempts FROM totals
		JOIN agents ON agents.id = totals.agent WHERE day = ?`,
		[]any{&name, &kind, &test, &sum.Events, &sum.Attempts}, func() {
			totals[route{name, attack.StoredKind(kind), test != 0}] = sum
		}, h.day(day))
	return listTotals(totals), err
}

// day returns the day of a time as the file writes it: 20261120.
func (h *History) day(t time.Time) int {
	year, month, day := t.In(h.options.Location).Date()
	return year*10000 + int(month)*100 + day
}

// Agent is what the history knows of an agent.
type Agent struct {
	Name    string    `json:"name"`
	Heard   time.Time `json:"heard,omitzero"` // as of the last commit
	Dropped Sum       `json:"dropped"`        // what the agent said that it had to drop
}

// Agents returns every agent that ever sent an event, by name.
func (h *History) Agents() []Agent {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := make([]Agent, 0, len(h.known.agents))
	for name, a := range h.known.agents {
		list = append(list, Agent{name, a.heard, a.dropped})
	}
	slices.SortFunc(list, func(a, b Agent) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// Source is an address and what came from it.
type Source struct {
	Address netip.Addr `json:"address"`
	Sum
}

// sourceWindow is how many of the newest events [History.TopSources] looks at: there is no
// index by address.
const sourceWindow = 20000

// TopSources returns the addresses with the most attempts among the newest 20,000 events, tests
// and what is no attempt left out, the most first: at most limit, and never more than 1000.
func (h *History) TopSources(ctx context.Context, limit int) ([]Source, error) {
	var sources []Source
	var raw []byte
	var sum Sum
	var kinds []string
	for _, kind := range append(attack.Kinds(), h.unknownKinds()...) {
		if kind.Attempt() {
			kinds = append(kinds, fmt.Sprint(int64(kind)))
		}
	}
	err := h.query(ctx, `SELECT source, count(*), sum(count) FROM
		(SELECT source, count, kind, test FROM events ORDER BY id DESC LIMIT ?)
		WHERE source IS NOT NULL AND NOT test AND kind IN (`+strings.Join(kinds, ",")+`)
		GROUP BY source ORDER BY 3 DESC, 1 LIMIT ?`,
		[]any{&raw, &sum.Events, &sum.Attempts}, func() {
			if addr, ok := netip.AddrFromSlice(raw); ok {
				sources = append(sources, Source{addr, sum})
			}
		}, sourceWindow, min(max(limit, 0), maxRecords))
	return sources, err
}

// unknownKinds returns the kinds of newer agents that were counted.
func (h *History) unknownKinds() []attack.Kind {
	h.mu.Lock()
	defer h.mu.Unlock()
	seen := map[attack.Kind]bool{}
	for at := range h.known.totals {
		if at.kind.Unknown() {
			seen[at.kind] = true
		}
	}
	return slices.Collect(maps.Keys(seen))
}
