package history

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	sqlitelib "modernc.org/sqlite/lib"

	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/private"
)

// A damaged file is replaced so that a crash at any point leaves either the damaged file in its
// place or the finished new one beside it:
//
//  1. a new file PATH.new takes what can be read of the damaged one;
//  2. the damaged file is renamed to PATH.damaged-TIME;
//  3. the new file is renamed to PATH.
const newSuffix = ".new"

// keepDamaged is how many damaged files are kept; the oldest are deleted.
const keepDamaged = 3

// salvageBudget bounds how long events are carried over. The rest stays in the damaged file.
const salvageBudget = time.Minute

// finishReplacement completes step 3 if a crash came before it.
func finishReplacement(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := os.Stat(path + newSuffix); err != nil {
		return nil //nolint:nilerr // there is nothing to complete
	}
	for _, of := range []string{path + "-wal", path + "-shm"} {
		if err := os.Remove(of); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return rename(path+newSuffix, path)
}

// replace makes a new file of what is readable in the damaged one and of what is known besides,
// sets the damaged one aside and opens the new one. The damaged file must not be open.
func (h *History) replace(known summary, cause error) (*store, summary, error) {
	path := h.options.Path
	aside := path + ".damaged-" + h.options.Now().UTC().Format("20060102T150405.000Z")
	h.log.Error("the history is damaged; what can be read of it is carried over to a new file",
		"file", path, "error", cause, "kept as", aside)
	fresh := path + newSuffix
	clear := func() error { return removeAll(fresh, fresh+"-wal", fresh+"-shm", fresh+"-journal") }
	if err := clear(); err != nil {
		return nil, known, fmt.Errorf("cannot replace the damaged history: %w", err)
	}
	to, err := openStore(fresh, h.now(), listBytes(h.options.MaxBytes))
	if err != nil {
		return nil, known, fmt.Errorf("cannot replace the damaged history: %w", errors.Join(err, clear()))
	}
	events, err := salvage(path, to, known, h.now(), time.Now().Add(salvageBudget))
	if err == nil {
		err = to.emptyWAL()
	}
	if err = errors.Join(err, to.close()); err != nil { // half a file would only take the room that there is
		return nil, known, fmt.Errorf("cannot replace the damaged history: %w", errors.Join(err, clear()))
	}
	// What is acknowledged from now on is in the new file, so it must have its name after a power cut.
	for _, move := range [][2]string{{path, aside}, {path + "-wal", aside + "-wal"}, {path + "-shm", aside + "-shm"}, {fresh, path}} {
		if err := rename(move[0], move[1]); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, known, fmt.Errorf("cannot set the damaged history aside: %w", err)
		}
	}
	h.forgetDamaged()
	opened, err := openStore(path, h.now(), listBytes(h.options.MaxBytes))
	if err != nil {
		return nil, known, err
	}
	if known, err = opened.load(); err != nil {
		return nil, known, errors.Join(err, opened.close())
	}
	h.log.Warn("the history goes on in a new file", "file", path, "events carried over", events,
		"agents", len(known.agents), "damaged file", aside)
	return opened, known, nil
}

// emptyWAL moves everything from the WAL to the file itself, which alone gets another name. To close a file does the
// same, but does not say when there was no room for it.
func (s *store) emptyWAL() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var busy, pages, moved int64
	err := s.each(context.Background(), "PRAGMA wal_checkpoint(TRUNCATE)", []any{&busy, &pages, &moved}, func() {})
	if err == nil && busy != 0 {
		err = errors.New("another process reads the new file")
	}
	return err
}

// rename renames a file within its folder, durably.
func rename(from, to string) error {
	return private.Dir(filepath.Dir(from)).Rename(filepath.Base(from), filepath.Base(to))
}

// forgetDamaged deletes all but the newest damaged files.
func (h *History) forgetDamaged() {
	asides, _ := filepath.Glob(globQuote(h.options.Path) + ".damaged-*Z")
	slices.Sort(asides)
	for _, old := range asides[:max(0, len(asides)-keepDamaged)] {
		h.log.Warn("deleting an old damaged history", "file", old)
		_ = errors.Join(os.Remove(old), os.Remove(old+"-wal"), os.Remove(old+"-shm"))
	}
}

