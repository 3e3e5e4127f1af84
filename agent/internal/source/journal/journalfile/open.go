package journalfile

import (
	"errors"
	"fmt"
	"os"
)

// found is a file of the journal.
type found struct {
	path string
	info os.FileInfo
	header
}

// open is the file that is read.
type open struct {
	*os.File
	info os.FileInfo
	header
	array   uint64   // the offset of the array that is read
	offsets []uint64 // of its entries; those that are not written yet are 0
	index   int      // of the next one
	next    uint64   // the offset of the array behind it, 0 if there is none yet
}

func enter(f found) (*open, error) {
	file, err := os.Open(f.path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the journal: %w", err)
	}
	info, err := file.Stat()
	if err == nil {
		var h header
		if h, err = readHeader(file); err == nil {
			return &open{File: file, info: info, header: h, next: h.arrays}, nil
		}
	}
	return nil, errors.Join(err, file.Close())
}

// load reads the array at an offset, or the current one anew.
func (o *open) load(offset uint64) error {
	offsets, next, err := array(o, offset, o.compact)
	if err != nil {
		return err
	}
	if offset != o.array {
		o.array, o.index = offset, 0
	}
	o.offsets, o.next = offsets, next
	return nil
}
