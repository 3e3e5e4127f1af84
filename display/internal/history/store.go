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

	"modernc.org/sqlite"
	sqlitelib "modernc.org/sqlite/lib"

	"github.com/pialert/pialert/pkg/attack"
)

// version is written to the file as its user_version. A program refuses a file of a later one.
const version = 1

// schema holds the tables. Numbers that are uint64 in Go are kept as int64 with the same bits.
// Times are nanoseconds since 1970, what an attacker wrote is a BLOB, and what is absent is
// NULL. The ids of events rise in the order of arrival, so nothing needs an index beside them.
const schema = `
CREATE TABLE IF NOT EXISTS agents (
	id               INTEGER PRIMARY KEY,
	name             TEXT NOT NULL UNIQUE,
	heard            INTEGER,
	dropped_events   INTEGER NOT NULL,
	dropped_attempts INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS marks (
	agent     INTEGER NOT NULL,
	epoch     INTEGER NOT NULL,
	committed INTEGER NOT NULL,
	ordinal   INTEGER NOT NULL,
	PRIMARY KEY (agent, epoch)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS totals (
	day      INTEGER NOT NULL, -- 20261120; 0 is a day that damage made unknown
	agent    INTEGER NOT NULL,
	kind     INTEGER NOT NULL,
	test     INTEGER NOT NULL,
	events   INTEGER NOT NULL,
	attempts INTEGER NOT NULL,
	PRIMARY KEY (day, agent, kind, test)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (
	id       INTEGER PRIMARY KEY,
	agent    INTEGER NOT NULL,
	epoch    INTEGER NOT NULL,
	sequence INTEGER NOT NULL,
	arrived  INTEGER NOT NULL,
	logged   INTEGER,
	observed INTEGER NOT NULL,
	kind     INTEGER NOT NULL,
	severity INTEGER NOT NULL,
	test     INTEGER NOT NULL,
	count    INTEGER NOT NULL,
	rule     BLOB,
	source   BLOB,
	host     BLOB,
	port     INTEGER,
	user     BLOB,
	log      BLOB,
	detail   BLOB
) STRICT;`

// pragmas, in an order that matters: exclusive locking before WAL keeps the WAL's index in
// memory (https://sqlite.org/wal.html#noshm), so that a full disk can still be read, and keeps
// a second process out. Automatic vacuum must be chosen before the first page is written, and
// would write to a file that has some, which may stand on a full disk.
var pragmas = [...]string{
	"busy_timeout=1000",
	"locking_mode=EXCLUSIVE",
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

// store is one open SQLite file and the one connection to it.
type store struct {
	mu     sync.Mutex // held for each use of conn
	db     *sql.DB
	conn   *sql.Conn
	insert *sql.Stmt
}

// openStore opens or creates the file and its tables.
func openStore(path string) (*store, error) {
	if err := finishReplacement(path); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, err
	}
	s, err := connect(path)
	if err != nil {
		return nil, err
	}
	if err := s.prepare(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// connect opens the file as it is.
func connect(path string) (*store, error) {
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath())
	if err != nil {
		return nil, err
	}
	conn, err := db.Conn(context.Background())
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &store{db: db, conn: conn}, nil
}

func (s *store) prepare() error {
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
	switch {
	case found > version:
		return fmt.Errorf("a later version of this program made it (format %d, this program knows %d); install that version", found, version)
	case found < version:
		if err := s.exec(fmt.Sprintf("BEGIN; %s PRAGMA user_version=%d; COMMIT", schema, version)); err != nil {
			return err
		}
	}
	s.insert, err = s.conn.PrepareContext(context.Background(), `INSERT INTO events
		(agent, epoch, sequence, arrived, logged, observed, kind, severity, test, count, rule, source, host, port, user, log, detail)
		VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`)
	return err
}

// close closes the file; SQLite empties and removes the WAL then.
func (s *store) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	if s.insert != nil {
		err = s.insert.Close()
	}
	return errors.Join(err, s.conn.Close(), s.db.Close())
}

