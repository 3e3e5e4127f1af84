package receive

import (
	"testing"
	"time"

	"golang.org/x/time/rate"
)

// Whoever is refused for a while gets through in the end, however much is asked for and however
// often it was tried in between.
func TestAllowRefusesNobodyForEver(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	now := start
	l := rate.NewLimiter(10, 100)
	if !allow(l, 1050, now) {
		t.Fatal("a full bucket refused")
	}
	for tries := 0; !allow(l, 1050, now); tries++ {
		if tries == 200 {
			t.Fatal("still refused after 200 tries in as many seconds")
		}
		now = now.Add(time.Second)
	}
	if refilled := now.Sub(start); refilled != 105*time.Second {
		t.Errorf("allowed after %v, want the 1m45s in which 1050 are refilled", refilled)
	}
}
