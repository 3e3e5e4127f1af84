package history

import (
	"bytes"
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
	Newest bool    `json:"newest,omitempty"` // only the newest 30,000 events of the span were looked at
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
// machine, comes from the newest 30,000 events of the hours in which it was seen.
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
	var counted, grouped, looked []Dimension
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
			grouped = append(grouped, by)
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
	if len(grouped) > 0 {
		err = r.tallyGroups(ctx, sums, grouped, filter)
		for _, by := range grouped {
			if r.joined && (filter.Agent != "" || by == Agents) { // they do not tell
				sums[by], looked = newTallies(), append(looked, by)
			}
		}
	}
	if len(counted) > 0 && err == nil {
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
			if one, known = r.recall(key); !known {
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
		if over && !known {
			r.remember(key, one)
		}
	}
	r.joined = joined
	return nil
}

// tallyGroups counts the agents or kinds of a source or user.
func (r *reading) tallyGroups(ctx context.Context, tallied map[Dimension]*tallies, by []Dimension, filter Filter) error {
	chosen, err := r.chosen(ctx, filter)
	if err != nil {
		return err
	}
	what, in := filter.listing()
	r.exact = filter.exactly(what)
	defer func() { r.exact = nil }()
	var groups sums
	err = r.eachListed(ctx, what, filter.Span, dayLong, chosen, func(_ int64, g group, name []byte, sum Sum) {
		if in(name) {
			groups.add(groupKey(g), sum.Attempts)
		}
	})
	return errors.Join(err, r.addGroups(ctx, tallied, by, &groups))
}

// groupKey is the key of a group that is no test's; it is not 0.
func groupKey(g group) uint64 { return uint64(g.agent)*testKind + uint64(g.kind) }

// addGroups adds attempts, by [groupKey], to those of the agents and kinds that they are of.
func (r *reading) addGroups(ctx context.Context, tallied map[Dimension]*tallies, by []Dimension, groups *sums) error {
	agents, err := r.agentNames(ctx)
	for i, key := range groups.keys {
		agent, kind := int64(key/testKind), int64(key%testKind)
		for _, by := range by {
			switch {
			case key == 0:
			case by == Agents:
				tallied[by].add(agents[agent], kind, int64(groups.values[i]))
			case by == Kinds:
				tallied[by].add(attack.StoredKind(kind).String(), kind, int64(groups.values[i]))
			}
		}
	}
	return err
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
func (r *reading) tallyEvents(ctx context.Context, tallied map[Dimension]*tallies, by []Dimension, filter Filter) (more bool, err error) {
	var columns []string
	at := make([]int, len(by)) // the column of each
	for i, by := range by {
		if t := tallied[by]; listOf[by] == addressNames || listOf[by] == networkNames {
			t.text = func(name string) string { return nameText(listOf[by], name) }
		}
		if column := eventColumn[by]; column != "" {
			if at[i] = slices.Index(columns, column); at[i] < 0 {
				at[i], columns = len(columns), append(columns, column)
			}
		}
	}
	var g group
	var attempts int64
	values := make([]sql.RawBytes, len(columns))
	targets := []any{&g.kind, &attempts, &g.agent}
	for i := range values {
		targets = append(targets, &values[i])
	}
	var groups sums
	var alike struct { // the last events, which are of one burst if they are alike
		group
		values   [][]byte
		attempts int64
	}
	alike.values = make([][]byte, len(columns))
	add := func() {
		if alike.attempts <= 0 || !isRanked(alike.kind) {
			return
		}
		groups.add(groupKey(alike.group), uint64(alike.attempts))
		for i, by := range by {
			switch by {
			case Agents, Kinds:
			case Networks:
				tallied[by].addRaw(listedNetwork(alike.values[at[i]]), alike.kind, alike.attempts)
			case Targets:
				detail, _ := decodeDetail(alike.values[at[i]])
				tallied[by].add(targetOf(detail), alike.kind, alike.attempts)
			default:
				tallied[by].addRaw(alike.values[at[i]], alike.kind, alike.attempts)
			}
		}
	}
	more, err = r.eachNewest(ctx, filter, `SELECT `+strings.Join(append([]string{"kind, count, agent"}, columns...), ", ")+` FROM events`, ` AND NOT test`, targets, func() {
		same := g == alike.group
		for i := range values {
			same = same && bytes.Equal(values[i], alike.values[i])
		}
		if !same {
			add()
			alike.group, alike.attempts = g, 0
			for i := range values {
				alike.values[i] = append(alike.values[i][:0], values[i]...)
			}
		}
		alike.attempts += max(attempts, 0)
	})
	add()
	return more, errors.Join(err, r.addGroups(ctx, tallied, by, &groups))
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
