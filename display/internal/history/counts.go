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

// Counted is what is counted apart from all else.
type Counted struct {
	Agent string // empty if the count is of a source or user, and of several of very many agents
	Kind  attack.Kind
	Host  string // the machine that wrote the lines, if it is not the agent's own and the count is of all sources and users
	Key   string // of a counter
}

// Naming says under which name something is counted.
type Naming struct {
	Of func(Counted) string // "" leaves it out
	As any                  // equal to that of any other naming that ever has the same names; nil of one that is not used again
}

// Attempts names what counts attempts, for [History.Counts] of all of them: each agent's of each kind apart, so that what a
// correction took away of one is not taken from the others.
var Attempts = Naming{Of: func(of Counted) string {
	if of.Kind.Attempt() {
		return of.Kind.String() + " from " + of.Agent
	}
	return ""
}}

// Count is what was counted under one name within one bar of a chart.
type Count struct {
	Bar  int // index of the bar
	Name string
	Sum
}

// Counts counts between consecutive bounds: bar i is from bounds[i] to bounds[i+1]. What is counted under one
// name says name. Bars and names without anything are left out, and tests are
// not counted. What corrections took away is taken from the bar of the correction, but leaves no less than nothing.
//
// Roll-ups answer: by days or hours where the bounds are on such of the history's zone, else by ten
// minutes for 15 days and by minutes for two days. A step belongs to the bar in which it begins.
// A source or a user comes from lists of names, which leave out who was too seldom seen in a time of
// very many. Where the filter asks for both, or for their minutes of more than two days ago, the
// newest 30,000 events of the time are looked at instead; its ids are ignored.
func (h *History) Counts(ctx context.Context, bounds []time.Time, filter Filter, name Naming) ([]Count, error) {
	if len(bounds) < 2 {
		return nil, nil
	}
	filter.Span = Span{bounds[0], bounds[len(bounds)-1]}
	step := h.step(bounds)
	c := newCounting(bounds)
	err := h.View(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		lists := h.lists(tx)
		if err = lists.name(ctx, c, name.Of); err != nil {
			return err
		}
		what, in := filter.listing()
		switch {
		case filter == Filter{Span: filter.Span} && name.As != nil:
			return lists.countNamed(ctx, c, filter.Span, step, name)
		case filter.User == "" && filter.Host == "" && !filter.Source.IsValid():
			return lists.count(ctx, c, filter, step)
		case what == 0 || step < hour && bounds[0].Before(h.options.Now().Add(-minutesListed)):
			return c.events(ctx, lists, filter)
		}
		chosen, err := lists.chosen(ctx, filter)
		if err != nil {
			return err
		}
		lists.exact = filter.exactly(what)
		err = lists.eachListed(ctx, what, filter.Span, step, chosen, func(start int64, g group, name []byte, sum Sum) {
			if in(name) {
				c.add(start, g, nil, sum)
			}
		})
		if err == nil && lists.joined && filter.Agent != "" { // they do not tell
			c.forget()
			err = c.events(ctx, lists, filter)
		}
		return err
	})
	return c.list(), err
}

// name has each group and key of the list of machines counted under the name that name gives to it.
func (r *reading) name(ctx context.Context, c *counting, name func(Counted) string) error {
	agents, err := r.agentNames(ctx)
	c.of = func(g group, key string) int {
		if one := name(countedOf(agents, g, key)); one != "" {
			return c.part(one)
		}
		return -1
	}
	return err
}

// countedOf says what a group and a key of the list of machines are.
func countedOf(agents map[int64]string, g group, key string) Counted {
	of := Counted{Kind: attack.StoredKind(g.kind), Agent: agents[g.agent]}
	if of.Kind == attack.Counter {
		of.Key = key
	} else {
		of.Host = key
	}
	return of
}

// count adds up all that was counted, by lists of steps none longer than longest.
func (r *reading) count(ctx context.Context, c *counting, filter Filter, longest int64) error {
	chosen, err := r.chosen(ctx, filter)
	if err != nil {
		return err
	}
	return r.eachListed(ctx, machineNames, filter.Span, longest, chosen, c.add)
}

