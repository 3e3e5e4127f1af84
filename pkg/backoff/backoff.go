// Package backoff says how long to wait before what failed is tried again.
//
// Pauses double from First to Last, and are random below that ("full jitter"), so that many who
// lost the same thing at the same time do not all come back at once.
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

// Backoff counts attempts that failed in a row. It is for one goroutine.
type Backoff struct {
	First, Last time.Duration  // the most that the first and any later pause may take
	Least       float64        // of the most, the part that a pause takes at least: 0 to 1
	Random      func() float64 // in [0,1); nil stands for math/rand

	failed int
}

// Next returns how long to wait after one more failed attempt.
func (b *Backoff) Next() time.Duration {
	most := b.Last
	if b.failed < 24 && b.First<<b.failed>>b.failed == b.First { // without overflow
		most = min(b.Last, b.First<<b.failed)
	}
	b.failed++
	random := b.Random
	if random == nil {
		random = rand.Float64
	}
	return time.Duration((b.Least + (1-b.Least)*random()) * float64(most))
}

// Reset begins anew, after a success.
func (b *Backoff) Reset() { b.failed = 0 }

// Wait waits for d, or less if ctx ends or wake gets something or is closed.
func Wait(ctx context.Context, d time.Duration, wake <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-wake:
	case <-ctx.Done():
	}
}
