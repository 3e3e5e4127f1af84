package history

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"modernc.org/sqlite"
	sqlitelib "modernc.org/sqlite/lib"
)

var errReplaced = errors.New("another file was put in its place while the display runs; restart the display to use that one")

// inPlace returns an error if the file is not at its path any more: SQLite goes on writing to a deleted file, and all of
// that would be gone with the process. Where nothing is at the path, the error is damage: the file is replaced by what is
// known. Where another file is, it is errReplaced: nothing is committed until a restart, and agents keep their events.
func (s *store) inPlace() error {
	now, err := os.Stat(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: it was deleted while in use", errDamaged)
	case err != nil:
		return err
	case !os.SameFile(now, s.file):
		return errReplaced
	}
	return nil
}

// noRoom says whether an error may come from a disk without room for the WAL's index.
func noRoom(err error) bool {
	switch resultCode(err) {
	case sqlitelib.SQLITE_FULL, sqlitelib.SQLITE_IOERR, sqlitelib.SQLITE_CANTOPEN:
		return true
	}
	return false
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
	for _, table := range []string{"agents", "marks", "totals", "numbers", "lists"} {
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
