package history

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"time"
)

// maxReaders is how many connections read at once. Each has a cache of [readerCache] KiB.
const (
	maxReaders  = 4
	readerCache = 1024
	idleReaders = time.Minute // after which a connection without work is closed
)

// openReaders opens connections that cannot write. In WAL mode they see the last commit, and
// hold up none.
func openReaders(path string) (*sql.DB, error) {
	readers, err := sql.Open("sqlite", dsn(path, url.Values{"mode": {"ro"}, "_pragma": {
		"busy_timeout(1000)", "query_only(1)", "trusted_schema(0)", "cell_size_check(1)", "temp_store(memory)",
		fmt.Sprintf("cache_size(-%d)", readerCache),
	}}))
	if err != nil {
		return nil, err
	}
	readers.SetMaxOpenConns(maxReaders)
	readers.SetMaxIdleConns(1)
	readers.SetConnMaxIdleTime(idleReaders)
	return readers, nil
}

// view runs do in a transaction that reads: all of its queries see the same commit.
func (s *store) view(ctx context.Context, do func(ctx context.Context, tx *sql.Tx) error) error {
	s.reading.RLock()
	defer s.reading.RUnlock()
	if s.ctx.Err() != nil {
		return errReplacing
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	begin := s.conn.BeginTx
	if s.readers != nil {
		begin = s.readers.BeginTx
	} else {
		s.mu.Lock()
		defer s.mu.Unlock()
	}
	tx, err := begin(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	return errors.Join(do(ctx, tx), tx.Rollback())
}

// errReplacing is returned by queries while a damaged file is being replaced, and after the end.
var errReplacing = errors.New("the history is closed or being repaired; try again")

// View runs do in one transaction that reads and holds up no commit: all of its queries see the
// same commit. The context that do gets ends with ctx, or when the file has to be closed.
func (h *History) View(ctx context.Context, do func(ctx context.Context, tx *sql.Tx) error) error {
	s := h.current()
	if s == nil {
		return errReplacing
	}
	err := s.view(ctx, do)
	h.suspect(err)
	if err != nil {
		return fmt.Errorf("cannot read the history: %w", err)
	}
	return nil
}

// Update runs do in one transaction that writes, for what somebody keeps in tables of their own
// beside the history. It is committed with the same care as events are, and holds up their
// commits: do must be quick. Own tables are carried over when a damaged file is replaced, as far
// as they can be read; the history's own ones must be left alone.
func (h *History) Update(ctx context.Context, do func(ctx context.Context, tx *sql.Tx) error) error {
	return h.update(ctx, true, do)
}

// Note is Update for what need not outlive a power cut: it outlives the program, and does not wait for the disk. What is
// updated later does not last without it.
func (h *History) Note(ctx context.Context, do func(ctx context.Context, tx *sql.Tx) error) error {
	return h.update(ctx, false, do)
}

func (h *History) update(ctx context.Context, synced bool, do func(ctx context.Context, tx *sql.Tx) error) error {
	s := h.current()
	if s == nil {
		return errReplacing
	}
	err := s.update(ctx, synced, do)
	h.suspect(err)
	if err != nil {
		return fmt.Errorf("cannot write to the history: %w", err)
	}
	return nil
}

func (s *store) update(ctx context.Context, synced bool, do func(ctx context.Context, tx *sql.Tx) error) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errReplacing
	}
	if !synced { // by a later commit, or before SQLite copies from the WAL (https://sqlite.org/pragma.html#pragma_synchronous)
		if _, err := s.conn.ExecContext(ctx, "PRAGMA synchronous=NORMAL"); err != nil {
			return err
		}
		defer func() {
			_, restored := s.conn.ExecContext(context.WithoutCancel(ctx), "PRAGMA synchronous=FULL")
			err = errors.Join(err, restored)
		}()
	}
	tx, err := s.conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(ctx, tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// current returns the file in use, nil while a damaged one is being replaced.
func (h *History) current() *store {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.store
}

// query runs one query and calls row for each of its rows, scanned into the targets.
func (h *History) query(ctx context.Context, query string, targets []any, row func(), args ...any) error {
	return h.View(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return each(ctx, tx, query, targets, row, args...)
	})
}

// suspect has the file inspected if the error says that it is damaged.
func (h *History) suspect(err error) {
	if isDamage(err) {
		select {
		case h.damage <- err:
		default:
		}
	}
}
