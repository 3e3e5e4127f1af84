package history

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pialert/pialert/pkg/attack"
)

// Dimension is what a list of the most frequent is of.
type Dimension string

// The dimensions.
const (
	Agents   Dimension = "agents"
	Kinds    Dimension = "kinds"
	Networks Dimension = "networks"
	Sources  Dimension = "sources"
	Users    Dimension = "users"
	Targets  Dimension = "targets"
	Hosts    Dimension = "hosts" // machines that agents read the lines of
	Counters Dimension = "counters"
)

// Dimensions lists all of them.
func Dimensions() []Dimension {
	return []Dimension{Sources, Networks, Users, Targets, Agents, Hosts, Kinds, Counters}
}

// Ranking is a list of the most frequent.
type Ranking struct {
	Names  []Tally `json:"names"`
	Others uint64  `json:"others,omitempty"` // attempts of names that were too many to be kept apart
	Newest bool    `json:"newest,omitempty"` // only the newest 50,000 events of the span were looked at
}

// Top lists the most frequent names, the most frequent first: at most limit. See [History.Rank].
func (h *History) Top(ctx context.Context, by Dimension, filter Filter, limit int) ([]Tally, error) {
	ranking, err := h.Rank(ctx, by, filter, limit)
	return ranking.Names, err
}

// listOf says which lists of names dimensions come from.
var listOf = map[Dimension]nameKind{Networks: networkNames, Sources: addressNames, Users: userNames, Targets: targetNames}

// Rank ranks names by attempts, the most frequent first: at most limit. Only attempts count, except for
// counters, and tests do not. Roll-ups answer: by minutes as far as these are kept, which is two days, and
// before by full hours. What a filter asks of users by their source, or the other way round, or of a
// machine, comes from the newest 50,000 events of the hours in which it was seen.
func (h *History) Rank(ctx context.Context, by Dimension, filter Filter, limit int) (Ranking, error) {
	rankings, err := h.Ranks(ctx, []Dimension{by}, filter, limit)
	return rankings[by], err
}

// Ranks ranks by several dimensions, and reads once what these have in common.
func (h *History) Ranks(ctx context.Context, by []Dimension, filter Filter, limit int) (rankings map[Dimension]Ranking, err error) {
	err = h.View(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		rankings, err = h.lists(tx).rank(ctx, by, filter, limit)
		return err
	})
	return rankings, err
}

func (r *reading) rank(ctx context.Context, by []Dimension, filter Filter, limit int) (map[Dimension]Ranking, error) {
	sums, newest, err := r.tally(ctx, by, filter)
	rankings := make(map[Dimension]Ranking, len(sums))
	for by, t := range sums {
		rankings[by] = Ranking{t.list(limit), t.others, newest[by]}
	}
	return rankings, err
}

// tally adds up by dimensions. It says of which only the newest events were looked at.
func (r *reading) tally(ctx context.Context, by []Dimension, filter Filter) (sums map[Dimension]*tallies, newest map[Dimension]bool, err error) {
	filtered, _ := filter.listing()
	all := filter.User == "" && filter.Host == "" && !filter.Source.IsValid()
	sums, newest = make(map[Dimension]*tallies), make(map[Dimension]bool)
	var counted, looked []Dimension
	for _, by := range by {
		names := listOf[by]
		listed := true // lists answer it
		sums[by] = newTallies()
		switch {
		case names == 0 && !slices.Contains(Dimensions(), by):
			err = fmt.Errorf("there is no list of the most frequent %q", by)
		case by == Counters, all && names == 0:
			counted = append(counted, by)
		case all, filtered == networkNames && by == Networks, (filtered == networkNames || filtered == addressNames) && by == Sources:
			err = r.tallyNames(ctx, sums[by], names, filter)
			listed = !r.joined || filter.Agent == ""
		case filtered != 0 && names == 0 && by != Hosts:
			err = r.tallyGroups(ctx, sums[by], by, filter)
			listed = !r.joined || filter.Agent == "" && by != Agents
		default:
			listed = false
		}
		if err != nil {
			return nil, nil, err
		}
		if !listed {
			sums[by], looked = newTallies(), append(looked, by)
		}
	}
	if len(counted) > 0 {
		err = r.tallyCounted(ctx, sums, counted, filter)
	}
	if len(looked) > 0 && err == nil {
		var more bool
		more, err = r.tallyEvents(ctx, sums, looked, filter)
		for _, by := range looked {
			newest[by] = more
		}
	}
	return sums, newest, err
}

// tallyNames counts the names of lists.
func (r *reading) tallyNames(ctx context.Context, t *tallies, what nameKind, filter Filter) error {
	of, err := r.chosen(ctx, filter)
	if err != nil {
		return err
	}
	in := func([]byte) bool { return true }
	if filter.Source.IsValid() {
		_, in = filter.listing()
	}
	counted := func(g group) bool { return attack.StoredKind(g.kind).Attempt() && of(g) }
	t.text = func(name string) string { return nameText(what, name) }
	longest := int64(monthLong)
	if filter.Source.IsValid() {
		longest = dayLong // these leave out fewer
	}
	parts, err := r.parts(ctx, what, filter.Span, longest)
	if err != nil {
		return err
	}
	all, joined := filter.Agent == "" && filter.Kind == 0 && !filter.Source.IsValid(), false
	for _, part := range parts {
		key := pastKey{listPart: part}
		over := all && part.step >= hour
		one, known := remembered{tallies: t}, false
		if over {
			if one, known = r.h.past.get(r.era, key); !known {
				one.tallies = newTallies()
			}
		}
		if !known {
			r.joined, r.read = false, 0
			err := r.eachListedOf(ctx, []listPart{part}, counted, func(_ int64, _ group, name []byte, sum Sum) {
				switch {
				case len(name) == 0:
					one.tallies.others += sum.Attempts
				case in(name):
					one.tallies.addBytes(name, sum.Attempts)
				}
			})
			if err != nil {
				return err
			}
			one.joined = r.joined
		}
		joined = joined || one.joined
		if over {
			t.addAll(one.tallies)
		}
		if over && !known && r.read >= r.h.past.least {
			one.tallies = one.tallies.packed()
			r.h.past.keep(r.era, key, one)
		}
	}
	r.joined = joined
	return nil
}

