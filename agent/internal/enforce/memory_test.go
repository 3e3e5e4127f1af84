package enforce

import (
	"log/slog"
	"maps"
	"slices"
	"testing"

	"github.com/pialert/pialert/agent/internal/policy"
)

// What is kept is all that there is: keys that make no sense are refused, others are another's.
func TestRestoreOfResponses(t *testing.T) {
	en := New(Options{Mode: Observe, Policy: policy.Defaults(), Never: &guard{}, Logger: slog.New(slog.DiscardHandler)})
	for key, want := range map[string]bool{
		"connection/1": true, pendingKey + "9.9.9.9/32": false, pendingKey + "x": false, announcedKey + "9.9.9.9/32": false, policyKey + "x": false,
	} {
		own, err := en.Restore(key, []byte("{"))
		if own == want || own == (err == nil) {
			t.Errorf("%q: own %t, %v", key, own, err)
		}
	}
	if left := slices.Collect(maps.Keys(en.pending)); len(left) > 0 {
		t.Errorf("pending %v", left)
	}
}
