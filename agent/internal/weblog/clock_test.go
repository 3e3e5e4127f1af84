package weblog_test

import (
	"testing"

	"github.com/pialert/pialert/agent/internal/weblog"
)

// What a stamp says does not depend on the one before.
func TestStampsAreReadAlone(t *testing.T) {
	t.Parallel()
	stamps := []string{
		"20/Nov/2026:13:21:02 +0000", "20/Nov/2026:13:21: 2 +0000", "20/Nov/2026:13:21:04 +0000", "20/Nov/2026:13:21:60 +0000",
		"20/Nov/2026:13:21:61 +0000", "20/Nov/2026:13:21:04 +0130", "20/Nov/2026:13:21:05", "20/Nov/2026:13:21: 5", "20/Nov/2026:13:22:04 +0000",
	}
	for _, before := range stamps {
		for _, stamp := range stamps {
			var clock, fresh weblog.Clock
			clock.Access([]byte(before))
			got, ok := clock.Access([]byte(stamp))
			want, wanted := fresh.Access([]byte(stamp))
			if ok != wanted || !got.Equal(want) {
				t.Errorf("%q behind %q: %v, %t, want %v, %t", stamp, before, got, ok, want, wanted)
			}
		}
	}
}
