package scan

import (
	"bytes"
	"context"
	"io"
	"slices"
	"sync"

	"github.com/pialert/pialert/agent/internal/detect"
)

const (
	blockSize = 128 << 10 // bytes read at a time: to take turns costs as much as to match some KiB
	maxLine   = 1 << 20   // bytes of the longest line that is looked at
)

// block is some whole lines of a file, and what they say by themselves.
type block struct {
	buffer   []byte
	lines    []byte // in buffer
	read     int    // bytes read for it
	overLong bool   // a line before the others was too long to be looked at
	batch    detect.Batch
	before   <-chan struct{} // closed once the block before it in the file was taken
	taken    chan struct{}   // closed when it was taken itself
}

// parallel matches the blocks of a file on every core. Each of its goroutines reads a block, matches it
// and has it taken, so that a block stays in the cache of one core; they take turns in reading and in
// taking, both in the file's order.
type parallel struct {
	source *detect.Source
	take   func(*block)

	reading sync.Mutex // what follows
	in      io.Reader
	rest    []byte          // of what was read: the start of a line
	skip    bool            // that line is longer than maxLine
	last    <-chan struct{} // taken of the last block
	err     error           // of reading, io.EOF at the end
}

// run returns when all that in holds was taken, or after ctx ended.
func (p *parallel) run(ctx context.Context, matchers []*detect.Matcher) error {
	first := make(chan struct{})
	close(first)
	p.last = first
	var workers sync.WaitGroup
	for _, m := range matchers {
		workers.Go(func() { p.work(ctx, m) })
	}
	workers.Wait()
	if p.err == io.EOF {
		return nil
	}
	return p.err
}

// work takes part until there is no more to read.
func (p *parallel) work(ctx context.Context, m *detect.Matcher) {
	var b block
	for p.next(ctx, &b) {
		b.batch.Reset(p.source)
		if b.overLong {
			b.batch.Skip()
		}
		m.Match(b.lines, &b.batch)
		<-b.before
		p.take(&b)
		close(b.taken)
	}
}

// next reads the next block of whole lines, and says whether there is one.
func (p *parallel) next(ctx context.Context, b *block) bool {
	p.reading.Lock()
	defer p.reading.Unlock()
	b.buffer, b.read, b.overLong = append(b.buffer[:0], p.rest...), 0, false
	for p.err == nil {
		if p.err = ctx.Err(); p.err != nil {
			return false
		}
		p.err = b.fill(p.in)
		end := bytes.LastIndexByte(b.buffer, '\n') + 1
		if p.err == nil && end == 0 {
			if p.skip = p.skip || len(b.buffer) > maxLine; p.skip {
				b.buffer = b.buffer[:0]
			}
			continue
		}
		if p.err == io.EOF {
			end = len(b.buffer) // the last newline may be missing
		}
		p.rest = append(p.rest[:0], b.buffer[end:]...)
		if b.lines = b.buffer[:end]; p.skip || firstLine(b.lines) > maxLine {
			b.overLong, p.skip = true, false
			b.lines = b.lines[min(firstLine(b.lines)+1, len(b.lines)):]
		}
		b.before, b.taken = p.last, make(chan struct{})
		p.last = b.taken
		return true
	}
	return false
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
