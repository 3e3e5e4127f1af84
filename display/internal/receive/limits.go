package receive

import (
	"time"
)

// Limits of one agent. An honest agent stays far below those that cut it off: it sends messages
// of about 128 KiB and one heartbeat in 10 seconds.
const (
	maxMessage       = 1 << 20          // bytes of one message
	maxEvents        = 1 << 14          // events of one batch
	maxHeaders       = 8 << 10          // bytes of a stream's headers
	maxStreams       = 2                // of one connection: the second one ends the first
	maxAgents        = 1024             // names in the life of the process
	maxVersion       = 64               // bytes that are kept of an agent's version
	handshakeTimeout = 10 * time.Second // for HTTP/2's beginning, on a connection that is open
	helloTimeout     = 10 * time.Second

	// Messages above this rate are not lost: they are read later, and TCP makes the agent wait.
	messageRate  = 2000 // per second
	messageBurst = 4000

	// The attempts of all events may grow at twice the rate at which an agent can read lines,
	// after a backlog that is hours of that.
	attemptRate  = 20e6 // per second
	attemptBurst = 100e9

	// maxSequence is the highest number: a spool that gave a thousand million a second would
	// reach it in a hundred years.
	maxSequence = 1<<62 - 1
	// maxLost bounds the attempts that one gap says were lost.
	maxLost = 1 << 46

	// penalty is how long an agent that was cut off is refused, so that one that tries again at
	// once costs no more than one stream in that time.
	penalty = 10 * time.Second
	// logEvery is how often a line is logged about cutting off the same agent.
	logEvery = time.Minute
)

// bucket is a token bucket. It is full until it is first used.
type bucket struct {
	rate, burst float64
	tokens      float64
	updated     time.Time
}

// take takes n tokens and returns how long it takes until what was taken is refilled: zero while
// the bucket is not overdrawn. A clock that goes back refills nothing.
func (b *bucket) take(n float64, now time.Time) time.Duration {
	b.refill(now)
	b.tokens -= n
	if b.tokens >= 0 {
		return 0
	}
	return time.Duration(-b.tokens / b.rate * float64(time.Second))
}

// allow takes n tokens if they are there, and says whether they were. A full bucket gives any
// number, overdrawn if need be, so that nobody is refused for ever.
func (b *bucket) allow(n float64, now time.Time) bool {
	b.refill(now)
	if b.tokens < min(n, b.burst) {
		return false
	}
	b.tokens -= n
	return true
}

func (b *bucket) refill(now time.Time) {
	if b.updated.IsZero() {
		b.tokens = b.burst
	} else {
		b.tokens = min(b.burst, b.tokens+b.rate*max(0, now.Sub(b.updated).Seconds()))
	}
	b.updated = now
}
