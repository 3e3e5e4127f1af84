package scan

import (
	"bytes"
	"context"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/pialert/pialert/agent/internal/detect"
)

const (
	blockSize = 96 << 10 // bytes read at a time: less takes turns too often, and more takes memory
	maxLine   = 1 << 20  // bytes of the longest line that is looked at
)

// block is some whole lines of a file, and what they say by themselves.
type block struct {
	number   uint64 // in the file
	buffer   []byte
	lines    []byte // in buffer
	read     int    // bytes read for it
	overLong bool   // a line before the others was too long to be looked at
	batch    detect.Batch
}

// blocks are those of a file. Several goroutines may read them, one after the other.
type blocks struct {
	source   *detect.Source
	observed time.Time // when the file was last written
	end      func()    // closes it
	free     chan *block

	reading sync.Mutex // what follows
	in      *detect.Lines
	rest    []byte // of what was read: the start of a line
	skip    bool   // that line is longer than maxLine
	numbers uint64 // given to blocks so far
	err     error  // of reading, io.EOF at the end
}

// next reads the next block of whole lines, and says whether there is one.
func (r *blocks) next(ctx context.Context, b *block) bool {
	r.reading.Lock()
	defer r.reading.Unlock()
	b.buffer, b.read, b.overLong = append(b.buffer[:0], r.rest...), 0, false
	for r.err == nil {
		if r.err = ctx.Err(); r.err != nil {
			return false
		}
		r.err = b.fill(r.in)
		end := bytes.LastIndexByte(b.buffer, '\n') + 1
		if r.err == nil && end == 0 {
			if r.skip = r.skip || len(b.buffer) > maxLine; r.skip {
				b.buffer = b.buffer[:0]
			}
			continue
		}
		if r.err == io.EOF {
			end = len(b.buffer) // the last newline may be missing
		}
		r.rest = append(r.rest[:0], b.buffer[end:]...)
		if b.lines = b.buffer[:end]; r.skip || firstLine(b.lines) > maxLine {
			b.overLong, r.skip = true, false
			b.lines = b.lines[min(firstLine(b.lines)+1, len(b.lines)):]
		}
		b.number = r.numbers
		r.numbers++
		return true
	}
	return false
}

// match finds out what the lines of a block say by themselves.
func (b *block) match(source *detect.Source, m *detect.Matcher) {
	b.batch.Reset(source)
	if b.overLong {
		b.batch.Skip()
	}
	m.Match(b.lines, &b.batch)
}

// fill reads once.
func (b *block) fill(in io.Reader) error {
	b.buffer = slices.Grow(b.buffer, blockSize)
	n, err := in.Read(b.buffer[len(b.buffer) : len(b.buffer)+blockSize])
	b.buffer = b.buffer[:len(b.buffer)+n]
	b.read += n
	return err
}

// firstLine returns the length of the first of some lines.
func firstLine(lines []byte) int {
	if end := bytes.IndexByte(lines, '\n'); end >= 0 {
		return end
	}
	return len(lines)
}
