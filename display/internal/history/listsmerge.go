package history

import (
	"context"
	"time"
)

// mergeLists makes one part of several, and the lists of hours and days that are over.
func (s *store) mergeLists(now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.listed {
		what := nameKind(i + 1)
		if err := s.mergeParts(what, now); err != nil {
			return err
		}
		if err := s.sumUp(what, minute, hour, now); err != nil {
			return err
		}
		if err := s.sumUp(what, hour, dayLong, now); err != nil {
			return err
		}
	}
	return nil
}

// mergeParts makes one part of the several of each step that is over.
func (s *store) mergeParts(what nameKind, now time.Time) error {
	for _, step := range []int64{minute, hour, dayLong} {
		var starts []int64
		var start int64
		err := s.each(context.Background(), `SELECT DISTINCT start FROM lists WHERE what = ? AND step = ? AND start >= ? AND start < ? AND part > 0`,
			[]any{&start}, func() { starts = append(starts, start) }, int64(what), step, now.Add(-minutesListed).Unix(), now.Unix()-minute)
		if err != nil {
			return err
		}
		for _, start := range starts {
			err := s.transaction(func() error { return s.mergeStep(what, step, start) })
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
	list.cut(s.listLong(step))
	return s.putList(what, step, start, 0, list.append(nil))
}

// listLong is how long the lists of a step may get, in bytes.
func (s *store) listLong(step int64) int {
	switch step {
	case minute:
		return s.listBytes / 4
	case hour:
		return s.listBytes
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

// sumUp makes the lists of a longer step of those of a shorter one, for what is over.
func (s *store) sumUp(what nameKind, from, to int64, now time.Time) error {
	zone := now.Location()
	at := &s.listed[what-1]
	begun, made := startOf(now, hour), &at.hours
	if to == dayLong {
		begun, made = min(startOfDay(now), at.hours), &at.days
	}
	for {
		first, err := s.number(`SELECT min(start) FROM lists WHERE what = ? AND step = ? AND start >= ?`, int64(what), from, *made)
		if err != nil || first == 0 {
			return err
		}
		begin := time.Unix(first, 0).In(zone)
		start, end := startOf(begin, hour), startOf(begin, hour)+hour
		if to == dayLong {
			start, end = startOfDay(begin), startOfDay(begin.AddDate(0, 0, 1))
		}
		if end > begun {
			return nil
		}
		list, err := s.sumOf(what, from, first, end)
		if err != nil {
			return err
		}
		list.cut(s.listLong(to))
		if err := s.putList(what, to, start, 0, list.append(nil)); err != nil {
			return err
		}
		*made = end
	}
}