// number returns the one number that a query yields.
func (s *store) number(query string, args ...any) (int64, error) {
	var n sql.NullInt64
	err := s.conn.QueryRowContext(context.Background(), query, args...).Scan(&n)
	return n.Int64, err
}

// errDamaged is wrapped by what a check of the file finds.
var errDamaged = errors.New("the file is damaged")

// isDamage says whether an error means that the file's content cannot be trusted, rather than
// that the disk is full or the file forbidden.
func isDamage(err error) bool {
	if errors.Is(err, errDamaged) {
		return true
	}
	switch resultCode(err) {
	case sqlitelib.SQLITE_CORRUPT, sqlitelib.SQLITE_NOTADB:
		return true
	}
	return false
}

// resultCode returns SQLite's primary result code (https://sqlite.org/rescode.html), or 0.
func resultCode(err error) int {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return 0
	}
	return e.Code() & 0xff
}

// advice says what a person can do about an error.
func advice(err error) string {
	switch resultCode(err) {
	case sqlitelib.SQLITE_FULL:
		return "free space on the file system"
	case sqlitelib.SQLITE_BUSY, sqlitelib.SQLITE_LOCKED:
		return "end the other process that uses the file"
	case sqlitelib.SQLITE_READONLY, sqlitelib.SQLITE_PERM, sqlitelib.SQLITE_CANTOPEN:
		return "let the program's user write the file and its folder"
	default:
		return "look at the kernel's log for errors of the disk"
	}
}

// checkBudget bounds the time that a check of the events takes: a large file on a memory card
// would keep the lights dark for minutes. Damage that it does not reach is met later.
const checkBudget = 5 * time.Second

// check looks for damage: in the small tables always, in the events as far as the budget goes.
func (s *store) check(budget time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, table := range []string{"agents", "marks", "totals"} {
		if err := s.quickCheck(context.Background(), table); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), budget)
	defer cancel()
	err := s.quickCheck(ctx, "events")
	if ctx.Err() != nil && !isDamage(err) {
		return nil
	}
	return err
}

func (s *store) quickCheck(ctx context.Context, table string) error {
	var found string
	if err := s.conn.QueryRowContext(ctx, "PRAGMA quick_check("+table+")").Scan(&found); err != nil {
		return err
	}
	if found != "ok" {
		return fmt.Errorf("%w: %s", errDamaged, found)
	}
	return nil
}

// load reads the summary.
func (s *store) load() (summary, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := newSummary()
	err := s.loadInto(known)
	return known, err
}

// loadInto reads as much of the summary as can be read; the error says if that was not all.
func (s *store) loadInto(known summary) error {
	ctx := context.Background()
	names := make(map[int64]string)
	var id, epoch, test, kind int64
	var heard sql.NullInt64
	var dropped, sum Sum
	var name string
	var m mark
	return errors.Join(
		s.each(ctx, `SELECT id, name, heard, dropped_events, dropped_attempts FROM agents`,
			[]any{&id, &name, &heard, &dropped.Events, &dropped.Attempts}, func() {
				a := agent{id: id, dropped: dropped}
				if heard.Valid {
					a.heard = time.Unix(0, heard.Int64)
				}
				known.agents[name], names[id] = a, name
			}),
		s.each(ctx, `SELECT agent, epoch, committed, ordinal FROM marks`,
			[]any{&id, &epoch, &m.committed, &m.ordinal}, func() {
				if name, ok := names[id]; ok {
					known.marks[stream{name, uint64(epoch)}] = m
				}
			}),
		s.each(ctx, `SELECT agent, kind, test, sum(events), sum(attempts) FROM totals GROUP BY agent, kind, test`,
			[]any{&id, &kind, &test, &sum.Events, &sum.Attempts}, func() {
				if name, ok := names[id]; ok {
					known.totals[route{name, attack.Kind(kind), test != 0}] = sum
				}
			}),
	)
}

// each runs a query and calls row for each of its rows, scanned into the targets.
func (s *store) each(ctx context.Context, query string, targets []any, row func(), args ...any) error {
	rows, err := s.conn.QueryContext(ctx, query, args...)
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
