package history

import (
	"context"
	"database/sql"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// Count is what one agent reported of one kind within one bar of a chart.
type Count struct {
	Bar   int // index of the bar
	Agent string
	Kind  attack.Kind
	Host  string // the machine that wrote the lines, if it is not the agent's and the count is of roll-ups
	Key   string // of a counter
	Sum
}

// Counts counts between consecutive bounds: bar i is from bounds[i] to bounds[i+1]. Bars without
// anything are left out, and tests are not counted.
//
// Roll-ups answer: by hours where the bounds are on full hours of the history's zone, else by ten
// minutes for 15 days and by minutes for two days. A step belongs to the bar in which it begins.
// A source or a user comes from lists of names, which leave out who was too seldom seen in a time of
// very many. Where the filter asks for both, or for their minutes of more than two days ago, the
// newest 200,000 events of the time are looked at instead; its ids are ignored.
func (h *History) Counts(ctx context.Context, bounds []time.Time, filter Filter) ([]Count, error) {
	if len(bounds) < 2 {
		return nil, nil
	}
	filter.Span = Span{bounds[0], bounds[len(bounds)-1]}
	step := h.step(bounds)
	c := newCounting(bounds)
	err := h.View(ctx, func(ctx context.Context, tx *sql.Tx) error {
		what, in := filter.listing()
		switch {
		case filter.User == "" && filter.Host == "" && !filter.Source.IsValid():
			return c.rollups(ctx, tx, step, filter)
		case what == 0 || step < hour && bounds[0].Before(h.options.Now().Add(-minutesListed)):
			return c.events(ctx, tx, h, filter)
		}
		agents, err := agentNames(ctx, tx)
		if err != nil {
			return err
		}
		return h.lists(tx).eachListed(ctx, what, filter.Span, h.longestList(step, bounds), filter.groups(agents), func(start int64, g group, name []byte, sum Sum) {
			if in(name) {
				c.start, c.agent, c.kind, c.key, c.n, c.attempts = start, agents[g.agent], g.kind, nil, int64(sum.Events), int64(sum.Attempts)
				c.row()
			}
		})
	})
	return c.list(), err
}

// CountsBy counts attempts between consecutive bounds, as [History.Counts] does, by a name of their network, such as
// its country: each Count has it as its Key. What lists left out has no name. The filter may choose a network, but
// no address, user or machine.
func (h *History) CountsBy(ctx context.Context, bounds []time.Time, filter Filter, name func(network netip.Prefix) string) ([]Count, error) {
	if len(bounds) < 2 {
		return nil, nil
	}
	filter.Span = Span{bounds[0], bounds[len(bounds)-1]}
	in := func([]byte) bool { return true }
	if what, chosen := filter.listing(); what == networkNames {
		in = chosen
	} else if filter.Source.IsValid() || filter.User != "" || filter.Host != "" {
		return nil, errors.New("only what networks did is counted by a name of theirs")
	}
	c, known := newCounting(bounds), map[string][]byte{"": nil}
	err := h.View(ctx, func(ctx context.Context, tx *sql.Tx) error {
		agents, err := agentNames(ctx, tx)
		if err != nil {
			return err
		}
		of := filter.groups(agents)
		attempts := func(g group) bool { return attack.StoredKind(g.kind).Attempt() && of(g) }
		return h.lists(tx).eachListed(ctx, networkNames, filter.Span, h.longestList(h.step(bounds), bounds), attempts, func(start int64, _ group, network []byte, sum Sum) {
			if !in(network) {
				return
			}
			called, ok := known[string(network)]
			if !ok {
				called = []byte(name(netip.PrefixFrom(addressOf(network), 8*len(network))))
				known[string(network)] = called
			}
			c.start, c.key, c.n, c.attempts = start, called, int64(sum.Events), int64(sum.Attempts)
			c.row()
		})
	})
	list := c.list()
	for i := range list {
		list[i].Key, list[i].Host = list[i].Host, ""
	}
	return list, err
}

// longestList is the longest of lists of which each lies in one bar whose step is given.
func (h *History) longestList(step int64, bounds []time.Time) int64 {
	midnight := func(t time.Time) bool { return startOfDay(t.In(h.options.Zone())) == t.Unix() }
	switch {
	case step < hour:
		return minute
	case slices.ContainsFunc(bounds, func(t time.Time) bool { return !midnight(t) }):
		return hour
	}
	return dayLong
}

// First returns when the first hour began of which anything is known, zero if nothing is. Hours that
// damage made unknown do not count.
func (h *History) First(ctx context.Context) (first time.Time, err error) {
	var start int64
	err = h.query(ctx, `SELECT coalesce(min(start), 0) FROM rollups WHERE step = ? AND start > 0`, []any{&start}, func() {}, hour)
	if start > 0 {
		first = time.Unix(start, 0).In(h.options.Zone())
	}
	return first, err
}

// step returns the longest step that begins at each of the bounds, of those that are kept since the
// first; if there is none, the shortest that is kept.
func (h *History) step(bounds []time.Time) int64 {
	zone, now := h.options.Zone(), h.options.Now()
	shortest := int64(0)
	for i := len(steps) - 1; i >= 0; i-- {
		step := steps[i]
		if step.kept > 0 && bounds[0].Before(now.Add(-step.kept)) {
			break
		}
		shortest = step.long
		if !slices.ContainsFunc(bounds, func(t time.Time) bool { return startOf(t.In(zone), step.long) != t.Unix() }) {
			break
		}
	}
	return shortest
}

// counting adds rows up by bar.
type counting struct {
	bounds []int64 // Unix time
	sums   map[counted]Sum

	// One row as it is read.
	start, kind, n, attempts int64
	agent                    string
	key                      []byte
}

type counted struct {
	bar   int
	agent string
	kind  attack.Kind
	key   string
}

func newCounting(bounds []time.Time) *counting {
	c := &counting{sums: make(map[counted]Sum)}
	for _, t := range bounds {
		c.bounds = append(c.bounds, t.Unix())
	}
	return c
}

// row adds the row that was read. What a correction took away may leave less than nothing.
func (c *counting) row() {
	bar, exact := slices.BinarySearch(c.bounds, c.start)
	if !exact {
		bar--
	}
	if bar < 0 || bar >= len(c.bounds)-1 {
		return
	}
	at := counted{bar, c.agent, attack.StoredKind(c.kind), string(c.key)}
	c.sums[at] = c.sums[at].plus(Sum{uint64(max(c.n, 0)), uint64(max(c.attempts, 0))})
}

func (c *counting) targets() []any {
	return []any{&c.start, &c.agent, &c.kind, &c.key, &c.n, &c.attempts}
}

func (c *counting) list() []Count {
	list := make([]Count, 0, len(c.sums))
	for at, sum := range c.sums {
		count := Count{Bar: at.bar, Agent: at.agent, Kind: at.kind, Sum: sum}
		if at.kind == attack.Counter {
			count.Key = at.key
		} else {
			count.Host = at.key
		}
		list = append(list, count)
	}
	return list
}

// rollups reads the roll-ups of one step.
func (c *counting) rollups(ctx context.Context, tx querier, step int64, filter Filter) error {
	where, args := `WHERE step = ? AND start >= ? AND start < ? AND NOT test`,
		[]any{step, c.bounds[0], c.bounds[len(c.bounds)-1]}
	where, args = filter.rolled(where, args)
	return each(ctx, tx, `SELECT start, agents.name, kind, key, events, attempts FROM rollups JOIN agents ON agents.id = agent `+where,
		c.targets(), c.row, args...)
}

// rolled adds what roll-ups can be filtered by.
func (f *Filter) rolled(where string, args []any) (string, []any) {
	if f.Agent != "" {
		where, args = where+" AND agent = (SELECT id FROM agents WHERE name = ?)", append(args, f.Agent)
	}
	if f.Kind != 0 {
		where, args = where+" AND kind = ?", append(args, int64(f.Kind))
	}
	return where, args
}

// events looks at events.
func (c *counting) events(ctx context.Context, tx querier, h *History, filter Filter) error {
	// Steps of UTC serve for bars: bounds are on full minutes.
	_, err := h.eachNewest(ctx, tx, filter, `SELECT arrived/1000000000/?*?, agents.name, kind, x'', count(*), sum(count) FROM events JOIN agents ON agents.id = agent`,
		` AND NOT test GROUP BY 1, 2, 3`, c.targets(), c.row, int64(minute), int64(minute))
	return err
}
