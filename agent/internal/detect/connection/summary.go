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

// restore makes a connection of a summary.
func (s *summary) restore(c *connection) {
	c.addr, c.port, c.counted, c.accepted = s.addr, s.port, s.counted, s.accepted
	c.attempts, c.inAdvance, c.reported = s.attempts, s.inAdvance, s.reported
	c.seen, c.observed = s.seen, s.observed
}
