package history

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// ErrInUse is the reason that another process has the history open.
var ErrInUse = errors.New("another process has it open")

// lockFile keeps other processes from opening the history at path. The kernel frees the lock when
// the process ends. It is a file of its own, since closing the history's file would drop the
// locks that SQLite holds on it (https://sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_).
func lockFile(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("cannot open the history %s: %w; let the program's user write the folder", path, err)
	}
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot open the history %s: %w; let the program's user write the folder", path, err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("cannot open the history %s: %w; end the other process that uses the file", path, ErrInUse)
		}
		return nil, fmt.Errorf("cannot lock the history %s: %w", path, err)
	}
	return lock, nil
}

// unlock frees the lock even if a process that is being started still has a copy of the file.
func unlock(lock *os.File) error {
	return errors.Join(syscall.Flock(int(lock.Fd()), syscall.LOCK_UN), lock.Close())
}
