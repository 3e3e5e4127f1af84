package link

import (
	"context"
	"time"
)

// Pauses between attempts grow from firstPause to lastPause, and are random below that ("full
// jitter"), so that the agents of a display that comes back do not all knock at once. After a
// connection that lasted for stableAfter they begin anew.
const (
	firstPause  = 250 * time.Millisecond
	lastPause   = 30 * time.Second
	stableAfter = 10 * time.Second
)

// backoff counts attempts that failed in a row.
type backoff struct {
	random func() float64 // in [0,1)
	failed int
}

// next returns how long to wait after one more failed attempt.
func (b *backoff) next() time.Duration {
	most := lastPause
	if b.failed < 16 { // 2^16 first pauses are far above the last one
		most = min(lastPause, firstPause<<b.failed)
	}
	b.failed++
	return time.Duration(b.random() * float64(most))
}

func (b *backoff) reset() { b.failed = 0 }

// pause waits for d, or less if ctx ends or wake is closed.
func pause(ctx context.Context, d time.Duration, wake <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-wake:
	case <-ctx.Done():
	}
}
