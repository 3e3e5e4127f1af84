package receive

import (
	"time"

	"golang.org/x/time/rate"
)

// Limits of one agent. A conforming agent stays far below those that cut it off: it sends
// messages of about 128 KiB and one heartbeat in 10 seconds, keeps one stream, and begins a new
// epoch when its spool was lost.
const (
	maxEvents  = 1 << 14 // events of one batch
	maxAgents  = 1 << 14 // names in the life of the process
	maxKinds   = 64      // kinds of one agent that this display does not know
	maxVersion = 64      // bytes that are kept of an agent's version

	// Messages above this rate are not lost: they are read later, and the transport makes the agent
	// wait.
	messageRate  = 2000 // per second
	messageBurst = 4000

	// The attempts of all events may grow at twice the rate at which an agent can read lines,
	// after a backlog that is hours of that. A limiter counts in int, which has 32 bits on a Pi
	// Zero, so it counts thousands.
	attemptUnit  = 1000
	attemptRate  = 20e6 / attemptUnit // per second
	attemptBurst = 100e9 / attemptUnit

	// Sessions cost a welcome each, and a new epoch a mark in the history that stays.
	sessionEvery = time.Second
	sessionBurst = 60
	epochEvery   = time.Minute
	epochBurst   = 10

	// maxSequence is the highest number: a spool that gave a thousand million a second would
	// reach it in a hundred years.
	maxSequence = 1<<62 - 1
	// maxLost bounds the attempts that one gap says were lost.
	maxLost = 1 << 46

	// penalty is how long an agent that was cut off is refused, so that one that tries again at
	// once costs no more than one stream in that time.
	penalty = 10 * time.Second
	// logEvery is how often the same is logged about the same agent.
	logEvery = time.Minute
)

// limits are the token buckets of an agent.
type limits struct{ messages, attempts, sessions, epochs *rate.Limiter }

func newLimits() limits {
	return limits{
		messages: rate.NewLimiter(messageRate, messageBurst),
		attempts: rate.NewLimiter(attemptRate, attemptBurst),
		sessions: rate.NewLimiter(rate.Every(sessionEvery), sessionBurst),
		epochs:   rate.NewLimiter(rate.Every(epochEvery), epochBurst),
	}
}

// allow takes n tokens if they are there, and says whether they were. A full bucket gives any
// number, overdrawn if need be, so that nobody is refused for ever.
func allow(l *rate.Limiter, n uint64, now time.Time) bool {
	most := uint64(l.Burst())
	if !l.AllowN(now, int(min(n, most))) {
		return false
	}
	for ; n > most; n -= most {
		l.ReserveN(now, int(min(n-most, most)))
	}
	return true
}
