package connection

import (
	"net/netip"

	"github.com/pialert/pialert/agent/internal/rule"
)

// MaxEvicted bounds the connections of all logs of a [Joiner] that are kept in a summary.
const MaxEvicted = 1 << 14

// evicted are the connections of a log that were forgotten for want of room, and of which [shared] has a
// summary, so that a line that repeats what was counted on one counts nothing.
type evicted struct {
	len   int
	order []key  // in which they were evicted; some were taken back
	gone  uint64 // how many went from order
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
	place     uint64 // in order, and what is gone of it
}

// setAside keeps a summary of a connection. When there are too many, logs that have most of them forget those
// that were evicted first.
func (l *Log) setAside(k key, c *connection) {
	if len(l.summaries) >= MaxEvicted {
		l.takeFromMost(roomEvicted, func(l *Log) int { return l.aside.len }, (*Log).dropOldestEvicted)
	}
	e := &l.aside
	if len(e.order) > 2*e.len+keptChanges {
		l.tidyEvicted()
	}
	if _, again := l.summaries[k]; !again {
		e.len++
	}
	l.summaries[k] = summary{
		addr: c.addr, port: c.port, counted: c.counted, accepted: c.accepted, attempts: c.attempts, inAdvance: c.inAdvance,
		reported: c.reported, seen: c.seen, observed: c.observed, place: e.gone + uint64(len(e.order)),
	}
	e.order = append(e.order, k)
	l.hold()
}

// tidyEvicted leaves out of the order what was taken back.
func (l *Log) tidyEvicted() {
	e := &l.aside
	kept := make([]key, 0, e.len+1)
	for i, k := range e.order {
		if s, ok := l.summaries[k]; ok && s.place == e.gone+uint64(i) {
			s.place = uint64(len(kept))
			l.summaries[k] = s
			kept = append(kept, k)
		}
	}
	e.order, e.gone = kept, 0
}

// dropOldestEvicted forgets the log's summary that was made first.
func (l *Log) dropOldestEvicted() {
	e := &l.aside
	for dropped := false; !dropped && len(e.order) > 0; {
		k := e.order[0]
		if s, ok := l.summaries[k]; ok && s.place == e.gone {
			delete(l.summaries, k)
			l.removed[k] = struct{}{}
			e.len--
			dropped = true
		}
		e.order = e.order[1:]
		e.gone++
	}
	if len(e.order) == 0 {
		e.order = nil
	}
	l.release()
}

// takeBack returns a connection's summary and keeps it no more.
func (l *Log) takeBack(k key) (summary, bool) {
	if l.aside.len == 0 {
		return summary{}, false
	}
	s, ok := l.summaries[k]
	if ok {
		delete(l.summaries, k)
		l.aside.len--
		l.release()
	}
	return s, ok
}

// restore makes a connection of a summary.
func (s *summary) restore(c *connection) {
	c.addr, c.port, c.counted, c.accepted = s.addr, s.port, s.counted, s.accepted
	c.attempts, c.inAdvance, c.reported = s.attempts, s.inAdvance, s.reported
	c.seen, c.observed = s.seen, s.observed
}
