package show_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/pialert/pialert/display/internal/show"
)

// A reader sees the present value, whatever came between, and waits for another.
func TestLatest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l show.Latest[int]
		set := func(n int) { l.Change(func(v *int) { *v = n }) }
		set(1)
		set(2)
		value, number, err := l.Next(t.Context(), 0)
		if value != 2 || err != nil {
			t.Fatalf("%d, error %v; want 2", value, err)
		}
		var seen [2]int
		for i := range seen {
			go func() { seen[i], _, _ = l.Next(t.Context(), number) }()
		}
		synctest.Wait()
		if seen != [2]int{} {
			t.Fatalf("seen %v before it changed", seen)
		}
		set(3)
		synctest.Wait()
		if seen != [2]int{3, 3} {
			t.Errorf("seen %v, want 3 twice", seen)
		}
		set(4)
		if value, _, err := l.Next(t.Context(), 3); value != 4 || err != nil {
			t.Errorf("%d, error %v; want 4", value, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := l.Next(ctx, 4); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want the context's", err)
		}
	})
}
