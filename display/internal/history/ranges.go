package history

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// Events have no index but their ids: one by address would be written all over the file with each
// commit. Where a filter asks for a source or a user, the lists say when these came, and so which ids
// are worth a look.

// idRange is all ids from the first to the last.
type idRange struct{ first, last int64 }

// maxRanges bounds how many ranges one question has; those that are near each other become one.
const maxRanges = 256

// ids returns what the filter's bounds leave. SQLite seeks by one lower and one upper bound and tries the others on
// each row, so a query has both from here: two of a kind would have it begin at the first event.
func (f *Filter) ids(ctx context.Context, tx querier) (idRange, error) {
	all := idRange{f.After + 1, 1 << 62}
	if f.Before != 0 {
		all.last = f.Before - 1
	}
	// Ids rise with arrival, so a span is one of ids.
	if !f.Since.IsZero() {
		id, err := idAt(ctx, tx, f.Since)
		if err != nil {
			return idRange{}, err
		}
		all.first = max(all.first, id)
	}
	if !f.Until.IsZero() {
		id, err := idAt(ctx, tx, f.Until)
		if err != nil {
			return idRange{}, err
		}
		all.last = min(all.last, id-1)
	}
	return all, nil
}

// within returns the parts of ranges that are in another one.
func within(ranges []idRange, all idRange) (parts []idRange) {
	for _, r := range ranges {
		if r.first, r.last = max(r.first, all.first), min(r.last, all.last); r.first <= r.last {
			parts = append(parts, r)
		}
	}
	return parts
}

// ranges returns where events are that a filter may choose, the newest first.
func (h *History) ranges(ctx context.Context, tx querier, filter Filter) ([]idRange, error) {
	all, err := filter.ids(ctx, tx)
	if err != nil {
		return nil, err
	}
	source := filter
	source.Host = ""
	if source.Source.IsValid() {
		source.User = ""
	}
	what, in := source.listing()
	if what == 0 {
		return []idRange{all}, nil
	}
	spots, err := h.spots(ctx, tx, what, in, filter)
	if err != nil {
		return nil, err
	}
	var oldest int64 // arrival of the oldest event
	if err := each(ctx, tx, `SELECT arrived/1000000000 FROM events WHERE sequence > 0 ORDER BY id LIMIT 1`, []any{&oldest}, func() {}); err != nil {
		return nil, err
	}
	var found []idRange
	for _, s := range near(spots) {
		if s.until <= oldest {
			continue
		}
		first, err := idAt(ctx, tx, time.Unix(s.since, 0))
		if err != nil {
			return nil, err
		}
		after, err := idAt(ctx, tx, time.Unix(s.until, 0))
		if err != nil {
			return nil, err
		}
		found = append(found, idRange{first, after - 1})
	}
	back, err := setBack(ctx, tx)
	if err != nil {
		return nil, err
	}
	return within(newestFirst(append(found, back...)), all), nil
}

// newestFirst sorts ranges and makes one of those that overlap.
func newestFirst(ranges []idRange) []idRange {
	slices.SortFunc(ranges, func(a, b idRange) int { return cmp.Compare(b.last, a.last) })
	var merged []idRange
	for _, r := range ranges {
		switch last := len(merged) - 1; {
		case r.first > r.last:
		case last >= 0 && r.last+1 >= merged[last].first:
			merged[last].first = min(merged[last].first, r.first)
		default:
			merged = append(merged, r)
		}
	}
	return merged
}

// spots returns the minutes, or hours where minutes are not kept, in which lists have a chosen name, or
// may have left it out.
func (h *History) spots(ctx context.Context, tx querier, what nameKind, in func([]byte) bool, filter Filter) ([]stretch, error) {
	now := h.now()
	zone := now.Location()
	made, err := readListed(ctx, tx, what, zone)
	if err != nil {
		return nil, err
	}
	kept := now.Add(-minutesListed).Unix() + hour
	var spots []stretch
	var look func(part stretch) error
	look = func(part stretch) error {
		var met []int64
		var start int64
		var list []byte
		err := each(ctx, tx, `SELECT start, list FROM lists WHERE what = ? AND step = ? AND start >= ? AND start < ?`, []any{&start, &list}, func() {
			if n := len(met); n > 0 && met[n-1] == start {
				return
			}
			here := false
			eachName(list, nil, func(_ group, name []byte, _ Sum) { here = here || len(name) == 0 || in(name) })
			if here {
				met = append(met, start)
			}
		}, int64(what), part.step, part.since, part.until)
		for _, start := range met {
			if err != nil {
				return err
			}
			switch {
			case part.step == dayLong:
				err = look(stretch{hour, start, startOfDay(time.Unix(start, 0).In(zone).AddDate(0, 0, 1))})
			case part.step == hour && start >= kept:
				err = look(stretch{minute, start, start + hour})
			default:
				spots = append(spots, stretch{part.step, start, start + part.step})
			}
		}
		return err
	}
	for _, part := range stretches(filter.Span, dayLong, made, now) {
		if err := look(part); err != nil {
			return nil, err
		}
	}
	return spots, nil
}

