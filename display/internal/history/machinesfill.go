package history

import (
	"context"
	"errors"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// takeRollups makes the lists of machines of the roll-ups of an earlier version, or of the events if there
// are none.
func (s *store) takeRollups(now time.Time) error {
	var step, start, test int64
	var at struct{ step, start int64 }
	var g group
	var key []byte
	var sum struct{ events, attempts int64 }
	list := make(nameList)
	var failed error
	flush := func() {
		if len(list) > 0 && failed == nil {
			s.text = list.append(s.text[:0])
			failed = s.putList(machineNames, at.step, at.start, 0, s.text)
		}
		clear(list)
	}
	err := s.each(context.Background(), `SELECT step, start, agent, kind, test, key, events, attempts FROM rollups ORDER BY step, start`,
		[]any{&step, &start, &g.agent, &g.kind, &test, &key, &sum.events, &sum.attempts}, func() {
			if step != at.step || start != at.start {
				flush()
				at.step, at.start = step, start
			}
			list.of(group{g.agent, g.kind | test*testKind}).addBytes(key, Sum{uint64(sum.events), uint64(sum.attempts)})
		})
	flush()
	if err = errors.Join(err, failed, s.exec(`DROP TABLE rollups`)); err != nil {
		return err
	}
	if at.step == 0 {
		return s.fillMachines(now)
	}
	return errors.Join(s.loadListed(now.Location()), s.settleDays(now), s.sumUp(machineNames, now))
}

// fillMachines makes the lists of machines that are not there of the events, and of totals whose events are gone.
// Lists that are there are better evidence, but those of days and months, which are made of hours.
func (s *store) fillMachines(now time.Time) error {
	if err := s.exec(`DELETE FROM lists WHERE what = ? AND step >= ?`, int64(machineNames), int64(dayLong)); err != nil {
		return err
	}
	f := filling{s: s, zone: now.Location()}
	for n := range f.steps {
		at := &f.steps[n]
		if at.list, at.there = make(nameList), make(map[int64]bool); steps[n].kept > 0 {
			at.since = now.Add(-steps[n].kept).Unix()
		}
		var start int64
		if err := s.each(context.Background(), `SELECT DISTINCT start FROM lists WHERE what = ? AND step = ?`,
			[]any{&start}, func() { at.there[start] = true }, int64(machineNames), steps[n].long); err != nil {
			return err
		}
	}
	var crowd crowd
	var arrived, agentID, kind, count, test int64
	var host, detail []byte
	at, err := s.eachEvent("agents and kinds")
	if err != nil {
		return err
	}
	err = s.each(context.Background(), `SELECT id, arrived/1000000000, agent, kind, count, test, machine, CASE kind WHEN ? THEN detail END
		FROM events WHERE sequence > 0 ORDER BY id`,
		[]any{&f.id, &arrived, &agentID, &kind, &count, &test, &host, &detail}, func() {
			at(f.id)
			known, _ := decodeDetail(detail)
			of := attack.StoredKind(kind)
			f.add(arrived, group{agentID, kind | test*testKind}, crowd.key(agentID, of, string(host), known), sumOfOne(of, uint64(count), known))
		}, int64(attack.Counter))
	if err = errors.Join(err, f.flush()); err != nil {
		return err
	}
	return errors.Join(s.loadListed(now.Location()), s.settleDays(now), s.sumUp(machineNames, now))
}

// filling makes lists of minutes, ten minutes and hours of events.
type filling struct {
	s      *store
	zone   *time.Location
	id     int64 // of the event
	failed error
	steps  [countedSteps]struct {
		list         nameList
		there        map[int64]bool // starts of which there are lists
		since        int64          // lists that begin before are not kept
		start, until int64          // of the list
	}
}

// add adds an event.
func (f *filling) add(arrived int64, g group, key string, sum Sum) {
	for n := range f.steps {
		at := &f.steps[n]
		if arrived < at.since {
			continue
		}
		if arrived < at.start || arrived >= at.until {
			f.put(n)
			at.start = startOf(time.Unix(arrived, 0).In(f.zone), steps[n].long)
			at.until = at.start + steps[n].long
		}
		if !at.there[at.start] {
			at.list.of(g).add(key, sum)
		}
	}
}

// put writes the list of a step.
func (f *filling) put(n int) {
	at := &f.steps[n]
	if len(at.list) > 0 && f.failed == nil {
		f.s.text = at.list.append(f.s.text[:0])
		f.failed = f.s.putList(machineNames, steps[n].long, at.start, f.id, f.s.text)
	}
	clear(at.list)
}

func (f *filling) flush() error {
	for n := range f.steps {
		f.put(n)
	}
	return f.failed
}

// settleDays makes the days add up to their totals: what is missing is counted at midnight, and so is, as a
// negative number, what they have too much: the total counts. What counters counted is not in the totals.
func (s *store) settleDays(now time.Time) error {
	zone := now.Location()
	days := map[int64]bool{}
	var day, start int64
	err := errors.Join(
		s.each(context.Background(), `SELECT DISTINCT day FROM totals`, []any{&day}, func() { days[day] = true }),
		s.each(context.Background(), `SELECT DISTINCT start FROM lists WHERE what = ?`, []any{&start}, func() { days[dayAt(start, zone)] = true }, int64(machineNames)))
	for day := range days {
		if err == nil {
			err = s.settleDay(day, now)
		}
	}
	return err
}

func (s *store) settleDay(day int64, now time.Time) error {
	ctx, zone := context.Background(), now.Location()
	missing := make(map[group]Sum)
	var g group
	var test int64
	var sum struct{ events, attempts int64 }
	err := s.each(ctx, `SELECT agent, kind, test, events, attempts FROM totals WHERE day = ?`,
		[]any{&g.agent, &g.kind, &test, &sum.events, &sum.attempts}, func() {
			missing[group{g.agent, g.kind | test*testKind}] = Sum{uint64(sum.events), uint64(sum.attempts)}
		}, day)
	begin := midnight(day, zone)
	span := Span{time.Unix(begin, 0), time.Unix(endOf(begin, dayLong, zone), 0)}
	var list []byte
	for _, part := range stretches(machineNames, span, hour, s.listed[machineNames-1], now) {
		err = errors.Join(err, s.each(ctx, `SELECT list FROM lists WHERE what = ? AND step = ? AND start >= ? AND start < ?`, []any{&list}, func() {
			eachName(list, nil, func(g group, _ []byte, sum Sum) {
				missing[g] = missing[g].with(Sum{-sum.Events, -sum.Attempts})
			})
		}, int64(machineNames), part.step, part.since, part.until))
	}
	late := make(nameList)
	for g, sum := range missing {
		if g.kind&^testKind == int64(attack.Counter) {
			sum.Attempts = 0
		}
		if sum != (Sum{}) {
			late.of(g).add("", sum)
		}
	}
	if err != nil || len(late) == 0 {
		return err
	}
	return s.putArrived(machineNames, time.Unix(begin, 0).In(zone), 0, late)
}
