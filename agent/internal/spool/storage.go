package spool

import (
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/pialert/pialert/pkg/private"
)

// storage is what the spool's promises rest on: what is written, synced and removed, in which order.
// What only reads goes to the file system directly.
type storage interface {
	open(path string, flag int) (file, error)
	// syncDir makes durable which names a directory has.
	syncDir(dir string) error
	remove(path string) error
}

// file is what a segment is written through. Sync makes the written data durable.
type file interface {
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	Sync() error
}

// disk is the storage of the operating system.
type disk struct{}

func (disk) open(path string, flag int) (file, error) {
	f, err := os.OpenFile(path, flag, 0o600)
	if err != nil {
		return nil, err
	}
	return diskFile{f}, nil
}

func (disk) syncDir(dir string) error { return private.SyncDir(dir) }

func (disk) remove(path string) error { return os.Remove(path) }

// makeDir makes a directory that is still there after a power cut.
func makeDir(s storage, dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	parent := filepath.Dir(dir)
	if err := makeDir(s, parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !os.IsExist(err) {
		return err
	}
	return s.syncDir(parent)
}

// diskFile syncs with fdatasync, which leaves out what is not needed to read the data back.
type diskFile struct{ *os.File }

func (f diskFile) Sync() error {
	for {
		if err := syscall.Fdatasync(int(f.Fd())); err != syscall.EINTR {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}
