package connection

import (
	"net/netip"

	"github.com/pialert/pialert/agent/internal/rule"
)

// MaxEvicted bounds the connections of a log that are kept in a summary.
const MaxEvicted = 1 << 15

// evicted has a summary of the connections that were forgotten for want of room, so that a line that
// repeats what was counted on one counts nothing. When there are too many the one that was evicted
// first goes.
type evicted struct {
	summaries map[key]summary
	order     []key // in which they were evicted, from next on; some were taken back
	next      int
}

// summary is what is kept of a connection on which nothing is pending.
type summary struct {
	addr      netip.Addr
	port      uint16
	counted   bool
	accepted  bool
	attempts  uint32
	inAdvance uint32
	reported  [rule.Reporters]uint32
	seen      int64
	observed  int64
	place     int // in order
}

// add keeps a connection, and returns the key of the one that had to go for it.
func (e *evicted) add(k key, c *connection) (oldest key, full bool) {
	if e.summaries == nil {
		e.summaries = map[key]summary{}
	}
	s := summary{
		addr: c.addr, port: c.port, counted: c.counted, accepted: c.accepted, attempts: c.attempts, inAdvance: c.inAdvance,
		reported: c.reported, seen: c.seen, observed: c.observed, place: e.next,
	}
	if len(e.order) < MaxEvicted {
		s.place = len(e.order)
		e.order = append(e.order, k)
		e.summaries[k] = s
		return key{}, false
	}
	oldest = e.order[e.next]
	if old, ok := e.summaries[oldest]; ok && old.place == e.next {
		delete(e.summaries, oldest)
		full = oldest != k
	}
	e.order[e.next] = k
	e.next = (e.next + 1) % MaxEvicted
	e.summaries[k] = s
	return oldest, full
}

// take returns a connection's summary and keeps it no more.
func (e *evicted) take(k key) (summary, bool) {
	s, ok := e.summaries[k]
	if ok {
		delete(e.summaries, k)
	}
	return s, ok
}

// restore makes a connection of a summary.
func (s *summary) restore(c *connection) {
	c.addr, c.port, c.counted, c.accepted = s.addr, s.port, s.counted, s.accepted
	c.attempts, c.inAdvance, c.reported = s.attempts, s.inAdvance, s.reported
	c.seen, c.observed = s.seen, s.observed
}
