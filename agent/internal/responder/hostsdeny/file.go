package hostsdeny

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// maxFile bounds the file, in bytes: 65,536 bans take less than half of it.
const maxFile = 8 << 20

// state is a file as it was read.
type state struct {
	path    string // where it really lies
	content []byte
	info    *unix.Stat_t // nil if there was none
}

// ErrChanged says that somebody else wrote the file meanwhile; it is as he left it.
var ErrChanged = errors.New("somebody else changed it meanwhile")

// resolve follows links.
func resolve(path string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(path); err == nil {
			return "", fmt.Errorf("cannot find %s: it is a link to what is not there", path)
		}
		return filepath.Clean(path), nil
	}
	if err != nil {
		return "", fmt.Errorf("cannot find %s: %w", path, err)
	}
	return real, nil
}

func read(path string) (*state, error) {
	path, err := resolve(path)
	if err != nil {
		return nil, err
	}
	s := &state{path: path}
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, err)
	}
	defer file.Close()
	s.info = &unix.Stat_t{}
	if err := unix.Fstat(int(file.Fd()), s.info); err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, err)
	}
	if s.info.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, fmt.Errorf("cannot read %s: it is no plain file", path)
	}
	s.content, err = io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, err)
	}
	if len(s.content) > maxFile {
		return nil, fmt.Errorf("cannot use %s: it is larger than %d bytes", path, maxFile)
	}
	return s, nil
}

// replace puts a new file with other content, but the same mode and owner, in the place of the one that
// was read. If that is no longer what was read, it stays, and the error is [ErrChanged].
func (s *state) replace(content []byte) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("cannot write %s: %w", s.path, explain(err))
		}
	}()
	fresh, err := os.CreateTemp(filepath.Dir(s.path), "."+filepath.Base(s.path)+".pialert-*")
	if err != nil {
		return err
	}
	defer os.Remove(fresh.Name())
	_, err = fresh.Write(content)
	err = errors.Join(err, s.dress(fresh), fresh.Sync(), fresh.Close())
	if err != nil {
		return err
	}
	return s.swap(fresh.Name())
}

// dress gives a file the mode, owner and group of the one that was read; without one, those of
// Debian's: 0644.
func (s *state) dress(file *os.File) error {
	if s.info == nil {
		return file.Chmod(0o644)
	}
	if err := file.Chmod(fs.FileMode(s.info.Mode & 0o777)); err != nil { // while it is one's own
		return err
	}
	var own unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &own); err != nil {
		return err
	}
	if own.Uid == s.info.Uid && own.Gid == s.info.Gid {
		return nil
	}
	return file.Chown(int(s.info.Uid), int(s.info.Gid))
}

// swap exchanges the file with a fresh one, in one step, and looks at what came out. If it is not what
// was read, it goes back in.
func (s *state) swap(fresh string) error {
	if s.info == nil {
		err := unix.Renameat2(unix.AT_FDCWD, fresh, unix.AT_FDCWD, s.path, unix.RENAME_NOREPLACE)
		if errors.Is(err, unix.EEXIST) {
			return ErrChanged
		}
		return err
	}
	exchange := func() error {
		return unix.Renameat2(unix.AT_FDCWD, fresh, unix.AT_FDCWD, s.path, unix.RENAME_EXCHANGE)
	}
	err := exchange()
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) { // a file system that cannot
		if !s.same(s.path) {
			return ErrChanged
		}
		return os.Rename(fresh, s.path)
	}
	if errors.Is(err, unix.ENOENT) {
		return ErrChanged
	}
	if err == nil && !s.same(fresh) {
		return errors.Join(ErrChanged, exchange())
	}
	return err
}

// same says whether what lies at a path now is the file that was read, unchanged.
func (s *state) same(path string) bool {
	var now unix.Stat_t
	if err := unix.Lstat(path, &now); err != nil || now.Ino != s.info.Ino || now.Mode != s.info.Mode || now.Uid != s.info.Uid || now.Gid != s.info.Gid {
		return false
	}
	content, err := os.ReadFile(path)
	return err == nil && bytes.Equal(content, s.content)
}

// explain says what a person can do about an error.
func explain(err error) error {
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EROFS) {
		return fmt.Errorf("%w: the responder's unit may not; see pialert-agent responder unit", err)
	}
	return err
}
