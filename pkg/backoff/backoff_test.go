package backoff_test

import (
	"slices"
	"testing"
	"time"

	"github.com/pialert/pialert/pkg/backoff"
)

func TestPausesDoubleUpToTheLast(t *testing.T) {
	pauses := func(least, random float64) (all []time.Duration) {
		wait := backoff.Backoff{First: time.Second, Last: 10 * time.Second, Least: least, Random: func() float64 { return random }}
		for range 100 {
			all = append(all, wait.Next())
		}
		wait.Reset()
		return append(all, wait.Next())
	}
	most := pauses(0, 1)
	if want := []time.Duration{1e9, 2e9, 4e9, 8e9, 10e9, 10e9}; !slices.Equal(most[:6], want) || most[99] != 10*time.Second || most[100] != time.Second {
		t.Errorf("the longest pauses are %v", most)
	}
	if none := pauses(0, 0); slices.Max(none) != 0 {
		t.Errorf("the shortest pauses are %v", none)
	}
	if half := pauses(0.5, 0); half[0] != time.Second/2 || half[99] != 5*time.Second {
		t.Errorf("the shortest pauses are %v where half is the least", half)
	}
}

func TestWaitEnds(t *testing.T) {
	woken := make(chan struct{})
	close(woken)
	backoff.Wait(t.Context(), time.Hour, woken)
	backoff.Wait(t.Context(), 0, nil)
}
