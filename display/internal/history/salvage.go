package history

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// salvageBudget bounds how long events are carried over. The rest stays in the damaged file.
const salvageBudget = time.Minute

// salvage copies what can be read of the file at path to a new store, as well as what is known
// from elsewhere, and returns the number of events copied. It fails only if it cannot write.
func salvage(path string, to *store, known summary, now, deadline time.Time) (events int, err error) {
	to.mu.Lock()
	defer to.mu.Unlock()
	found := newSalvaged(known)
	from, openErr := connect(path)
	if openErr == nil {
		defer from.close()
		// Without this SQLite reads nothing of a file that is shorter than its header says
		// (lockBtree in its btree.c).
		_ = from.exec("PRAGMA writable_schema=ON")
		found.small(from)
	}
	err = to.transaction(func() error {
		if openErr == nil {
			if err := found.events(from, to, deadline); err != nil {
				return err
			}
			if err := copyOthers(from, to); err != nil {
				return err
			}
		}
		if err := found.write(to); err != nil {
			return err
		}
		if openErr == nil {
			if err := copyTable(from, to, "named"); err != nil {
				return err
			}
		}
		return errors.Join(to.exec(storedTable), found.lists(openErr, from, to, now))
	})
	return found.copied, err
}

// lists carries the lists of names over if all of them can be read, and those of machines as far as they can
// be. The others are made of the events.
func (s *salvaged) lists(openErr error, from, to *store, now time.Time) error {
	read := func(condition string) (readErr, writeErr error) {
		var what, step, start, part int64
		var list []byte
		readErr = from.each(context.Background(), `SELECT what, step, start, part, list FROM lists WHERE `+condition,
			[]any{&what, &step, &start, &part, &list}, func() {
				if writeErr == nil {
					writeErr = to.putList(nameKind(what), step, start, part, list)
				}
			})
		return readErr, writeErr
	}
	if openErr != nil {
		return errors.Join(to.fillNames(now), to.fillMachines(now))
	}
	readErr, writeErr := read(fmt.Sprintf("what < %d", machineNames))
	if writeErr == nil && readErr != nil {
		writeErr = to.fillNames(now)
	}
	if writeErr != nil {
		return writeErr
	}
	if n, err := from.number(`SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'rollups'`); err == nil && n > 0 { // before version 8
		return errors.Join(to.exec(rollupTable), copyTable(from, to, "rollups"), to.takeRollups(now), to.fillMachines(now))
	}
	for _, step := range steps {
		if readErr, writeErr = read(fmt.Sprintf("what = %d AND step = %d", machineNames, step.long)); writeErr != nil {
			return writeErr
		}
		if readErr != nil {
			return to.fillMachines(now)
		}
	}
	return errors.Join(to.loadListed(now.Location()), to.settleDays(now))
}

// salvaged is what was found in a damaged file.
type salvaged struct {
	known  summary
	names  map[int64]string // agents by id
	ids    map[string]int64
	marks  map[stream]mark
	days   map[dayKey]Sum
	taken  map[totalKey]uint64 // attempts, by corrections
	agents map[string]agent
	copied int // events
	last   int64

	// What the events say, for want of a mark or total of their own: a mark or total that can
	// be read is better evidence than events of which one may have a flipped bit.
	lastSeen map[stream]mark
	sumSeen  map[totalKey]Sum
}

func newSalvaged(known summary) *salvaged {
	s := &salvaged{
		known: known, names: make(map[int64]string), ids: make(map[string]int64), marks: make(map[stream]mark),
		days: make(map[dayKey]Sum), taken: make(map[totalKey]uint64), agents: make(map[string]agent),
		lastSeen: make(map[stream]mark), sumSeen: make(map[totalKey]Sum),
	}
	for name, a := range known.agents {
		s.meet(name, a.id)
	}
	return s
}

// meet notes an agent and its id unless damage made either impossible.
func (s *salvaged) meet(name string, id int64) {
	_, named := s.ids[name]
	_, numbered := s.names[id]
	if id > 0 && id < 1<<32 && name != "" && len(name) <= attack.MaxName && !named && !numbered && len(s.ids) < MaxAgents {
		s.ids[name], s.names[id] = id, name
	}
}

