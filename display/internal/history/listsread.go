package history

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"net/netip"
	"time"
)

// stretches parts a span by what tells it with the fewest lists, of steps none longer than longest, in the
// order of time. Where short steps are no longer kept, it takes the full longer ones around.
func stretches(what nameKind, span Span, longest int64, made listed, now time.Time) []stretch {
	ladder := cover{zone: now.Location()}
	since, until := int64(begun), int64(1<<62)
	if !span.Since.IsZero() {
		since = startOf(span.Since.In(ladder.zone), minute)
	}
	if !span.Until.IsZero() {
		until = ladder.above(span.Until.Unix(), minute)
	}
	gone := now.Unix() // what is older is not kept by the step before
	for n, step := range steps {
		if step.long > longest {
			break
		}
		if !what.has(step.long) {
			continue
		}
		if n > 0 && since < gone {
			since = ladder.floor(since, step.long)
		}
		if n > 0 && until < gone {
			until = ladder.above(until, step.long)
		}
		if ladder.steps = append(ladder.steps, stretch{step.long, 0, made[n]}); step.kept > 0 {
			gone = now.Add(-step.kept).Unix()
		} else {
			gone = begun
		}
	}
	ladder.part(len(ladder.steps)-1, since, until)
	return ladder.parts
}

// cover parts spans of time by steps.
type cover struct {
	zone  *time.Location
	steps []stretch // the shortest first, and until when there are lists of each
	parts []stretch
}

// part adds the parts of a span, of the steps up to one.
func (c *cover) part(n int, since, until int64) {
	if since >= until {
		return
	}
	step := c.steps[n]
	if n == 0 {
		c.parts = append(c.parts, stretch{step.step, since, until})
		return
	}
	first, last := c.above(since, step.step), min(c.floor(until, step.step), step.until)
	if first >= last {
		c.part(n-1, since, until)
		return
	}
	c.part(n-1, since, first)
	c.parts = append(c.parts, stretch{step.step, first, last})
	c.part(n-1, last, until)
}

func (c *cover) floor(t, step int64) int64 {
	if t <= begun || t >= 1<<40 {
		return t
	}
	return startOf(time.Unix(t, 0).In(c.zone), step)
}

// above returns the full step at or after a time.
func (c *cover) above(t, step int64) int64 {
	if floor := c.floor(t, step); floor != t {
		return endOf(floor, step, c.zone)
	}
	return t
}

// reading reads lists in one transaction.
type reading struct {
	h      *History
	tx     querier
	exact  []byte // how lists write the only name that is asked for; lists that cannot have it are passed over. nil asks for all
	joined bool   // what was read last does not tell all agents apart
	room   int    // bytes of lists that are kept for the next time
	kept   map[listPart][]listRow
	made   map[nameKind]listed
	era    uint64 // of the past, before anything was read
	read   int    // bytes of lists
}

// recall returns what is kept of the past under a key.
func (r *reading) recall(key pastKey) (one remembered, known bool) { return r.h.past.get(r.era, key) }

// remember keeps what the lists that were read since read was set to 0 add up to, if they were long. Nobody may change it
// from then on.
func (r *reading) remember(key pastKey, one remembered) {
	if r.read < r.h.past.least {
		return
	}
	if one.tallies != nil {
		one.tallies = one.tallies.packed()
	}
	r.h.past.keep(r.era, key, one)
}

// lists begins to read in a transaction that has not read anything yet.
func (h *History) lists(tx querier) *reading {
	return &reading{h: h, tx: tx, kept: make(map[listPart][]listRow), made: make(map[nameKind]listed), era: h.past.now()}
}

// parts returns the parts of a span that lists of a kind have, in steps no longer than longest.
func (r *reading) parts(ctx context.Context, what nameKind, span Span, longest int64) (parts []listPart, err error) {
	now := r.h.now()
	made, ok := r.made[what]
	if !ok {
		if made, err = readListed(ctx, r.tx, what, now.Location()); err != nil {
			return nil, err
		}
		r.made[what] = made
	}
	for _, part := range stretches(what, span, longest, made, now) {
		parts = append(parts, listPart{what, part})
	}
	return parts, nil
}

// each reads the lists of a span, made of steps none longer than longest, in the order of each step.
func (r *reading) each(ctx context.Context, what nameKind, span Span, longest int64, row func(listRow)) error {
	parts, err := r.parts(ctx, what, span, longest)
	if err != nil {
		return err
	}
	return r.eachOf(ctx, parts, row)
}

