package history

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"sync"
)

// store is one open SQLite file: the one connection that writes, and those that read beside it.
type store struct {
	networksOnly bool       // see Options
	progress     Progress   // may be nil
	listBytes    int        // how long a list of an hour's names may get
	mu           sync.Mutex // held for each use of conn
	db           *sql.DB
	conn         *sql.Conn
	insert       *sql.Stmt
	closed       bool
	path         string
	file, wal    os.FileInfo     // which files they are, see inPlace; wal is nil without one
	oldest       map[int64]int64 // by agent: no event of its has a lower id
	listed       [nameKinds]listed
	past         *past      // what lists of hours and days add up to; nil is nobody's
	pastChanged  []listPart // since the past was told so
	text         []byte     // room for a list as it is written
	names        agentNames
	latest       int64 // arrival of an event, 0 if unknown; no event arrived later

	readers *sql.DB      // nil if there is no room for them: then conn reads, too
	reading sync.RWMutex // held by who reads; to close, by the closing one
	ctx     context.Context
	abandon context.CancelFunc // ends what is being read
}

// agentNames are the agents of a file by their ids, of which none ever gets another name.
type agentNames struct {
	mu   sync.Mutex
	last int64 // the highest id
	byID map[int64]string
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
	problems = append(problems, s.conn.Close(), s.db.Close())
	if errors.Is(s.inPlace(), errReplaced) {
		problems = append(problems, s.takeWAL())
	}
	return errors.Join(problems...)
}

// takeWAL removes the WAL of a file that is gone: SQLite leaves it, and would apply it to the file that is in its place.
func (s *store) takeWAL() error {
	now, err := os.Stat(s.path + "-wal")
	if err != nil || s.wal == nil || !os.SameFile(now, s.wal) {
		return nil //nolint:nilerr // there is none of ours
	}
	_ = os.Remove(s.path + "-shm") // it is made anew of the WAL
	return os.Remove(s.path + "-wal")
}

// number returns the one number that a query yields.
func (s *store) number(query string, args ...any) (int64, error) {
	var n sql.NullInt64
	err := s.conn.QueryRowContext(context.Background(), query, args...).Scan(&n)
	return n.Int64, err
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

// transaction runs do in a transaction that is rolled back if do fails.
func (s *store) transaction(do func() error) error {
	ctx := context.Background()
	if _, err := s.conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := do()
	if err == nil {
		_, err = s.conn.ExecContext(ctx, "COMMIT")
	}
	if err != nil {
		// SQLite has rolled back by itself after some errors; to do it again fails harmlessly.
		_, _ = s.conn.ExecContext(ctx, "ROLLBACK")
	}
	return err
}

func (s *store) exec(query string, args ...any) error {
	_, err := s.conn.ExecContext(context.Background(), query, args...)
	return err
}
