package history

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// maxBackup bounds how long a backup takes: as long as it does, the WAL cannot be emptied.
const maxBackup = 15 * time.Minute

// Backup writes a copy of the file as of one commit, while commits go on. begin is told the size in
// bytes before the first is written. The copy is whole only if there is no error.
func (h *History) Backup(ctx context.Context, begin func(size int64) error, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, maxBackup)
	defer cancel()
	return h.View(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var size int64
		err := each(ctx, tx, `SELECT page_count * page_size FROM pragma_page_count, pragma_page_size`, []any{&size}, func() {})
		if err == nil {
			err = begin(size)
		}
		if err != nil {
			return err
		}
		var page []byte
		var wrong error
		err = each(ctx, tx, `SELECT data FROM sqlite_dbpage ORDER BY pgno`, []any{&page}, func() {
			if wrong == nil {
				if _, wrong = out.Write(page); wrong != nil {
					cancel()
				}
			}
		})
		return errors.Join(wrong, err)
	})
}

// Restore replaces the history at path by a copy that [History.Backup] wrote and in yields. It checks the copy before
// anything changes, and upgrades one of an earlier version; progress, unless nil, hears how far that is. It keeps
// what was there under the name that it returns, empty if there was nothing. The error is [ErrInUse] while a process
// has the history open. The files belong to the folder's owner afterwards.
func Restore(path string, in io.Reader, now time.Time, progress Progress) (aside string, err error) {
	lock, err := lockFile(path)
	if err != nil {
		return "", err
	}
	defer unlock(lock)
	fresh := path + newSuffix
	if err := removeAll(fresh, fresh+"-wal", fresh+"-shm"); err != nil {
		return "", err
	}
	known, err := examine(fresh, in, now, progress)
	if err != nil {
		return "", errors.Join(fmt.Errorf("cannot restore the history: %w", err), removeAll(fresh, fresh+"-wal", fresh+"-shm"))
	}
	if _, err := os.Stat(path); err == nil {
		if aside, err = freeName(path + ".replaced-" + now.UTC().Format("20060102T150405Z")); err != nil {
			return "", err
		}
	}
	for _, move := range [][2]string{{path, aside}, {path + "-wal", aside + "-wal"}, {path + "-shm", aside + "-shm"}} {
		if err := os.Rename(move[0], move[1]); err != nil && aside != "" && !errors.Is(err, fs.ErrNotExist) {
			return aside, fmt.Errorf("cannot set the former history aside: %w", err)
		}
	}
	err = errors.Join(writeSummary(path+summarySuffix, known), rename(fresh, path))
	return aside, errors.Join(err, giveAway(filepath.Dir(path), path, path+".lock", path+summarySuffix))
}

// freeName returns a name that no file has: this one, or else this one with a number behind it.
func freeName(name string) (string, error) {
	for n := 1; n < 1000; n++ {
		free := name
		if n > 1 {
			free = fmt.Sprintf("%s-%d", name, n)
		}
		if _, err := os.Lstat(free); errors.Is(err, fs.ErrNotExist) {
			return free, nil
		} else if err != nil {
			return "", err
		}
	}
	return "", fmt.Errorf("there are too many files with the name %s", name)
}

// examine writes a copy to a file and opens it, which refuses what is no history, and checks it.
func examine(fresh string, in io.Reader, now time.Time, progress Progress) (summary, error) {
	file, err := os.OpenFile(fresh, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return summary{}, err
	}
	_, err = io.Copy(file, in)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return summary{}, err
	}
	if err := isHistory(fresh); err != nil {
		return summary{}, err
	}
	opened, err := openStore(fresh, now, listBytes(0), progress)
	if err != nil {
		return summary{}, err
	}
	known, err := opened.load()
	if err == nil {
		err = opened.check(time.Hour)
	}
	if err == nil { // an older format was upgraded, maybe
		err = opened.emptyWAL()
	}
	return known, errors.Join(err, opened.close())
}

// isHistory refuses a file that is no history: opening it would make one of it.
func isHistory(path string) error {
	s, err := connect(path)
	if err != nil {
		return err
	}
	tables, err := s.number(`SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('agents', 'marks', 'totals', 'events')`)
	if err == nil && tables != 4 {
		err = errors.New("the file is no history of a display")
	}
	return errors.Join(err, s.close())
}

// giveAway gives files to the owner of a folder, whose service must be able to write them.
func giveAway(dir string, paths ...string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 {
		return nil
	}
	for _, path := range paths {
		if err := os.Chown(path, int(owner.Uid), int(owner.Gid)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