// eachOf reads the lists of parts.
func (r *reading) eachOf(ctx context.Context, parts []listPart, row func(listRow)) error {
	one := row
	if r.exact != nil {
		one = func(one listRow) {
			if one.list, one.out = find(one.list, r.exact); one.out || len(one.list) > 0 {
				row(one)
			}
		}
	}
	for _, at := range parts {
		var err error
		switch kept, ok := r.kept[at]; {
		case ok:
			for _, list := range kept {
				one(list)
			}
		case r.exact != nil && at.step == dayLong:
			err = r.eachTraced(ctx, at, row)
		default:
			err = r.eachStored(ctx, at, one)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// eachStored reads the lists of a part from the file, and keeps them as long as there is room.
func (r *reading) eachStored(ctx context.Context, at listPart, row func(listRow)) error {
	kept := []listRow{}
	var start int64
	var list sql.RawBytes
	err := each(ctx, r.tx, `SELECT start, list FROM lists WHERE what = ? AND step = ? AND start >= ? AND start < ? ORDER BY start`, []any{&start, &list}, func() {
		r.read += len(list)
		one := listRow{stretch: stretch{at.step, start, start + at.step}, list: list}
		if r.room -= len(list); r.room >= 0 {
			one.list = bytes.Clone(list)
			kept = append(kept, one)
		}
		row(one)
	}, int64(at.what), at.step, at.since, at.until)
	if err == nil && r.room >= 0 {
		r.kept[at] = kept
	}
	return err
}

// eachListed reads the names of a span, but those of tests. It notes whether some lists do not tell all agents apart.
func (r *reading) eachListed(ctx context.Context, what nameKind, span Span, longest int64, chosen func(group) bool, row func(start int64, g group, name []byte, sum Sum)) error {
	r.joined = false
	parts, err := r.parts(ctx, what, span, longest)
	if err != nil {
		return err
	}
	return r.eachListedOf(ctx, parts, chosen, row)
}

// eachListedOf reads the names of parts, as eachListed does.
func (r *reading) eachListedOf(ctx context.Context, parts []listPart, chosen func(group) bool, row func(start int64, g group, name []byte, sum Sum)) error {
	counted := func(g group) bool {
		r.joined = r.joined || g.agent == noAgent
		return g.kind < testKind && chosen(g)
	}
	return r.eachOf(ctx, parts, func(one listRow) {
		eachName(one.list, counted, func(g group, name []byte, sum Sum) { row(one.since, g, name, sum) })
	})
}

// chosen returns what chooses the groups of a filter's agent and kind.
func (r *reading) chosen(ctx context.Context, filter Filter) (func(group) bool, error) {
	agent := int64(0)
	if filter.Agent != "" {
		agent = -1 // no agent has it
		if err := each(ctx, r.tx, `SELECT id FROM agents WHERE name = ?`, []any{&agent}, func() {}, filter.Agent); err != nil {
			return nil, err
		}
	}
	kind := int64(filter.Kind)
	return func(g group) bool { return (agent == 0 || g.agent == agent) && (kind == 0 || g.kind == kind) }, nil
}

// agentNames returns the agents by their ids. Nobody may change what it returns.
func (r *reading) agentNames(ctx context.Context) (map[int64]string, error) {
	known := &r.h.current().names
	known.mu.Lock()
	defer known.mu.Unlock()
	var last int64
	err := each(ctx, r.tx, `SELECT coalesce(max(id), 0) FROM agents`, []any{&last}, func() {})
	if err != nil || last <= known.last {
		return known.byID, err
	}
	byID := make(map[int64]string)
	var id int64
	var name string
	err = each(ctx, r.tx, `SELECT id, name FROM agents`, []any{&id, &name}, func() { byID[id] = name })
	if err == nil {
		known.last, known.byID = last, byID
	}
	return byID, err
}

// listing returns the lists that a filter's source or user is looked up in, and what chooses its names. It
// is 0 if the filter asks for both, or for a machine, which no list knows.
func (f *Filter) listing() (what nameKind, chosen func(name []byte) bool) {
	switch {
	case f.Source.IsValid() && f.User != "" || f.Host != "":
		return 0, nil
	case f.User != "":
		user := cutName(f.User)
		return userNames, func(name []byte) bool { return string(name) == user }
	case !f.Source.IsValid():
		return 0, nil
	case isRolled(f.Source):
		what = networkNames
	default:
		what = addressNames
	}
	source := unmapped(f.Source)
	return what, func(name []byte) bool { return len(name) > 0 && source.Contains(addressOf(name)) }
}

// exactly returns how lists of a kind write the only name that a filter chooses, nil if it may choose several.
func (f *Filter) exactly(what nameKind) []byte {
	name := []byte(cutName(f.User))
	if what != userNames {
		first, last := bounds(f.Source)
		long := len(first)
		if what == networkNames && long == 4 {
			long = bytes4
		} else if what == networkNames {
			long = bytes6
		}
		if name = first[:long]; !bytes.Equal(name, last[:long]) {
			return nil
		}
	}
	return append(binary.AppendUvarint(nil, uint64(len(name))), name...)
}

// addressOf returns the address that a name is, or the first of the network that it is.
func addressOf(name []byte) netip.Addr {
	var raw [16]byte
	copy(raw[:], name)
	if len(name) <= 4 {
		return netip.AddrFrom4([4]byte(raw[:]))
	}
	return netip.AddrFrom16(raw)
}

// nameText writes a name of a list.
func nameText(what nameKind, name string) string {
	switch {
	case name == "" || what == userNames || what == targetNames:
		return name
	case what == addressNames:
		return addressOf([]byte(name)).String()
	}
	return netip.PrefixFrom(addressOf([]byte(name)), 8*len(name)).String()
}
