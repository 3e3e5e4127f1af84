package history

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"time"
)

// Events have no index but their ids: one by address would be written all over the file with each
// commit. Where a filter asks for a source or a user, the lists say when these came, and so which ids
// are worth a look.

// maxRanges bounds how many ranges one question has; those that are near each other become one.
const maxRanges = 256

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
	// A page asks for the same source again and again: what was found stands until the next event.
	asked := spotted{source: source.Source, user: source.User, span: filter.Span}
	if err := each(ctx, tx, `SELECT coalesce(max(id), 0) FROM events`, []any{&asked.last}, func() {}); err != nil {
		return nil, err
	}
	spots, known := h.spottedBefore(asked)
	if !known {
		if spots, err = h.spots(ctx, tx, what, source.exactly(what), in, filter); err != nil {
			return nil, err
		}
		spots = near(spots)
		h.keepSpotted(asked, spots)
	}
	var oldest int64 // arrival of the oldest event
	if err := each(ctx, tx, `SELECT arrived/1000000000 FROM events WHERE sequence > 0 ORDER BY id LIMIT 1`, []any{&oldest}, func() {}); err != nil {
		return nil, err
	}
	var found []idRange
	for _, s := range spots {
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

// maxSpotted is how many answers are kept, of at most [maxRanges] stretches each.
const maxSpotted = 16

// spottedBefore returns what was found before, if it was asked for the same.
func (h *History) spottedBefore(asked spotted) ([]stretch, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	spots, known := h.spotted[asked]
	return spots, known
}

func (h *History) keepSpotted(asked spotted, spots []stretch) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for other := range h.spotted {
		if other.last != asked.last || len(h.spotted) >= maxSpotted {
			delete(h.spotted, other)
		}
	}
	if h.spotted == nil {
		h.spotted = make(map[spotted][]stretch)
	}
	h.spotted[asked] = spots
}

// spots returns the minutes, or hours where minutes are not kept, in which lists have a chosen name, or
// may have left it out.
func (h *History) spots(ctx context.Context, tx querier, what nameKind, exact []byte, in func([]byte) bool, filter Filter) ([]stretch, error) {
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
		var list sql.RawBytes
		err := each(ctx, tx, `SELECT start, list FROM lists WHERE what = ? AND step = ? AND start >= ? AND start < ?`, []any{&start, &list}, func() {
			if n := len(met); n > 0 && met[n-1] == start {
				return
			}
			if mayHave(list, exact, in) {
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
	for _, part := range stretches(what, filter.Span, dayLong, made, now) {
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

// maxScan bounds the newest events of a span that a question looks at which roll-ups do not answer.
const maxScan = 50_000