// tallyGroups counts the agents or kinds of a source or user.
func (r *reading) tallyGroups(ctx context.Context, t *tallies, by Dimension, filter Filter) error {
	agents, err := r.agentNames(ctx)
	if err != nil {
		return err
	}
	chosen, err := r.chosen(ctx, filter)
	if err != nil {
		return err
	}
	what, in := filter.listing()
	r.exact = filter.exactly(what)
	defer func() { r.exact = nil }()
	return r.eachListed(ctx, what, filter.Span, dayLong, chosen, func(_ int64, g group, name []byte, sum Sum) {
		if !in(name) {
			return
		}
		who := agents[g.agent]
		if by == Kinds {
			who = attack.StoredKind(g.kind).String()
		}
		t.add(who, g.kind, int64(sum.Attempts))
	})
}

// tallyCounted counts by what all that is counted is kept by. What a correction took away may be of another time
// than what it was taken from.
func (r *reading) tallyCounted(ctx context.Context, sums map[Dimension]*tallies, by []Dimension, filter Filter) (err error) {
	c := newCounting(always())
	agents, err := r.agentNames(ctx)
	if err != nil {
		return err
	}
	var parts []Counted
	c.of = func(g group, key string) int {
		parts = append(parts, countedOf(agents, g, key))
		return c.unnamed()
	}
	if err = r.countOnce(ctx, c, filter); err != nil {
		return err
	}
	for i, of := range parts {
		attempts := c.sums[i][0].shown().Attempts
		for _, by := range by {
			if name := of.in(by); name != "" {
				sums[by].addBytes([]byte(name), attempts)
			}
		}
	}
	return nil
}

// in returns the name of a dimension, empty if what is counted is no attempt of it, or no counter.
func (of Counted) in(by Dimension) string {
	switch {
	case by == Counters:
		return of.Key
	case !of.Kind.Attempt():
		return ""
	case by == Hosts:
		return of.Host
	case by == Agents:
		return of.Agent
	}
	return of.Kind.String()
}

// eventColumn says what dimensions need of an event, beside its agent and kind.
var eventColumn = map[Dimension]string{Sources: "source", Networks: "source", Users: "user", Targets: "detail", Hosts: "machine"}

// tallyEvents looks at events. It says whether there were more than it looked at.
func (r *reading) tallyEvents(ctx context.Context, sums map[Dimension]*tallies, by []Dimension, filter Filter) (more bool, err error) {
	var columns []string
	at := make([]int, len(by)) // the column of each
	for i, by := range by {
		if t := sums[by]; listOf[by] == addressNames || listOf[by] == networkNames {
			t.text = func(name string) string { return nameText(listOf[by], name) }
		}
		if column := eventColumn[by]; column != "" {
			if at[i] = slices.Index(columns, column); at[i] < 0 {
				at[i], columns = len(columns), append(columns, column)
			}
		}
	}
	var kind, attempts, agent int64
	values := make([]sql.RawBytes, len(columns))
	targets := []any{&kind, &attempts, &agent}
	for i := range values {
		targets = append(targets, &values[i])
	}
	groups := make(map[group]uint64)
	more, err = r.h.eachNewest(ctx, r.tx, filter, `SELECT `+strings.Join(append([]string{"kind, count, agent"}, columns...), ", ")+` FROM events`, ` AND NOT test`, targets, func() {
		if !isRanked(kind) || attempts <= 0 {
			return
		}
		groups[group{agent, kind}] += uint64(attempts)
		for i, by := range by {
			switch by {
			case Agents, Kinds:
			case Networks:
				sums[by].addRaw(listedNetwork(values[at[i]]), kind, attempts)
			case Targets:
				detail, _ := decodeDetail(values[at[i]])
				sums[by].add(targetOf(detail), kind, attempts)
			default:
				sums[by].addRaw(values[at[i]], kind, attempts)
			}
		}
	})
	agents, wrong := r.agentNames(ctx)
	for g, attempts := range groups {
		if t := sums[Agents]; slices.Contains(by, Agents) {
			t.add(agents[g.agent], g.kind, int64(attempts))
		}
		if t := sums[Kinds]; slices.Contains(by, Kinds) {
			t.add(attack.StoredKind(g.kind).String(), g.kind, int64(attempts))
		}
	}
	return more, errors.Join(err, wrong)
}

// maxFound is among how many names a text is looked for.
const maxFound = 200_000

// Find lists the users, or targets, whose name has a text in it, in small or capital letters, the
// most frequent first.
func (h *History) Find(ctx context.Context, by Dimension, text string, limit int) ([]Tally, error) {
	all, err := h.Top(ctx, by, Filter{}, maxFound)
	text = strings.ToLower(text)
	all = slices.DeleteFunc(all, func(t Tally) bool { return !strings.Contains(strings.ToLower(t.Name), text) })
	return all[:min(len(all), max(limit, 0))], err
}
