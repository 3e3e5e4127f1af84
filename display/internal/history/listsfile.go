package history

import (
	"context"
	"database/sql"
	"strings"
	"time"
)

// putLists adds what a transaction collected to the file. What arrived within an hour or a day whose
// list is made already is added to that, too.
func (s *store) putLists(n *naming, zone *time.Location, part int64) error {
	for at, lists := range n.minutes {
		for i, list := range lists {
			if len(list) == 0 {
				continue
			}
			what := nameKind(i + 1)
			list.cut(what, s.listBytes/4)
			if err := s.putArrived(what, time.Unix(at, 0).In(zone), part, list); err != nil {
				return err
			}
		}
	}
	return nil
}

// putArrived adds to the list of a minute, and to the longer ones that are made already.
func (s *store) putArrived(what nameKind, at time.Time, part int64, list nameList) error {
	s.text = list.append(s.text[:0])
	for n, step := range steps {
		start := startOf(at, step.long)
		if !what.has(step.long) || n > 0 && start >= s.listed[what-1][n] {
			continue
		}
		if err := s.putList(what, step.long, start, part, s.text); err != nil {
			return err
		}
	}
	return nil
}

func (s *store) putList(what nameKind, step, start, part int64, list []byte) error {
	s.changePast(what, step, start)
	return s.exec(`INSERT INTO lists (what, step, start, part, list) VALUES (?,?,?,?,?)
		ON CONFLICT DO UPDATE SET list = CAST(list || excluded.list AS BLOB)`, int64(what), step, start, part, list)
}

func readListed(ctx context.Context, tx querier, what nameKind, zone *time.Location) (l listed, err error) {
	const last = `(SELECT max(start) FROM lists WHERE what = ? AND step = ?)`
	var starts [len(steps)]sql.NullInt64
	var targets, args []any
	for n, step := range steps {
		targets, args = append(targets, &starts[n]), append(args, int64(what), step.long)
	}
	err = each(ctx, tx, `SELECT `+strings.Repeat(last+", ", len(steps)-1)+last, targets, func() {}, args...)
	for n, step := range steps {
		if l[n] = begun; starts[n].Valid {
			l[n] = endOf(starts[n].Int64, step.long, zone)
		}
	}
	return l, err
}

func (s *store) loadListed(zone *time.Location) error {
	for i := range s.listed {
		l, err := readListed(context.Background(), s.conn, nameKind(i+1), zone)
		if err != nil {
			return err
		}
		s.listed[i] = l
	}
	return nil
}

// tellPast lets go of the sums of lists that have changed. Call it once the change is committed.
func (s *store) tellPast() {
	switch {
	case s.past == nil || len(s.pastChanged) == 0:
	case len(s.pastChanged) < mostChanged:
		s.past.change(s.pastChanged)
	default:
		s.past.forget()
	}
	s.pastChanged = nil
}

// mostChanged is from how many changed lists on nothing of the past is kept.
const mostChanged = 1000

// changePast notes that a list is another one now.
func (s *store) changePast(what nameKind, step, start int64) {
	if step >= hour && len(s.pastChanged) < mostChanged {
		s.pastChanged = append(s.pastChanged, listPart{what, stretch{step, start, start}})
	}
}

// forgetLists deletes lists of steps that are older than these are kept, and cuts names of old hours.
func (s *store) forgetLists(now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.tellPast()
	for i := range s.listed {
		what := nameKind(i + 1)
		for n, step := range steps {
			if step.kept == 0 || !what.has(step.long) {
				continue
			}
			longer := n + 1 // what it is summed up to
			if !what.has(steps[longer].long) {
				longer++
			}
			if err := s.exec(`DELETE FROM lists WHERE what = ? AND step = ? AND start < ?`, int64(what), step.long,
				min(now.Add(-step.kept).Unix(), s.listed[i][longer])); err != nil {
				return err
			}
		}
		if !what.isCut() {
			continue
		}
		err := s.rewriteLists(`what = ? AND step = ? AND start < ? AND part >= 0`, func(list nameList) (int64, bool) {
			list.cut(what, s.listBytes/8)
			return -1, true
		}, int64(what), int64(hour), now.Add(-hoursListed).Unix())
		if err != nil {
			return err
		}
	}
	return nil
}

// rewriteLists changes the lists that a condition chooses. change says what part a list is then, and
// whether it changed at all.
func (s *store) rewriteLists(condition string, change func(nameList) (part int64, changed bool), args ...any) error {
	type key struct{ what, step, start, part int64 }
	var keys []key
	var k key
	err := s.each(context.Background(), `SELECT what, step, start, part FROM lists WHERE `+condition,
		[]any{&k.what, &k.step, &k.start, &k.part}, func() { keys = append(keys, k) }, args...)
	for _, k := range keys {
		if err != nil {
			return err
		}
		list, text := make(nameList), []byte(nil)
		const where = ` WHERE what = ? AND step = ? AND start = ? AND part = ?`
		err = s.each(context.Background(), `SELECT list FROM lists`+where, []any{&text}, func() { list.read(text) }, k.what, k.step, k.start, k.part)
		if err != nil {
			return err
		}
		part, changed := change(list)
		if !changed {
			continue
		}
		s.changePast(nameKind(k.what), k.step, k.start)
		if err = s.exec(`DELETE FROM lists`+where, k.what, k.step, k.start, k.part); err == nil && len(list) > 0 {
			err = s.putList(nameKind(k.what), k.step, k.start, part, list.append(nil))
		}
	}
	return err
}

// forgetListsOf takes an agent out of all lists.
func (s *store) forgetListsOf(agent int64) error {
	return s.rewriteLists(`TRUE`, func(list nameList) (part int64, changed bool) {
		for g := range list {
			if g.agent == agent {
				delete(list, g)
				changed = true
			}
		}
		return 0, changed
	})
}

// renameKind counts a kind as another one in all lists.
func (s *store) renameKind(old, now int64) error {
	return s.rewriteLists(`TRUE`, func(list nameList) (part int64, changed bool) {
		for g, n := range list {
			if g.kind&^testKind != old {
				continue
			}
			delete(list, g)
			to := list.of(group{g.agent, now | g.kind&testKind})
			for _, e := range n.entries {
				to.add(e.name, e.Sum)
			}
			changed = true
		}
		return 0, changed
	})
}

// coarsenLists leaves only networks of the addresses in lists of a span, as [store.coarsen] does of events. A month
// that the span reaches into may have been made since, of days of before.
func (s *store) coarsenLists(since, until int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.tellPast()
	return s.transaction(func() error {
		return s.rewriteLists(`what IN (1, 2) AND start >= iif(step = ?, ?, ?) AND start < ?`, func(list nameList) (part int64, changed bool) {
			for g, n := range list {
				coarse := new(names)
				for _, e := range n.entries {
					name := coarseName(e.name)
					changed = changed || name != e.name
					coarse.add(name, e.Sum)
				}
				list[g] = coarse
			}
			return 0, changed
		}, int64(monthLong), since-2*monthLong, since, until)
	})
}
