package spool

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sort"
)

// Read returns events that follow the number after, as a marshalled pialert.v1.Batch of about
// maxBytes at most, though at least one event if there is any. Their numbers are first to
// first+count-1; first is greater than after+1 if events between were lost. A count of 0 says
// that there is nothing yet. The batch must not be changed.
func (s *Spool) Read(after uint64, maxBytes int) (first uint64, count int, batch []byte, err error) {
	p := picker{after: after, limit: maxBytes}
	for {
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			return 0, 0, nil, ErrClosed
		}
		if s.recent.pick(&p) {
			s.mu.Unlock()
			break
		}
		i := sort.Search(len(s.segments), func(i int) bool { return s.segments[i].next > p.after+1 })
		if p.after+1 >= s.next || i == len(s.segments) {
			s.mu.Unlock()
			break
		}
		g := *s.segments[i] // marks are only ever appended to
		s.mu.Unlock()

		if err := p.readSegment(&g); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return 0, 0, nil, fmt.Errorf("cannot read the spool: %w", err)
		}
		if p.count > 0 {
			break
		}
		p.after = g.next - 1 // what we want of it was released since we looked, or cannot be read any more
	}
	if p.count > 0 {
		s.miss(after+1, p.first-1)
	}
	return p.first, p.count, p.batch, nil
}

// miss takes note that the events numbered first to last, if there are any, cannot be read; the next commit
// counts them.
func (s *Spool) miss(first, last uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first = max(first, s.ledger.delivered()+1)
	if first > last || s.ledger.covered(first, last) || len(s.missing) >= maxGaps ||
		slices.ContainsFunc(s.missing, func(g gap) bool { return g.first <= first && last <= g.last }) {
		return
	}
	s.options.Logger.Error("events in the spool are damaged", "first", first, "last", last)
	s.missing = append(s.missing, gap{first: first, last: last})
}

// readSegment picks events from a segment.
func (p *picker) readSegment(g *segment) error {
	f, err := os.Open(g.path)
	if err != nil {
		return err
	}
	defer f.Close()
	i := sort.Search(len(g.marks), func(i int) bool { return g.marks[i].first > p.after+1 })
	for i = max(i-1, 0); i < len(g.marks) && p.count == 0; {
		begin := g.marks[i].offset
		for i++; i < len(g.marks) && g.marks[i].offset < begin+int64(p.limit); {
			i++
		}
		end := g.size
		if i < len(g.marks) {
			end = g.marks[i].offset
		}
		window := make([]byte, end-begin)
		n, err := f.ReadAt(window, begin)
		if err != nil && err != io.EOF {
			return err
		}
		scan(window[:n], g.salt, func(f *frame, _, _ int) { p.add(f.first, f.count, f.batch) })
	}
	return nil
}
