package file

import (
	"fmt"
	"io"
	"os"
	"slices"
	"sync"

	"github.com/pialert/pialert/agent/internal/unpack"
)

// unpacked reads a compressed file as if it were not: at offsets that do not decrease by more than what
// was asked for last. It holds what was asked for, and starts over for an offset that it has passed.
//
//	unpacked so far  ──────────────┬─────────────┐
//	                 dropped       │ ahead       │ plain: still to be unpacked
//	                               offset
type unpacked struct {
	file      *os.File
	extension string
	*unpacker // nil while at rest
	offset    int64
	over      bool // plain has ended
	// damage is what ended it before its end; to ReadAt that is an end like any other.
	damage error
}

// unpacker is the memory that unpacking takes, about 350 KiB for gzip. A few are kept for the next file.
type unpacker struct {
	plain *unpack.Reader
	ahead []byte
}

var unpackers = sync.Pool{New: func() any { return &unpacker{plain: unpack.NewReader()} }}

// ReadAt reads as io.ReaderAt has it, but not from two goroutines.
func (u *unpacked) ReadAt(p []byte, offset int64) (int, error) {
	if u.unpacker == nil || offset < u.offset {
		if err := u.rewind(); err != nil {
			return 0, fmt.Errorf("cannot unpack %s: %w", u.file.Name(), err)
		}
	}
	if passed := offset - u.offset; passed <= int64(len(u.ahead)) {
		u.ahead = append(u.ahead[:0], u.ahead[passed:]...)
	} else {
		n, err := io.CopyN(io.Discard, u.plain, passed-int64(len(u.ahead)))
		u.end(err)
		u.offset += int64(len(u.ahead)) + n
		u.ahead = u.ahead[:0]
		if u.offset < offset {
			return 0, io.EOF
		}
	}
	u.offset = offset
	u.ahead = slices.Grow(u.ahead, max(0, len(p)-len(u.ahead)))
	for len(u.ahead) < len(p) && !u.over {
		n, err := u.plain.Read(u.ahead[len(u.ahead):len(p)])
		u.ahead = u.ahead[:len(u.ahead)+n]
		u.end(err)
	}
	if n := copy(p, u.ahead); n == len(p) {
		return n, nil
	} else {
		return n, io.EOF
	}
}

// end takes note of an error of plain, if it is one.
func (u *unpacked) end(err error) {
	if err == nil {
		return
	}
	u.over = true
	if err != io.EOF {
		u.damage = fmt.Errorf("cannot unpack the rest of %s: %w", u.file.Name(), err)
	}
}

// rest gives back the memory until the next ReadAt.
func (u *unpacked) rest() {
	if u.unpacker != nil {
		u.plain.Release()
		unpackers.Put(u.unpacker)
		u.unpacker = nil
	}
}

// consumed returns how many bytes of the file itself were read.
func (u *unpacked) consumed() int64 {
	n, err := u.file.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0
	}
	return n
}

func (u *unpacked) rewind() error {
	if _, err := u.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if u.unpacker == nil {
		u.unpacker = unpackers.Get().(*unpacker)
	}
	if err := u.plain.Reset(u.file, u.extension); err != nil {
		u.rest()
		return err
	}
	u.ahead, u.offset, u.over = u.ahead[:0], 0, false
	return nil
}
