package file

import (
	"bufio"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/pialert/pialert/agent/internal/source"
)

// unpacked reads a compressed file as if it were not: at offsets that do not decrease by much. It looks
// ahead by up to MaxLine bytes, and starts over for an offset that it has passed.
type unpacked struct {
	file      *os.File
	extension string
	ahead     *bufio.Reader // nil while at rest
	offset    int64         // of what ahead returns next
	// damage is what ended it before its end; to ReadAt that is an end like any other.
	damage error
}

// ReadAt reads as io.ReaderAt has it, but no more than MaxLine bytes and not from two goroutines.
func (u *unpacked) ReadAt(p []byte, offset int64) (int, error) {
	if u.ahead == nil || offset < u.offset {
		if err := u.rewind(); err != nil {
			return 0, fmt.Errorf("cannot unpack %s: %w", u.file.Name(), err)
		}
	}
	for u.offset < offset {
		n, err := u.ahead.Discard(int(min(offset-u.offset, source.MaxLine)))
		u.offset += int64(n)
		if err != nil {
			return 0, u.end(err)
		}
	}
	next, err := u.ahead.Peek(len(p))
	return copy(p, next), u.end(err)
}

// rest gives back the memory until the next ReadAt.
func (u *unpacked) rest() {
	u.ahead = nil
}

func (u *unpacked) rewind() error {
	if _, err := u.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	var plain io.Reader
	switch u.extension {
	case ".gz":
		zipped, err := gzip.NewReader(bufio.NewReaderSize(u.file, 64<<10))
		if err != nil {
			return err
		}
		plain = zipped
	case ".bz2":
		plain = bzip2.NewReader(bufio.NewReaderSize(u.file, 64<<10))
	default:
		return errors.New("only .gz and .bz2 are supported")
	}
	u.ahead, u.offset = bufio.NewReaderSize(plain, source.MaxLine), 0
	return nil
}

func (u *unpacked) end(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	u.damage = fmt.Errorf("cannot unpack the rest of %s: %w", u.file.Name(), err)
	return io.EOF
}
