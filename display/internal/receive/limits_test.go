package receive

import (
	"testing"
	"time"
)

// Whoever is refused for a while gets through in the end, however much is asked for and however
// often it was tried in between.
func TestAllowRefusesNobodyForEver(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	b := bucket{rate: 10, burst: 100}
	if !b.allow(1000, now) {
		t.Fatal("a full bucket refused")
	}
	for tries := 0; !b.allow(1000, now); tries++ {
		if tries == 100 {
			t.Fatal("still refused after 100 tries in as many seconds")
		}
		now = now.Add(time.Second)
	}
	if refilled := now.Sub(time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)); refilled != 100*time.Second {
		t.Errorf("allowed after %v, want the 1m40s in which 1000 are refilled", refilled)
	}
}
