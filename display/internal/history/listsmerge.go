package history

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"time"
)

// mergeLists makes one part of several, and the lists of longer steps that are over.
func (s *store) mergeLists(now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.tellPast()
	for i := range s.listed {
		what := nameKind(i + 1)
		if err := s.mergeParts(what, now); err != nil {
			return err
		}
		if err := s.sumUp(what, now); err != nil {
			return err
		}
	}
	return nil
}

// mergeParts makes one part of the several of each step that is over.
func (s *store) mergeParts(what nameKind, now time.Time) error {
	for _, step := range steps {
		var starts []int64
		var start int64
		err := s.each(context.Background(), `SELECT DISTINCT start FROM lists WHERE what = ? AND step = ? AND start >= ? AND start < ? AND part > 0`,
			[]any{&start}, func() { starts = append(starts, start) }, int64(what), step.long, startOf(now.Add(-minutesListed), step.long), now.Unix()-minute)
		if err != nil {
			return err
		}
		for _, start := range starts {
			err := s.transaction(func() error { return s.mergeStep(what, step.long, start) })
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// mergeStep makes one part of the several of a step.
func (s *store) mergeStep(what nameKind, step, start int64) error {
	list, err := s.sumOf(what, step, start, start+1)
	if err != nil {
		return err
	}
	if err := s.exec(`DELETE FROM lists WHERE what = ? AND step = ? AND start = ?`, int64(what), step, start); err != nil {
		return err
	}
	list.cut(what, s.listLong(step))
	return s.putList(what, step, start, 0, list.append(nil))
}

// listLong is how long the lists of a step may get, in bytes.
func (s *store) listLong(step int64) int {
	switch step {
	case minute:
		return s.listBytes / 4
	case hour:
		return s.listBytes
	case monthLong:
		return 8 * s.listBytes
	}
	return 2 * s.listBytes
}

// sumOf adds up the lists of a step that begin in a span.
func (s *store) sumOf(what nameKind, step, since, until int64) (nameList, error) {
	sum := make(nameList)
	var list []byte
	err := s.each(context.Background(), `SELECT list FROM lists WHERE what = ? AND step = ? AND start >= ? AND start < ?`,
		[]any{&list}, func() { sum.read(list) }, int64(what), step, since, until)
	return sum, err
}

// sumUp makes the lists of each step of those of the one before, for what is over.
func (s *store) sumUp(what nameKind, now time.Time) error {
	from := int64(minute)
	for n, step := range steps[1:] {
		if !what.has(step.long) {
			continue
		}
		made := &s.listed[what-1][n+1]
		if err := s.sumUpStep(what, from, step.long, startOf(now, step.long), now.Location(), made); err != nil {
			return err
		}
		from = step.long
	}
	return nil
}

// sumUpStep adds the lists of one step up to those of the next, for all of these that are over and not made yet. It
// moves made behind each.
func (s *store) sumUpStep(what nameKind, from, to, over int64, zone *time.Location, made *int64) error {
	for {
		var first sql.NullInt64
		err := s.each(context.Background(), `SELECT min(start) FROM lists WHERE what = ? AND step = ? AND start >= ?`, []any{&first}, func() {}, int64(what), from, *made)
		if err != nil || !first.Valid {
			return err
		}
		start := startOf(time.Unix(first.Int64, 0).In(zone), to)
		end := endOf(start, to, zone)
		if end > over {
			return nil
		}
		list, err := s.sumOf(what, from, first.Int64, end)
		if err != nil {
			return err
		}
		list.cut(what, s.listLong(to))
		if err := s.putList(what, to, start, 0, list.append(nil)); err != nil {
			return err
		}
		*made = end
	}
}

// makeMonths makes the lists of months of those of days, of a file that has none.
func (s *store) makeMonths(now time.Time) error {
	days, err := s.number(`SELECT count(*) FROM lists WHERE step = ?`, int64(dayLong))
	if err = errors.Join(err, s.loadListed(now.Location())); err != nil || days == 0 {
		return err
	}
	for what := nameKind(1); what <= nameKinds; what++ {
		if err := s.sumUp(what, now); err != nil {
			return err
		}
		if s.progress != nil {
			s.progress("months", int64(what), nameKinds)
		}
	}
	return nil
}

// followZone makes the lists of days and months anew that begin at no midnight of a zone, and at none of a first day, since the
// file was written in another one. Days are made of hours, but where names of old hours were left out days stay as they are.
func (s *store) followZone(now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.tellPast()
	for i := range s.listed {
		before := s.listed[i]
		if err := s.followZoneOf(nameKind(i+1), now); err != nil {
			s.listed[i] = before
			return err
		}
	}
	return nil
}

func (s *store) followZoneOf(what nameKind, now time.Time) error {
	const day, month = len(steps) - 2, len(steps) - 1
	since := int64(2 * dayLong) // what begins before is of unknown days
	if what.isCut() {
		since = now.Add(-hoursListed).Unix()
	}
	firstDay, err := s.firstOutside(what, dayLong, since, now.Location())
	firstMonth, wrong := s.firstOutside(what, monthLong, begun, now.Location())
	if err = errors.Join(err, wrong); err != nil || min(firstDay, firstMonth) == math.MaxInt64 {
		return err
	}
	made := &s.listed[what-1]
	made[day], made[month] = min(made[day], firstDay), begun
	err = s.transaction(func() error {
		const remade = `DELETE FROM lists WHERE what = ? AND step = ? AND start >= ?`
		err := errors.Join(s.exec(remade, int64(what), int64(dayLong), firstDay), s.exec(remade, int64(what), int64(monthLong), int64(begun)))
		if err != nil {
			return err
		}
		return s.sumUp(what, now)
	})
	if s.past != nil {
		s.past.forget()
	}
	return err
}

// firstOutside returns the first list of a step, from a time on, that does not begin where a step of a zone does.
func (s *store) firstOutside(what nameKind, step, since int64, zone *time.Location) (first int64, err error) {
	var start int64
	first = math.MaxInt64
	err = s.each(context.Background(), `SELECT DISTINCT start FROM lists WHERE what = ? AND step = ? AND start >= ?`, []any{&start}, func() {
		if startOf(time.Unix(start, 0).In(zone), step) != start {
			first = min(first, start)
		}
	}, int64(what), step, since)
	return first, err
}
