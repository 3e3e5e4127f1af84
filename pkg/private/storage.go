package private

import (
	"errors"
	"io"
	"os"
)

// storage is what durability rests on: what is written, synced and renamed, in which order.
type storage interface {
	// create makes a file with mode 0600, whose name is the pattern with something in place of "*".
	create(dir, pattern string) (file, error)
	rename(from, to string) error
	// syncDir makes durable which names a directory has.
	syncDir(dir string) error
}

type file interface {
	io.WriteCloser
	Name() string
	Sync() error
	owned
}

type owned interface{ Chown(uid, gid int) error }

// disk is the storage of the operating system.
type disk struct{}

func (disk) create(dir, pattern string) (file, error) {
	f, err := os.CreateTemp(dir, pattern)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (disk) rename(from, to string) error { return os.Rename(from, to) }

func (disk) syncDir(dir string) error { return SyncDir(dir) }

// SyncDir makes durable which names a directory has: those of files that were made, renamed or removed in
// it are otherwise perhaps gone or back after a power cut (fsync(2)).
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