// near makes one of stretches that are near each other until they are few.
func near(spots []stretch) []stretch {
	slices.SortFunc(spots, func(a, b stretch) int { return cmp.Compare(a.since, b.since) })
	for gap := int64(0); ; gap = 4*gap + minute {
		joined := spots[:0]
		for _, s := range spots {
			if last := len(joined) - 1; last >= 0 && s.since-joined[last].until <= gap {
				joined[last].until = max(joined[last].until, s.until)
				continue
			}
			joined = append(joined, s)
		}
		if spots = joined; len(spots) <= maxRanges {
			return spots
		}
	}
}

// eachNewest runs a query for the newest events that a filter chooses, without corrections, the oldest
// first. It says whether there were more than it looked at.
func (h *History) eachNewest(ctx context.Context, tx querier, filter Filter, query, end string, targets []any, row func(), args ...any) (more bool, err error) {
	ranges, err := h.ranges(ctx, tx, filter)
	if err != nil {
		return false, err
	}
	last := int64(0)
	if err := each(ctx, tx, `SELECT coalesce(max(id), 0) FROM events`, []any{&last}, func() {}); err != nil {
		return false, err
	}
	where, values := filter.where()
	var looked []idRange
	for _, r := range ranges {
		left := int64(maxScan)
		for _, l := range looked {
			left -= l.last - l.first + 1
		}
		r.last = min(r.last, last)
		if r.last-r.first >= left {
			r.first, more = r.last-left+1, true
		}
		if r.first <= r.last {
			looked = append(looked, r)
		}
	}
	for _, r := range slices.Backward(looked) {
		err := each(ctx, tx, query+" "+where+" AND sequence > 0 AND events.id BETWEEN ? AND ?"+end, targets, row,
			slices.Concat(args, values, []any{r.first, r.last})...)
		if err != nil {
			return more, err
		}
	}
	return more, nil
}

// A clock that is set back leaves events of one time at two places. The ids from the first to the last
// of such are looked at whatever the lists say.

const setBackFirst, setBackLast = "set back first", "set back last"

func setBack(ctx context.Context, tx querier) ([]idRange, error) {
	r := idRange{1, 0}
	var name string
	var value int64
	err := each(ctx, tx, `SELECT name, value FROM numbers WHERE name IN (?, ?)`, []any{&name, &value}, func() {
		if name == setBackFirst {
			r.first = value
		} else {
			r.last = value
		}
	}, setBackFirst, setBackLast)
	return []idRange{r}, err
}

// arrive notes that events arrive at a time, before they are written.
func (c *change) arrive(at time.Time) error {
	s, now := c.store, at.UnixNano()
	if s.latest == 0 {
		if err := s.each(context.Background(), `SELECT coalesce(max(arrived), 0) FROM (SELECT arrived FROM events ORDER BY id DESC LIMIT 1)`,
			[]any{&s.latest}, func() {}); err != nil {
			return err
		}
	}
	if now >= s.latest {
		s.latest = now
		return nil
	}
	back, err := setBack(context.Background(), s.conn)
	if err != nil {
		return err
	}
	first, err := idAt(context.Background(), s.conn, at.Add(-time.Minute))
	if err != nil {
		return err
	}
	if back[0].first <= back[0].last {
		first = min(first, back[0].first)
	}
	for name, value := range map[string]int64{setBackFirst: first, setBackLast: c.next.last + maxGroup} {
		if err := s.exec(`INSERT INTO numbers (name, value) VALUES (?,?) ON CONFLICT (name) DO UPDATE SET value=excluded.value`, name, value); err != nil {
			return err
		}
	}
	return nil
}

// maxGroup is more events than one batch has.
const maxGroup = 1 << 16
