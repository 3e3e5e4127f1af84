package history

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// pragmas, in an order that matters. Automatic vacuum must be chosen before the first page is
// written, and would write to a file that has some, which may stand on a full disk.
var pragmas = [...]string{
	"busy_timeout=1000",
	autoVacuum,
	"journal_mode=WAL",
	"synchronous=FULL",
	"journal_size_limit=4194304",
	"cache_size=-1024",
	"temp_store=MEMORY",
	"trusted_schema=OFF",
	"cell_size_check=ON",
}

const autoVacuum = "auto_vacuum=INCREMENTAL"

// alone is the pragma of a connection that nobody can read beside: set before WAL, it keeps the
// WAL's index in memory instead of in a file (https://sqlite.org/wal.html#noshm), so that a disk
// that is full at the start can still be read.
const alone = "locking_mode=EXCLUSIVE"

// store is one open SQLite file: the one connection that writes, and those that read beside it.
type store struct {
	networksOnly bool       // see Options
	listBytes    int        // how long a list of an hour's names may get
	mu           sync.Mutex // held for each use of conn
	db           *sql.DB
	conn         *sql.Conn
	insert       *sql.Stmt
	closed       bool
	path         string
	oldest       map[int64]int64 // by agent: no event of its has a lower id
	listed       [nameKinds]listed
	latest       int64 // arrival of an event, 0 if unknown; no event arrived later

	readers *sql.DB      // nil if there is no room for them: then conn reads, too
	reading sync.RWMutex // held by who reads; to close, by the closing one
	ctx     context.Context
	abandon context.CancelFunc // ends what is being read
}

// openStore opens or creates the file and its tables. now, in the history's zone, is when a file of
// an earlier version is upgraded; lists of names take so many bytes.
func openStore(path string, now time.Time, lists int) (*store, error) {
	if err := finishReplacement(path); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, err
	}
	s, err := openWith(path, now, lists, pragmas[:])
	if noRoom(err) {
		return openWith(path, now, lists, append([]string{pragmas[0], alone}, pragmas[1:]...))
	}
	if err != nil {
		return nil, err
	}
	if s.readers, err = openReaders(path); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func openWith(path string, now time.Time, lists int, pragmas []string) (*store, error) {
	s, err := connect(path)
	if err != nil {
		return nil, err
	}
	s.listBytes = lists
	if err := s.prepare(pragmas, now); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// dsn names the file to the driver.
func dsn(path string, parameters url.Values) string {
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: parameters.Encode()}).String()
}

// connect opens the file as it is, to write.
func connect(path string) (*store, error) {
	db, err := sql.Open("sqlite", dsn(path, url.Values{"_txlock": {"immediate"}}))
	if err != nil {
		return nil, err
	}
	conn, err := db.Conn(context.Background())
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s := &store{db: db, conn: conn, path: path, oldest: make(map[int64]int64)}
	s.ctx, s.abandon = context.WithCancel(context.Background())
	return s, nil
}

func (s *store) prepare(pragmas []string, now time.Time) error {
	for _, pragma := range pragmas {
		if pragma == autoVacuum {
			if pages, err := s.number("PRAGMA page_count"); err != nil || pages > 0 {
				continue // an error here is met again by the next pragma
			}
		}
		if err := s.exec("PRAGMA " + pragma); err != nil {
			return err
		}
	}
	found, err := s.number("PRAGMA user_version")
	if err != nil {
		return err
	}
	if found < 0 || found > version {
		return fmt.Errorf("a later version of this program made it (format %d, this program knows %d); install that version", found, version)
	}
	for v := found; v < version; v++ {
		err := s.transaction(func() error {
			err := s.exec(fmt.Sprintf("%s PRAGMA user_version=%d", upgrades[v], v+1))
			switch {
			case err == nil && v == 3:
				err = s.reroll(now)
			case err == nil && v == 6:
				err = s.fillLists(now)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	if err := errors.Join(s.nameKinds(), s.pruneMarks(), s.loadListed(now.Location())); err != nil {
		return err
	}
	s.insert, err = s.conn.PrepareContext(context.Background(), `INSERT INTO events
		(id, agent, epoch, sequence, arrived, logged, observed, kind, severity, test, count, rule, source, host, port, user, log, detail, machine)
		VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`)
	return err
}

// close ends what is being read and closes the file; SQLite empties and removes the WAL then.
func (s *store) close() error {
	s.abandon()
	s.reading.Lock()
	defer s.reading.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	var problems []error
	if s.readers != nil {
		problems = append(problems, s.readers.Close())
	}
	if s.insert != nil {
		problems = append(problems, s.insert.Close())
	}
	return errors.Join(append(problems, s.conn.Close(), s.db.Close())...)
}

// number returns the one number that a query yields.
func (s *store) number(query string, args ...any) (int64, error) {
	var n sql.NullInt64
	err := s.conn.QueryRowContext(context.Background(), query, args...).Scan(&n)
	return n.Int64, err
}

// load reads the summary.
func (s *store) load() (summary, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := newSummary()
	err := s.loadInto(&known)
	return known, err
}

// loadInto reads as much of the summary as can be read; the error says if that was not all.
func (s *store) loadInto(known *summary) error {
	ctx := context.Background()
	names := make(map[int64]string)
	var id, epoch, test, kind int64
	var heard sql.NullInt64
	var dropped, sum Sum
	var name string
	var m mark
	return errors.Join(
		s.each(ctx, `SELECT value FROM numbers WHERE name = 'last event'`, []any{&known.last}, func() {}),
		s.each(ctx, `SELECT id, name, heard, dropped_events, dropped_attempts FROM agents`,
			[]any{&id, &name, &heard, &dropped.Events, &dropped.Attempts}, func() {
				a := agent{id: id, dropped: dropped}
				if heard.Valid {
					a.heard = time.Unix(0, heard.Int64)
				}
				known.agents[name], names[id] = a, name
			}),
		s.each(ctx, `SELECT agent, epoch, committed, ordinal FROM (`+rankedMarks+`) WHERE age <= ?`,
			[]any{&id, &epoch, &m.committed, &m.ordinal}, func() {
				if name, ok := names[id]; ok {
					known.marks[stream{name, uint64(epoch)}] = m
				}
			}, maxEpochs),
		s.each(ctx, `SELECT agent, kind, test, sum(events), sum(attempts) FROM totals GROUP BY agent, kind, test`,
			[]any{&id, &kind, &test, &sum.Events, &sum.Attempts}, func() {
				if name, ok := names[id]; ok && attack.StoredKind(kind).Valid() {
					to := route{name, attack.StoredKind(kind), test != 0}
					known.totals[to] = known.totals[to].plus(sum)
				}
			}),
	)
}

// each runs a query and calls row for each of its rows, scanned into the targets.
func (s *store) each(ctx context.Context, query string, targets []any, row func(), args ...any) error {
	return each(ctx, s.conn, query, targets, row, args...)
}

// querier is a connection or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func each(ctx context.Context, from querier, query string, targets []any, row func(), args ...any) error {
	rows, err := from.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return err
		}
		row()
	}
	return rows.Err()
}
