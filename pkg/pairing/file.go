package pairing

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// stateDir is a directory whose files are private and belong to its owner, also when root
// writes them.
type stateDir string

func (d stateDir) path(name string) string { return filepath.Join(string(d), name) }

// lock holds the directory against other processes until the returned function is called.
func (d stateDir) lock() (unlock func(), err error) {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the state directory: %w", err)
	}
	file, err := os.OpenFile(d.path("pairing.lock"), os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot open the state directory: %w", err)
	}
	if err := d.give(file); err != nil {
		file.Close()
		return nil, err
	}
	for {
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX)
		if err != syscall.EINTR {
			break
		}
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("cannot lock %s: %w", file.Name(), err)
	}
	return func() { file.Close() }, nil
}

// read returns the content of a private file of at most limit bytes; the error is
// [fs.ErrNotExist] if there is none.
func (d stateDir) read(name string, limit int64) ([]byte, error) {
	file, err := os.Open(d.path(name))
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

// write replaces a file. When it returns nil the new content survives a power cut; at any time
// before that the file holds either the old content or the new.
func (d stateDir) write(name string, data []byte) (err error) {
	file, err := os.CreateTemp(string(d), "."+name+".*") // CreateTemp makes files 0600
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", d.path(name), err)
	}
	defer func() {
		if err != nil {
			os.Remove(file.Name())
			err = fmt.Errorf("cannot write %s: %w", d.path(name), err)
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
	return d.rename(filepath.Base(file.Name()), name)
}

// rename renames a file within the directory, durably.
func (d stateDir) rename(from, to string) error {
	if err := os.Rename(d.path(from), d.path(to)); err != nil {
		return err
	}
	dir, err := os.Open(string(d))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// give makes the directory's owner the owner of file when root made it.
func (d stateDir) give(file *os.File) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(string(d))
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return file.Chown(int(owner.Uid), int(owner.Gid))
}

func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