// NetworkCounts counts attempts between consecutive bounds, as [History.Counts] does, by a name of the networks that they
// came from, such as a country. What lists left out, and networks without a name, count under "". The filter must name
// neither a user nor a machine: no list says from where their attempts came. Where lists join its agent with others,
// only the newest 30,000 events are counted.
func (h *History) NetworkCounts(ctx context.Context, bounds []time.Time, filter Filter, name func(network netip.Prefix) string) ([]Count, error) {
	if filter.User != "" || filter.Host != "" {
		return nil, errors.New("no list says from where attempts of a user or a machine came")
	}
	if len(bounds) < 2 {
		return nil, nil
	}
	filter.Span = Span{bounds[0], bounds[len(bounds)-1]}
	what, in := filter.listing()
	var exact []byte
	if filter.Source.IsValid() {
		exact = filter.exactly(what)
	} else {
		what, in = networkNames, func([]byte) bool { return true }
	}
	c := newCounting(bounds)
	part := c.byNetwork(name)
	err := h.View(ctx, func(ctx context.Context, tx *sql.Tx) error {
		lists := h.lists(tx)
		lists.exact = exact
		of, err := lists.chosen(ctx, filter)
		if err != nil {
			return err
		}
		attempts := func(g group) bool { return attack.StoredKind(g.kind).Attempt() && of(g) }
		err = lists.eachListed(ctx, what, filter.Span, h.step(bounds), attempts, func(start int64, _ group, name []byte, sum Sum) {
			if in(name) {
				c.addTo(part(name), start, sum)
			}
		})
		if err == nil && lists.joined && filter.Agent != "" { // they do not tell
			c = newCounting(bounds)
			err = c.networks(ctx, lists, filter, c.byNetwork(name))
		}
		return err
	})
	return c.list(), err
}

// byNetwork returns a function that finds the part of an address, or of a network, by the network's name.
func (c *counting) byNetwork(name func(netip.Prefix) string) func(address []byte) (part int) {
	known := make(map[string]int)
	return func(address []byte) int {
		network := listedNetwork(address)
		part, ok := known[string(network)]
		if !ok {
			text := ""
			if len(network) > 0 {
				text = name(netip.PrefixFrom(addressOf(network), 8*len(network)))
			}
			part = c.part(text)
			known[string(network)] = part
		}
		return part
	}
}

// First returns when the first hour began of which anything is known, zero if nothing is. Hours that
// damage made unknown do not count.
func (h *History) First(ctx context.Context) (first time.Time, err error) {
	err = h.View(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		for _, step := range steps[:countedSteps] {
			var start sql.NullInt64
			err = errors.Join(err, each(ctx, tx, `SELECT min(start) FROM lists WHERE what = ? AND step = ? AND start > 0`,
				[]any{&start}, func() {}, int64(machineNames), step.long))
			if at := time.Unix(start.Int64, 0).In(h.options.Zone()); start.Valid && (first.IsZero() || at.Before(first)) {
				first = time.Unix(startOf(at, hour), 0).In(h.options.Zone())
			}
		}
		return err
	})
	return first, err
}