// globQuote makes a pattern that matches the path itself.
func globQuote(path string) string {
	var quoted []byte
	for i := range len(path) {
		if slices.Contains([]byte(`*?[\`), path[i]) {
			quoted = append(quoted, '\\')
		}
		quoted = append(quoted, path[i])
	}
	return string(quoted)
}

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
			if err := errors.Join(copyTable(from, to, "rollups"), copyTable(from, to, "named")); err != nil {
				return err
			}
		}
		return errors.Join(to.reroll(now), to.exec(storedTable), found.lists(openErr, from, to, now))
	})
	return found.copied, err
}

// lists carries the lists of names over if all of them can be read. Else they are made of the events.
func (s *salvaged) lists(openErr error, from, to *store, now time.Time) error {
	if openErr == nil {
		var what, step, start, part int64
		var list []byte
		var writeErr error
		readErr := from.each(context.Background(), `SELECT what, step, start, part, list FROM lists`,
			[]any{&what, &step, &start, &part, &list}, func() {
				if writeErr == nil {
					writeErr = to.putList(nameKind(what), step, start, part, list)
				}
			})
		if readErr == nil || writeErr != nil {
			return errors.Join(writeErr, to.loadListed(now.Location()))
		}
	}
	return to.fillLists(now)
}

// salvaged is what was found in a damaged file.
type salvaged struct {
	known  summary
	names  map[int64]string // agents by id
	ids    map[string]int64
	marks  map[stream]mark
	days   map[dayRoute]Sum
	taken  map[route]uint64 // attempts, by corrections
	agents map[string]agent
	copied int // events
	last   int64

	// What the events say, for want of a mark or total of their own: a mark or total that can
	// be read is better evidence than events of which one may have a flipped bit.
	lastSeen map[stream]mark
	sumSeen  map[route]Sum
}

func newSalvaged(known summary) *salvaged {
	s := &salvaged{
		known: known, names: make(map[int64]string), ids: make(map[string]int64), marks: make(map[stream]mark),
		days: make(map[dayRoute]Sum), taken: make(map[route]uint64), agents: make(map[string]agent),
		lastSeen: make(map[stream]mark), sumSeen: make(map[route]Sum),
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
				at := dayRoute{int(day), route{name, attack.StoredKind(kind), test != 0}}
				s.days[at] = s.days[at].plus(sum)
				if attempts < 0 && attempts > -maxDay {
					s.taken[at.route] += uint64(-attempts)
				}
			}
		})
}

func plausibleTotal(day, kind int64, sum Sum) bool {
	return day >= 0 && day < 1e8 && attack.StoredKind(kind).Valid() &&
		sum.Events <= maxDay && sum.Attempts <= maxDay
}

// eventColumns are the columns of an event in the order in which they are copied.
const eventColumns = `id, agent, epoch, sequence, arrived, logged, observed, kind, severity, test, count,
	rule, source, host, port, user, log, detail, machine`

// events copies the events that can be read, from the oldest on. Behind an unreadable page it
// tries again at twice the distance each time.
func (s *salvaged) events(from, to *store, deadline time.Time) error {
	const chunk = 500
	columns := eventColumns
	if n, err := from.number(`SELECT count(*) FROM pragma_table_info('events') WHERE name = 'machine'`); err == nil && n == 0 {
		columns = strings.TrimSuffix(columns, "machine") + "NULL"
	}
	var row [19]any
	targets := make([]any, len(row))
	for i := range row {
		targets[i] = &row[i]
	}
	insert := `INSERT OR IGNORE INTO events (` + eventColumns + `) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`
	after, skip := int64(0), int64(1)
	for time.Now().Before(deadline) && skip < 1<<40 {
		read := 0
		var writeErr error
		readErr := from.each(context.Background(), `SELECT `+columns+` FROM events WHERE id > ? ORDER BY id LIMIT ?`, targets, func() {
			id, ok := row[0].(int64)
			if !ok || writeErr != nil {
				return
			}
			read, after = read+1, max(after, id)
			if !s.admit(&row) {
				return
			}
			// The new tables are STRICT, so a value whose type damage changed is refused.
			if err := to.exec(insert, row[:]...); err == nil {
				s.copied++
				s.last = max(s.last, id)
			} else if resultCode(err) != sqlitelib.SQLITE_CONSTRAINT {
				writeErr = err
			}
		}, after, chunk)
		switch {
		case writeErr != nil:
			return writeErr
		case readErr == nil && read < chunk:
			return nil
		case readErr == nil:
			skip = 1
		default:
			after, skip = after+skip, 2*skip
		}
	}
	return nil
}

// admit takes note of an event's number and count, and says whether its row can be kept.
func (s *salvaged) admit(row *[19]any) bool {
	id, _ := row[1].(int64)
	epoch, isEpoch := row[2].(int64)
	sequence, _ := row[3].(int64)
	kind, _ := row[7].(int64)
	test, isTest := row[9].(int64)
	count, isCount := row[10].(int64)
	name, ok := s.names[id]
	if detail, _ := row[17].([]byte); ok && sequence == 0 && len(detail) > 0 && detail[0] == correctionDetail {
		return true
	}
	if !ok || !isEpoch || !isTest || !isCount || sequence <= 0 || sequence > MaxSequence ||
		!attack.StoredKind(kind).Valid() || count < 0 || count > attack.MaxCount {
		return false
	}
	at := stream{name, uint64(epoch)}
	if m, ok := s.marks[at]; ok && uint64(sequence) > m.committed {
		return false
	}
	if _, ok := s.lastSeen[at]; ok || len(s.lastSeen) < MaxAgents*maxEpochs {
		s.lastSeen[at] = mark{committed: max(s.lastSeen[at].committed, uint64(sequence))}
	}
	to := route{name, attack.StoredKind(kind), test != 0}
	s.sumSeen[to] = s.sumSeen[to].plus(Sum{Events: 1, Attempts: uint64(count)})
	return true
}

// write puts the small tables into the new file: of each mark and total the highest that the
// damaged file, its events or the other source say. What days cannot account for goes to day 0.
func (s *salvaged) write(to *store) error {
	all := summary{agents: s.agents, marks: s.marks, totals: make(map[route]Sum), last: s.last}
	for at, sum := range s.days {
		all.totals[at.route] = all.totals[at.route].plus(sum)
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
			unknown := dayRoute{0, at}
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
		if err := to.addTotal(dayRoute{0, at}, id(at.agent), 0, -int64(attempts)); err != nil {
			return err
		}
	}
	return nil
}
