package history

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// idRange is all ids from the first to the last.
type idRange struct{ first, last int64 }

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

// idAt returns the id of the first event that arrived at a time or later, or one above all.
func idAt(ctx context.Context, tx querier, at time.Time) (int64, error) {
	var low, high int64 // the id is above low-1, and at most high
	err := each(ctx, tx, `SELECT coalesce((SELECT min(id) FROM events), 1), coalesce((SELECT max(id) FROM events), 0) + 1`,
		[]any{&low, &high}, func() {})
	for err == nil && low < high {
		middle := low + (high-low)/2
		id, arrived := high, int64(0)
		err = each(ctx, tx, `SELECT id, arrived FROM events WHERE id >= ? ORDER BY id LIMIT 1`, []any{&id, &arrived}, func() {}, middle)
		if id < high && arrived < at.UnixNano() {
			low = id + 1
		} else {
			high = middle
		}
	}
	return low, err
}
