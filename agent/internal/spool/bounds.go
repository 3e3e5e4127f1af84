package spool

import (
	"os"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/pialert/pialert/pkg/wire"
	pialertv1 "github.com/pialert/pialert/proto/pialert/v1"
)

// overdue returns the oldest segments that have to give way before expected bytes more are
// written, and records in the ledger what is lost with them. The newest segment stays.
func (s *Spool) overdue(segments []*segment, l *ledger, expected int64) []*segment {
	var total int64
	for _, g := range segments {
		total += g.size
	}
	n := 0
	for n < len(segments)-1 {
		g := segments[n]
		if total+expected <= s.options.MaxBytes && l.age-g.last <= s.options.MaxAge {
			break
		}
		total -= g.size
		n++
		if g.first == g.next {
			continue
		}
		l.lose(g.first, g.next-1, s.attempts(g, l.delivered()))
	}
	return segments[:n]
}

// attempts returns how many attempts the events of a segment after a number stand for.
func (s *Spool) attempts(g *segment, after uint64) uint64 {
	if after < g.first {
		return g.attempts
	}
	data, err := os.ReadFile(g.path)
	if err != nil {
		return 0
	}
	var attempts uint64
	scan(data, g.salt, func(f *frame, _, _ int) {
		switch {
		case f.first+uint64(f.count)-1 <= after:
		case f.first > after:
			attempts += f.attempts
		default:
			p := picker{after: after, limit: maxFrame}
			p.add(f.first, f.count, f.batch)
			attempts += countAttempts(p.batch)
		}
	})
	return attempts
}

func countAttempts(batch []byte) (attempts uint64) {
	var message pialertv1.Batch
	if err := proto.Unmarshal(batch, &message); err != nil {
		return 0
	}
	for _, m := range message.GetEvents() {
		if _, e, err := wire.Decode(m); err == nil && e.Kind.Attempt() && !e.Test {
			attempts += e.Count
		}
	}
	return attempts
}

// keptSegments is how many of the newest segments are kept though everybody has their events: the
// one that is written, and the one before it, in case the state at the newest one's beginning
// gets damaged.
const keptSegments = 2

// release deletes the oldest segments that no consumer waits for. The caller holds s.mu.
func (s *Spool) release() {
	delivered := s.ledger.delivered()
	if len(s.ledger.consumers) > 0 {
		s.recent.forget(delivered)
	}
	n := 0
	for n < len(s.segments)-keptSegments && s.segments[n].next <= delivered+1 {
		n++
	}
	s.remove(n)
}

// remove deletes the n oldest segments. One is gone for good before the next is deleted: else a power cut
// could bring an older one back but not a newer one, and the events between would seem lost, since what
// was acknowledged may not be written down yet. The caller holds s.mu.
func (s *Spool) remove(n int) {
	done := 0
	for ; done < n; done++ {
		if s.removed {
			if err := s.options.storage.syncDir(s.options.Dir); err != nil {
				s.options.Logger.Error("cannot delete a segment of the spool, trying again later", "error", err)
				break
			}
		}
		if err := s.options.storage.remove(s.segments[done].path); err != nil {
			s.options.Logger.Error("cannot delete a segment of the spool", "error", err)
		}
		s.removed = true
	}
	if done == 0 {
		return
	}
	s.segments = slices.Clone(s.segments[done:])
	s.recent.forget(s.segments[0].first - 1)
}
