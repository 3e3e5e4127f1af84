package history

import (
	"bytes"
	"context"
	"time"
)

// Whoever looks at one source or user asks several times for what lists have of it, and most lists have nothing. What the
// lists of the days of a month have of a name is kept, and which hours of a day may have it, or any.

// traced says that what is kept is the trace of a name, as lists write it.
type traced string

// eachTraced reads what lists of days have of the name that is asked for.
func (r *reading) eachTraced(ctx context.Context, at listPart, row func(listRow)) error {
	zone := r.h.now().Location()
	var months []listPart
	var start int64
	err := each(ctx, r.tx, `SELECT DISTINCT start FROM lists WHERE what = ? AND step = ? AND start >= ? AND start < ? ORDER BY start`, []any{&start}, func() {
		if last := len(months) - 1; last < 0 || start >= months[last].until {
			month := startOf(time.Unix(start, 0).In(zone), monthLong)
			months = append(months, listPart{at.what, stretch{at.step, month, endOf(month, monthLong, zone)}})
		}
	}, int64(at.what), at.step, at.since, at.until)
	for _, month := range months {
		if err != nil {
			return err
		}
		var rows []listRow
		if rows, err = r.trace(ctx, month); err != nil {
			return err
		}
		for _, one := range rows {
			if one.since >= at.since && one.since < at.until {
				row(one)
			}
		}
	}
	return err
}

// trace returns what the lists of a part have of the name that is asked for.
func (r *reading) trace(ctx context.Context, at listPart) ([]listRow, error) {
	key := pastKey{at, traced(r.exact)}
	one, known := r.recall(key)
	if known {
		return one.rows, nil
	}
	r.read = 0
	err := r.eachStored(ctx, at, func(list listRow) {
		if list.list, list.out = find(list.list, r.exact); list.out || len(list.list) > 0 {
			one.rows = append(one.rows, list)
		}
	})
	if err == nil {
		r.remember(key, one)
	}
	return one.rows, err
}

// sieved says that what is kept is a sieve.
type sieved struct{}

// hoursOf returns which lists of hours of a day may have the name that is asked for, without what they have. listed says that the
// day's list has it.
func (r *reading) hoursOf(ctx context.Context, at listPart, listed bool) ([]listRow, error) {
	key, all := pastKey{at, traced(r.exact)}, pastKey{at, sieved{}}
	one, known := r.recall(key)
	if known {
		return one.rows, nil
	}
	var names *sieve
	if !listed {
		if one, known = r.recall(all); known && !one.sieve.mayHave(r.exact) {
			return one.rows, nil
		}
		if !known {
			var long int64
			err := each(ctx, r.tx, `SELECT coalesce(sum(length(list)), 0) FROM lists WHERE what = ? AND step = ? AND start >= ? AND start < ?`,
				[]any{&long}, func() {}, int64(at.what), at.step, at.since, at.until)
			if err != nil {
				return nil, err
			}
			names = newSieve(long)
		}
	}
	r.read = 0
	var rows, out []listRow
	err := r.eachStored(ctx, at, func(list listRow) {
		has := bytes.Contains(list.list, r.exact) // perhaps by chance
		if names != nil {
			list.out = names.add(list.list)
		} else if !has {
			_, list.out = find(list.list, r.exact)
		}
		if list.list = nil; has || list.out {
			rows = append(rows, list)
		}
		if list.out {
			out = append(out, list)
		}
	})
	if err == nil {
		r.remember(key, remembered{rows: rows})
		if names != nil {
			r.remember(all, remembered{sieve: names, rows: out})
		}
	}
	return rows, err
}
