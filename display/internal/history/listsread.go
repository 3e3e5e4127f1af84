package history

import (
	"context"
	"net/netip"
	"time"
)

// stretch is a part of a span and the step that tells it.
type stretch struct{ step, since, until int64 }

// stretches parts a span by what tells it with the fewest lists: days, hours, minutes, none longer than
// longest. Of what minutes are not kept of, it takes the full hours around.
func stretches(span Span, longest int64, made listed, now time.Time) []stretch {
	zone := now.Location()
	floor := func(t int64) int64 { return startOf(time.Unix(t, 0).In(zone), hour) }
	above := func(t int64) int64 {
		if t != floor(t) {
			t = floor(t) + hour
		}
		return t
	}
	since, until := int64(0), int64(1<<62)
	if !span.Since.IsZero() {
		since = max(span.Since.Unix()/minute*minute, 0)
	}
	if !span.Until.IsZero() {
		until = above60(span.Until.Unix())
	}
	if longest == minute {
		return []stretch{{minute, since, until}}
	}
	kept := now.Add(-minutesListed).Unix()
	if since < kept && since > 0 {
		since = floor(since)
	}
	if until < kept {
		until = above(until)
	}
	begin, end := above(since), min(floor(min(until, made.hours)), made.hours)
	if since == 0 {
		begin = 0
	}
	if begin >= end {
		return []stretch{{minute, since, until}}
	}
	parts := []stretch{{minute, since, begin}, {minute, end, until}}
	first, last := begin, startOfDay(time.Unix(min(end, made.days), 0).In(zone))
	if begin > 0 {
		if first = startOfDay(time.Unix(begin, 0).In(zone)); first < begin {
			first = startOfDay(time.Unix(begin, 0).In(zone).AddDate(0, 0, 1))
		}
	}
	if longest < dayLong || first >= last {
		return append(parts, stretch{hour, begin, end})
	}
	return append(parts, stretch{hour, begin, first}, stretch{dayLong, first, last}, stretch{hour, last, end})
}

// above60 returns the full minute at or after a time.
func above60(t int64) int64 { return (t + minute - 1) / minute * minute }

// listRow is a list with the step that it is of.
type listRow struct {
	stretch
	list []byte
}

// reading reads lists in one transaction.
type reading struct {
	h    *History
	tx   querier
	room int                   // bytes of lists that are kept for the next time
	kept map[stretch][]listRow // by parts of spans
	made map[nameKind]listed
}

func (h *History) lists(tx querier) *reading {
	return &reading{h: h, tx: tx, kept: make(map[stretch][]listRow), made: make(map[nameKind]listed)}
}

// each reads the lists of a span, made of steps none longer than longest, in the order of each step.
func (r *reading) each(ctx context.Context, what nameKind, span Span, longest int64, row func(listRow)) error {
	now := r.h.now()
	made, ok := r.made[what]
	if !ok {
		var err error
		if made, err = readListed(ctx, r.tx, what, now.Location()); err != nil {
			return err
		}
		r.made[what] = made
	}
	for _, part := range stretches(span, longest, made, now) {
		if kept, ok := r.kept[part]; ok {
			for _, one := range kept {
				row(one)
			}
			continue
		}
		kept := []listRow{}
		var start int64
		var list []byte
		err := each(ctx, r.tx, `SELECT start, list FROM lists WHERE what = ? AND step = ? AND start >= ? AND start < ? ORDER BY start`, []any{&start, &list}, func() {
			one := listRow{stretch{part.step, start, start + part.step}, list}
			if r.room -= len(list); r.room >= 0 {
				kept = append(kept, one)
			}
			row(one)
		}, int64(what), part.step, part.since, part.until)
		if err != nil {
			return err
		}
		if r.room >= 0 {
			r.kept[part] = kept
		}
	}
	return nil
}

// eachListed reads the names of a span, but those of tests.
func (r *reading) eachListed(ctx context.Context, what nameKind, span Span, longest int64, chosen func(group) bool, row func(start int64, g group, name []byte, sum Sum)) error {
	counted := func(g group) bool { return g.kind < testKind && chosen(g) }
	return r.each(ctx, what, span, longest, func(one listRow) {
		eachName(one.list, counted, func(g group, name []byte, sum Sum) { row(one.since, g, name, sum) })
	})
}

// agentNames returns the agents by their ids.
func agentNames(ctx context.Context, tx querier) (map[int64]string, error) {
	byID := make(map[int64]string)
	var id int64
	var name string
	err := each(ctx, tx, `SELECT id, name FROM agents`, []any{&id, &name}, func() { byID[id] = name })
	return byID, err
}

// groups returns what chooses the groups of a filter's agent and kind.
func (f *Filter) groups(agents map[int64]string) func(group) bool {
	return func(g group) bool {
		return (f.Agent == "" || agents[g.agent] == f.Agent) && (f.Kind == 0 || g.kind == int64(f.Kind))
	}
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
	source := f.Source
	if addr := source.Addr(); addr.Is4In6() && source.Bits() >= 96 {
		source = netip.PrefixFrom(addr.Unmap(), source.Bits()-96)
	}
	return what, func(name []byte) bool { return len(name) > 0 && source.Contains(addressOf(name)) }
}

// addressOf returns the address that a name is, or the first of the network that it is.
func addressOf(name []byte) netip.Addr {
	var raw [16]byte
	copy(raw[:], name)
	if len(name) <= 4 {
		return netip.AddrFrom4([4]byte(raw[:4]))
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
