package scan

import (
	"bytes"
	"context"
	"io"
	"iter"
	"slices"

	"github.com/pialert/pialert/agent/internal/detect"
)

const (
	blockSize = 32 << 10 // bytes read at a time
	maxLine   = 1 << 20  // bytes of the longest line that is looked at
)

// block is some whole lines of a file, and what they say by themselves.
type block struct {
	buffer   []byte
	lines    []byte // in buffer
	read     int    // bytes read for it
	overLong bool   // a line before the others was too long to be looked at
	batch    detect.Batch
	matched  chan struct{} // has a token once batch is filled
}

// parallel matches the blocks of a file on every core: one goroutine reads them, one for each
// matcher matches them, and whoever ranges over inOrder has them in the file's order.
type parallel struct {
	free  chan *block // to be read into
	work  chan *block // to be matched
	order chan *block // in the file's order
	err   error       // of reading; valid once order is closed
}

// newParallel starts the matchers' goroutines, which end when all that read hands on is matched.
func newParallel(source *detect.Source, matchers []*detect.Matcher) *parallel {
	blocks := 4*len(matchers) - 1 // so that who waits for one has others to go on with
	p := &parallel{free: make(chan *block, blocks), work: make(chan *block, blocks), order: make(chan *block, blocks)}
	for range blocks {
		p.free <- &block{matched: make(chan struct{}, 1)}
	}
	for _, m := range matchers {
		go func() {
			for b := range p.work {
				b.batch.Reset(source)
				if b.overLong {
					b.batch.Skip()
				}
				m.Match(b.lines, &b.batch)
				b.matched <- struct{}{}
			}
		}()
	}
	return p
}

// inOrder returns the blocks once they are matched. A block is read into again after its turn. All
// of them have to be taken.
func (p *parallel) inOrder() iter.Seq[*block] {
	return func(yield func(*block) bool) {
		for b := range p.order {
			<-b.matched
			yield(b)
			p.free <- b
		}
	}
}

// read cuts in into blocks of whole lines until its end, or until ctx ends.
func (p *parallel) read(ctx context.Context, in io.Reader) {
	defer close(p.order)
	defer close(p.work)
	b := p.next(nil)
	skip := false // the line at hand is longer than maxLine
	for {
		if p.err = ctx.Err(); p.err != nil {
			return
		}
		err := b.fill(in)
		end := bytes.LastIndexByte(b.buffer, '\n') + 1
		if err == nil && end == 0 {
			if skip = skip || len(b.buffer) > maxLine; skip {
				b.buffer = b.buffer[:0]
			}
			continue
		}
		if err == io.EOF {
			end = len(b.buffer) // the last newline may be missing
		}
		rest := b.buffer[end:]
		if b.lines = b.buffer[:end]; skip || firstLine(b.lines) > maxLine {
			b.overLong, skip = true, false
			b.lines = b.lines[min(firstLine(b.lines)+1, len(b.lines)):]
		}
		last := b
		if err == nil {
			b = p.next(rest)
		}
		p.work <- last
		p.order <- last
		if err != nil {
			if err != io.EOF {
				p.err = err
			}
			return
		}
	}
}

// next returns a block that starts with what is left of another one.
func (p *parallel) next(rest []byte) *block {
	b := <-p.free
	b.buffer, b.read, b.overLong = append(b.buffer[:0], rest...), 0, false
	return b
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
