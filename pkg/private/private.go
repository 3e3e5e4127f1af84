// Package private keeps files that only one user may read: keys, peers, the hash of a password.
//
// Whatever must be replaced as a whole is written through it. It promises that a file holds either its old content or its new, also after a power cut, that it
// is made with mode 0600 and belongs to its directory's owner, also when root makes it, and that a
// file which others can read is refused rather than used.
package private

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Dir is a directory whose files are private and belong to its owner, also when root
// writes them.
type Dir string

// Path is that of a file in the directory.
func (d Dir) Path(name string) string { return filepath.Join(string(d), name) }

// ErrLocked says that another process holds the directory.
var ErrLocked = errors.New("another process holds it")

// Lock holds the directory, by a file of that name in it, against other processes until the returned function is called.
// It waits for one that holds it.
func (d Dir) Lock(name string) (unlock func(), err error) { return d.lock(name, syscall.LOCK_EX) }

// TryLock does the same, but does not wait: the error wraps [ErrLocked] if another process holds the directory.
func (d Dir) TryLock(name string) (unlock func(), err error) {
	return d.lock(name, syscall.LOCK_EX|syscall.LOCK_NB)
}

func (d Dir) lock(name string, how int) (unlock func(), err error) {
	if err := d.make(); err != nil {
		return nil, fmt.Errorf("cannot make the state directory: %w", err)
	}
	file, err := os.OpenFile(d.Path(name), os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot open the state directory: %w", err)
	}
	if err := d.give(file); err != nil {
		file.Close()
		return nil, err
	}
	for {
		err = syscall.Flock(int(file.Fd()), how)
		if err != syscall.EINTR {
			break
		}
	}
	if err == syscall.EWOULDBLOCK {
		err = ErrLocked
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("cannot lock %s: %w", file.Name(), err)
	}
	return func() { file.Close() }, nil
}

// Read returns the content of a private file of at most limit bytes; the error is
// [fs.ErrNotExist] if there is none.
func (d Dir) Read(name string, limit int64) ([]byte, error) {
	file, err := os.Open(d.Path(name))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s can be read by others (mode %04o): run chmod 600 %s",
			file.Name(), info.Mode().Perm(), file.Name())
	}
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", file.Name(), err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s has more than %d bytes, so it is damaged", file.Name(), limit)
	}
	return data, nil
}

// Write replaces a file. When it returns nil the new content survives a power cut; at any time
// before that the file holds either the old content or the new. It makes the directory if there is none.
func (d Dir) Write(name string, data []byte) error {
	if err := d.make(); err != nil {
		return err
	}
	return d.write(disk{}, name, data)
}

func (d Dir) write(on storage, name string, data []byte) (err error) {
	file, err := on.create(string(d), "."+name+".*")
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", d.Path(name), err)
	}
	defer func() {
		if err != nil {
			os.Remove(file.Name())
			err = fmt.Errorf("cannot write %s: %w", d.Path(name), err)
		}
	}()
	_, err = file.Write(data)
	if err == nil {
		err = d.give(file)
	}
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	return d.rename(on, filepath.Base(file.Name()), name)
}

// Rename renames a file within the directory, durably.
func (d Dir) Rename(from, to string) error { return d.rename(disk{}, from, to) }

func (d Dir) rename(on storage, from, to string) error {
	if err := on.rename(d.Path(from), d.Path(to)); err != nil {
		return err
	}
	return on.syncDir(string(d))
}

// give makes the directory's owner the owner of file when root made it.
func (d Dir) give(file owned) error { return asOwnerOf(string(d), file.Chown) }

// make makes the directory if there is none. One that root makes belongs to the owner of the one around it.
func (d Dir) make() error {
	if _, err := os.Stat(string(d)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return err
	}
	return asOwnerOf(filepath.Dir(string(d)), func(user, group int) error { return os.Chown(string(d), user, group) })
}

// asOwnerOf has root give something to the owner of a directory.
func asOwnerOf(dir string, chown func(user, group int) error) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return chown(int(owner.Uid), int(owner.Gid))
}
