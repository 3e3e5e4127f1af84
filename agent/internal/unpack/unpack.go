// Package unpack reads compressed files: those of gzip, bzip2, xz and zstd.
//
// It promises bounded memory for whatever a file claims to need, and an error instead of half a text where
// a file is cut or damaged. It goes by the ending of a name, as logrotate's compressext gives it, not by
// content: a log whose first bytes an attacker writes must not be taken for something else.
package unpack

import (
	"bufio"
	"compress/bzip2"
	"compress/gzip"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// maxWindow bounds the memory that unpacking a .zst file may take, in bytes: what `zstd -19` needs is an eighth.
const maxWindow = 64 << 20

// Known reports whether files whose names have this ending (".gz") can be read.
func Known(ending string) bool {
	switch ending {
	case ".gz", ".bz2", ".xz", ".zst":
		return true
	}
	return false
}

// Reader reads one compressed file after another, each after a [Reader.Reset]. It keeps what gzip
// needs, some 80 KiB, from one to the next.
type Reader struct {
	packed bufio.Reader
	gzip   gzip.Reader
	plain  io.Reader
}

// NewReader returns a Reader of nothing.
func NewReader() *Reader {
	r := &Reader{}
	r.packed = *bufio.NewReaderSize(nil, 32<<10)
	return r
}

// Reset begins to read a file whose name has the given ending. After an error there is nothing to read.
func (r *Reader) Reset(file io.Reader, ending string) (err error) {
	r.Release()
	r.packed.Reset(file)
	switch ending {
	case ".gz":
		if err = r.gzip.Reset(&r.packed); err == nil {
			r.plain = &r.gzip
		}
	case ".bz2":
		r.plain = bzip2.NewReader(&r.packed)
	case ".xz":
		var x *xz.Reader
		if x, err = xz.NewReader(&r.packed); err == nil {
			r.plain = x
		}
	case ".zst":
		var z *zstd.Decoder
		z, err = zstd.NewReader(&r.packed, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err == nil {
			r.plain = z
		}
	default:
		err = fmt.Errorf("what was packed into %s cannot be read, only .gz, .bz2, .xz and .zst", ending)
	}
	return err
}

// Release lets go of the file.
func (r *Reader) Release() {
	r.packed.Reset(nil)
	r.plain = nil
}

// Read reads text. At the end of a file that is whole it returns io.EOF, at that of another one another error.
func (r *Reader) Read(p []byte) (int, error) {
	if r.plain == nil {
		return 0, io.EOF
	}
	return r.plain.Read(p)
}