// step returns the longest step that begins at each of the bounds, of those that are kept since the
// first; if there is none, the shortest that is kept.
func (h *History) step(bounds []time.Time) int64 {
	now := h.now()
	zone := now.Location()
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

// counting adds up by bar and name.
type counting struct {
	bounds []int64 // Unix time
	bar    int     // of the start that was added last
	start  int64

	names []string
	parts map[string]int // names by their place
	sums  [][]Sum        // by name and bar

	of    func(g group, key string) int // the part of what is met first, -1 if it has none
	room  []Sum                         // for the sums of the next parts
	plain []int32                       // the part of what has no key, by agent and kind; 0 is unknown yet, -1 none
	keyed map[group]map[string]int      // the part of what has one, -1 none
}

func newCounting(bounds []time.Time) *counting {
	c := &counting{parts: make(map[string]int), keyed: make(map[group]map[string]int), start: begun}
	for _, t := range bounds {
		c.bounds = append(c.bounds, t.Unix())
	}
	return c
}

// part returns the part of a name.
func (c *counting) part(name string) int {
	at, ok := c.parts[name]
	if !ok {
		at = c.unnamed()
		c.parts[name], c.names[at] = at, name
	}
	return at
}

// unnamed returns a new part without a name.
func (c *counting) unnamed() int {
	bars := max(len(c.bounds)-1, 0)
	if len(c.room) < bars {
		c.room = make([]Sum, bars*min(max(len(c.sums), 1), 1<<10))
	}
	c.names, c.sums, c.room = append(c.names, ""), append(c.sums, c.room[:bars:bars]), c.room[bars:]
	return len(c.names) - 1
}

// forget forgets what was counted.
func (c *counting) forget() {
	for _, sums := range c.sums {
		clear(sums)
	}
}

// plainKinds is below which kinds find their part by a number.
const plainKinds = 1 << 6

// add adds what was counted of a group and a key in the step that begins at start.
func (c *counting) add(start int64, g group, key []byte, sum Sum) {
	if len(key) > 0 || uint64(g.kind) >= plainKinds || uint64(g.agent) > 2*MaxAgents {
		c.addTo(c.keyedPart(g, key), start, sum)
		return
	}
	at := g.agent*plainKinds + g.kind
	if at >= int64(len(c.plain)) {
		c.plain = append(c.plain, make([]int32, max(at+plainKinds, 2*int64(len(c.plain)))-int64(len(c.plain)))...)
	}
	part := c.plain[at]
	if part == 0 {
		if part = int32(c.of(g, "")); part >= 0 {
			part++
		}
		c.plain[at] = part
	}
	if part > 0 {
		part--
	}
	c.addTo(int(part), start, sum)
}

// keyedPart is the part of a group and a key.
func (c *counting) keyedPart(g group, key []byte) int {
	part, ok := c.keyed[g][string(key)]
	if !ok {
		part = c.of(g, string(key))
		if c.keyed[g] == nil {
			c.keyed[g] = make(map[string]int)
		}
		c.keyed[g][string(key)] = part
	}
	return part
}

// addTo adds to a part.
func (c *counting) addTo(part int, start int64, sum Sum) {
	if start != c.start {
		bar, exact := slices.BinarySearch(c.bounds, start)
		if !exact {
			bar--
		}
		if c.start, c.bar = start, bar; bar >= len(c.bounds)-1 {
			c.bar = -1
		}
	}
	if part >= 0 && c.bar >= 0 {
		at := &c.sums[part][c.bar]
		*at = at.with(sum)
	}
}

// list returns what is more than nothing, by bar.
func (c *counting) list() []Count {
	var list []Count
	for bar := range max(len(c.bounds)-1, 0) {
		for part, name := range c.names {
			if sum := c.sums[part][bar].shown(); sum != (Sum{}) {
				list = append(list, Count{bar, name, sum})
			}
		}
	}
	return list
}

// events looks at events.
func (c *counting) events(ctx context.Context, lists *reading, filter Filter) error {
	var start, n, attempts int64
	var g group
	// Steps of UTC serve for bars: bounds are on full minutes.
	_, err := lists.eachNewest(ctx, filter, `SELECT arrived/1000000000/?*?, agent, kind, count(*), sum(count) FROM events`,
		` AND NOT test GROUP BY 1, 2, 3`, []any{&start, &g.agent, &g.kind, &n, &attempts}, func() {
			c.add(start, g, nil, Sum{uint64(n), uint64(attempts)})
		}, int64(minute), int64(minute))
	return err
}

// networks looks at events for the networks that attempts came from.
func (c *counting) networks(ctx context.Context, lists *reading, filter Filter, part func(address []byte) int) error {
	var start, kind, n, attempts int64
	var source sql.RawBytes
	_, err := lists.eachNewest(ctx, filter, `SELECT arrived/1000000000/?*?, kind, source, count(*), sum(count) FROM events`,
		` AND NOT test GROUP BY 1, 2, 3`, []any{&start, &kind, &source, &n, &attempts}, func() {
			if attack.StoredKind(kind).Attempt() {
				c.addTo(part(source), start, Sum{uint64(n), uint64(attempts)})
			}
		}, int64(minute), int64(minute))
	return err
}
