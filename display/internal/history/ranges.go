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

// maxRanges bounds how many ranges one question has; those that are near each other become one.
const maxRanges = 256

// ranges returns where events are that a filter may choose, the newest first.
func (r *reading) ranges(ctx context.Context, filter Filter) ([]idRange, error) {
	h, tx := r.h, r.tx
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
		if spots, err = r.spots(ctx, what, source.exactly(what), in, filter); err != nil {
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
func (r *reading) spots(ctx context.Context, what nameKind, exact []byte, in func([]byte) bool, filter Filter) ([]stretch, error) {
	defer func(before []byte) { r.exact = before }(r.exact)
	r.exact = exact
	now := r.h.now()
	kept := now.Add(-minutesListed).Unix() + hour
	var spots []stretch
	look := func(parts ...listPart) (met []listRow, err error) {
		err = r.eachOf(ctx, parts, func(one listRow) {
			if exact != nil || mayHave(one.list, in) {
				met = append(met, one)
			}
		})
		return met, err
	}
	parts, err := r.parts(ctx, what, filter.Span, dayLong)
	if err != nil {
		return nil, err
	}
	met, err := look(parts...)
	for len(met) > 0 && err == nil {
		var shorter []listRow
		for i, one := range met {
			if i > 0 && met[i-1].stretch == one.stretch { // another part of the list
				continue
			}
			var rows []listRow
			hours := listPart{what, stretch{hour, one.since, endOf(one.since, dayLong, now.Location())}}
			switch {
			case err != nil:
			case one.step == dayLong && exact != nil:
				rows, err = r.hoursOf(ctx, hours, len(one.list) > 0)
			case one.step == dayLong:
				rows, err = look(hours)
			case one.step == hour && one.since >= kept:
				rows, err = look(listPart{what, stretch{minute, one.since, one.until}})
			default:
				spots = append(spots, one.stretch)
			}
			shorter = append(shorter, rows...)
		}
		met = shorter
	}
	return spots, err
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
func (r *reading) eachNewest(ctx context.Context, filter Filter, query, end string, targets []any, row func(), args ...any) (more bool, err error) {
	ranges, err := r.ranges(ctx, filter)
	if err != nil {
		return false, err
	}
	last := int64(0)
	if err := each(ctx, r.tx, `SELECT coalesce(max(id), 0) FROM events`, []any{&last}, func() {}); err != nil {
		return false, err
	}
	where, values := filter.where()
	var looked []idRange
	for _, ids := range ranges {
		left := int64(maxScan)
		for _, l := range looked {
			left -= l.last - l.first + 1
		}
		ids.last = min(ids.last, last)
		if ids.last-ids.first >= left {
			ids.first, more = ids.last-left+1, true
		}
		if ids.first <= ids.last {
			looked = append(looked, ids)
		}
	}
	for _, ids := range slices.Backward(looked) {
		err := each(ctx, r.tx, query+" "+where+" AND sequence > 0 AND events.id BETWEEN ? AND ?"+end, targets, row,
			slices.Concat(args, values, []any{ids.first, ids.last})...)
		if err != nil {
			return more, err
		}
	}
	return more, nil
}

// maxScan bounds the newest events of a span that a question looks at which roll-ups do not answer.
const maxScan = 30_000
