package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
)

// disks are those of the programs' state, small enough to be filled. The zero value is none.
type disks []*disk

type disk struct {
	path    string
	isFull  bool
	filled  int
	mounted bool
}

// mountDisks gives each program a disk of its own, in memory.
func mountDisks(dir string, mebibytes int) (all disks, err error) {
	for _, name := range []string{"agent", "display"} {
		d := &disk{path: filepath.Join(dir, name)}
		if err := os.Mkdir(d.path, 0o700); err != nil {
			return nil, errors.Join(err, all.unmount())
		}
		if err := syscall.Mount("tmpfs", d.path, "tmpfs", 0, fmt.Sprintf("size=%dm,mode=0700", mebibytes)); err != nil {
			return nil, errors.Join(fmt.Errorf("cannot mount a disk, which takes root: %w", err), all.unmount())
		}
		d.mounted = true
		all = append(all, d)
	}
	return all, nil
}

// zeros is what fills a disk.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func (d *disk) fill() {
	file, err := os.Create(filepath.Join(d.path, "fill"))
	if err != nil {
		return
	}
	defer file.Close()
	io.Copy(file, struct{ io.Reader }{zeros{}}) // ends when there is no room
	d.isFull = true
	d.filled++
}

func (d *disk) empty() {
	os.Remove(filepath.Join(d.path, "fill"))
	d.isFull = false
}

// toggle fills one of the disks now and then, and makes room again on those that are full.
func (all disks) toggle(random *rand.Rand) {
	for _, d := range all {
		switch {
		case d.isFull && random.IntN(2) == 0:
			d.empty()
		case random.IntN(8) == 0:
			d.fill()
		}
	}
}

func (all disks) empty() {
	for _, d := range all {
		d.empty()
	}
}

func (all disks) full() bool {
	for _, d := range all {
		if d.isFull {
			return true
		}
	}
	return false
}

func (all disks) filled() (n int) {
	for _, d := range all {
		n += d.filled
	}
	return n
}

// unmount gives the disks back; what is on them is gone.
func (all disks) unmount() error {
	var problems []error
	for _, d := range all {
		if d.mounted {
			problems = append(problems, syscall.Unmount(d.path, syscall.MNT_DETACH))
			d.mounted = false
		}
	}
	return errors.Join(problems...)
}
