package file

import (
	"bytes"
	"errors"
	"io"
	"time"

	"github.com/pialert/pialert/agent/internal/source"
)

// blockSize is how much is read at once.
const blockSize = 256 << 10

// blocks is the memory that one follower after another reads into.
type blocks struct {
	block []byte
	head  [headSize]byte
}

func newBlocks() *blocks {
	return &blocks{block: make([]byte, blockSize)}
}

// found is what one read came to.
type found struct {
	lines    []byte // whole lines, in the memory of blocks
	more     bool   // the end was not reached
	overlong uint64 // lines that are being left out from here on
}

// read returns the whole lines after the mark, as many as fit into a block, and moves the mark past them.
// With final set, a last line without newline counts as whole when it is the only one.
func (g *generation) read(b *blocks, now time.Time, final bool) (found, error) {
	if !g.sealed {
		unchanged, err := g.look(now)
		if err != nil || unchanged && g.atEnd && !final {
			return found{}, err
		}
	}
	buf := b.block
	n, err := readAt(g.data, buf, g.Offset)
	if err != nil {
		return found{}, err
	}
	if n == len(buf) && !g.Skip && buf[0] != 0 && bytes.IndexByte(buf, '\n') < 0 {
		buf = make([]byte, source.MaxLine)
		if n, err = readAt(g.data, buf, g.Offset); err != nil {
			return found{}, err
		}
	}
	final = final || g.sealed && g.damage() == nil
	result, next := g.cut(buf, n, final)
	switch {
	case !g.sealed:
		if err := g.verify(b, &next); err != nil {
			return found{}, err
		}
	case g.Offset < headSize:
		first, err := g.first(next.headLength())
		if err != nil {
			return found{}, err
		}
		next.Head = hashHead(first)
	}
	g.rest = next.Offset < g.Offset+int64(n)
	g.mark = next
	g.atEnd = !result.more && !(g.rest && g.sealed && final)
	if g.caughtUp = g.caughtUp || g.atEnd; g.caughtUp {
		g.release()
	}
	return result, nil
}

// cut finds the whole lines in the n bytes of buf that follow the mark, and the mark after them.
func (g *generation) cut(buf []byte, n int, final bool) (found, mark) {
	next, result := g.mark, found{more: n == len(buf)}
	b := buf[:n]
	advance := func(count int) {
		next.Offset += int64(count)
		b = b[count:]
	}
	if next.Skip {
		end := bytes.IndexByte(b, '\n')
		if end < 0 {
			advance(len(b))
			return result, next
		}
		advance(end + 1)
		next.Skip = false
	}
	last := bytes.LastIndexByte(b, '\n')
	switch {
	case last >= 0:
		result.lines = dropNULs(b[:last+1])
		advance(last + 1)
	case len(b) == 0:
	case b[0] == 0 && result.more:
		// NULs before a line, maybe gigabytes of them.
		advance(len(b) - len(bytes.TrimLeft(b, "\x00")))
	case result.more && len(b) == len(buf):
		result.overlong++
		next.Skip = true
		advance(len(b))
	case result.more:
		// What follows a line that was left out begins in this block and ends in the next one.
	case final:
		result.lines = dropNULs(append(b, '\n'))
		advance(len(b))
	}
	return result, next
}

// readAt fills p from offset on; less than len(p) means the end of the file, which is no error.
func readAt(r io.ReaderAt, p []byte, offset int64) (int, error) {
	n, err := r.ReadAt(p, offset)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

// dropNULs removes the NUL bytes at the start of each line, in place. A line of nothing else goes too.
func dropNULs(lines []byte) []byte {
	if bytes.IndexByte(lines, 0) < 0 {
		return lines
	}
	kept := lines[:0]
	for len(lines) > 0 {
		end := bytes.IndexByte(lines, '\n') + 1
		line := bytes.TrimLeft(lines[:end], "\x00")
		if len(line) > 1 || len(line) == end {
			kept = append(kept, line...)
		}
		lines = lines[end:]
	}
	return kept
}