// small reads the small tables, each until its first unreadable page.
func (s *salvaged) small(from *store) {
	var id, epoch, day, kind, test int64
	var name string
	var heard *int64
	var m mark
	var attempts int64
	var dropped, sum Sum
	// The errors say what is known already: the file is damaged.
	var last int64
	_ = from.each(context.Background(), `SELECT value FROM numbers WHERE name = 'last event'`, []any{&last}, func() {
		if last < 1<<53 {
			s.last = max(s.last, last)
		}
	})
	_ = from.each(context.Background(), `SELECT id, name, heard, dropped_events, dropped_attempts FROM agents`,
		[]any{&id, &name, &heard, &dropped.Events, &dropped.Attempts}, func() {
			s.meet(name, id)
			if s.ids[name] == id {
				a := agent{dropped: dropped}
				if heard != nil {
					a.heard = time.Unix(0, *heard)
				}
				s.agents[name] = a
			}
		})
	_ = from.each(context.Background(), `SELECT agent, epoch, committed, ordinal FROM marks`,
		[]any{&id, &epoch, &m.committed, &m.ordinal}, func() {
			if name, ok := s.names[id]; ok && m.committed <= MaxSequence && m.ordinal >= 0 && m.ordinal < 1<<32 {
				s.marks[stream{name, uint64(epoch)}] = m
			}
		})
	_ = from.each(context.Background(), `SELECT day, agent, kind, test, events, attempts FROM totals`,
		[]any{&day, &id, &kind, &test, &sum.Events, &attempts}, func() {
			sum.Attempts = uint64(max(attempts, 0))
			if name, ok := s.names[id]; ok && plausibleTotal(day, kind, sum) {
				at := dayKey{int(day), totalKey{name, attack.StoredKind(kind), test != 0}}
				s.days[at] = s.days[at].plus(sum)
				if attempts < 0 && attempts > -maxDay {
					s.taken[at.totalKey] += uint64(-attempts)
				}
			}
		})
}

func plausibleTotal(day, kind int64, sum Sum) bool {
	return day >= 0 && day < 1e8 && attack.StoredKind(kind).Valid() &&
		sum.Events <= maxDay && sum.Attempts <= maxDay
}

// write puts the small tables into the new file: of each mark and total the highest that the
// damaged file, its events or the other source say. What days cannot account for goes to day 0.
func (s *salvaged) write(to *store) error {
	all := summary{agents: s.agents, marks: s.marks, totals: make(map[totalKey]Sum), last: s.last}
	for at, sum := range s.days {
		all.totals[at.totalKey] = all.totals[at.totalKey].plus(sum)
	}
	for at, attempts := range s.taken {
		all.totals[at] = all.totals[at].minus(Sum{Attempts: attempts})
	}
	byDay := maps.Clone(all.totals)
	for at, m := range s.lastSeen {
		if _, ok := all.marks[at]; !ok {
			all.marks[at] = m
		}
	}
	for at, sum := range s.sumSeen {
		if _, ok := byDay[at]; !ok {
			all.totals[at] = sum
		}
	}
	all = all.merge(s.known)
	for at, sum := range all.totals {
		if missing := sum.minus(byDay[at]); missing != (Sum{}) {
			unknown := dayKey{0, at}
			s.days[unknown] = s.days[unknown].plus(missing)
		}
	}
	next := int64(0)
	for id := range s.names {
		next = max(next, id)
	}
	id := func(name string) int64 {
		if _, ok := s.ids[name]; !ok {
			next++
			s.ids[name] = next
		}
		return s.ids[name]
	}
	for name := range s.ids {
		if _, ok := all.agents[name]; !ok {
			all.agents[name] = agent{}
		}
	}
	if err := to.putLast(all.last); err != nil {
		return err
	}
	for name, a := range all.agents {
		a.id = id(name)
		if err := to.putAgent(name, a); err != nil {
			return err
		}
	}
	for at, m := range all.marks {
		if err := to.putMark(at, id(at.agent), m); err != nil {
			return err
		}
	}
	for at, sum := range s.days {
		if err := to.addTotal(at, id(at.agent), int64(sum.Events), int64(sum.Attempts)); err != nil {
			return err
		}
	}
	for at, attempts := range s.taken {
		if err := to.addTotal(dayKey{0, at}, id(at.agent), 0, -int64(attempts)); err != nil {
			return err
		}
	}
	return nil
}
