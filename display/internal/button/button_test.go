package button_test

import (
	"slices"
	"testing"
	"time"

	"github.com/pialert/pialert/display/internal/button"
)

// press plays a button that is down during the given spans, read every 5 ms for six seconds, and
// returns what it meant, without repeats.
func press(down func(at time.Duration) bool) []button.Action {
	var b button.Button
	var actions []button.Action
	start := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for at := time.Duration(0); at < 6*time.Second; at += 5 * time.Millisecond {
		action, held := b.Feed(down(at), start.Add(at))
		if held < 0 || held > 1 {
			panic("held is a fraction")
		}
		if action != button.None && (len(actions) == 0 || actions[len(actions)-1] != action) {
			actions = append(actions, action)
		}
	}
	return actions
}

func between(from, to time.Duration) func(time.Duration) bool {
	return func(at time.Duration) bool { return at >= from && at < to }
}

func TestPresses(t *testing.T) {
	bouncing := func(at time.Duration) bool {
		switch {
		case at < time.Second || at >= 1300*time.Millisecond:
			return false
		case at < 1020*time.Millisecond || at >= 1280*time.Millisecond:
			return at/(5*time.Millisecond)%2 == 0
		}
		return true
	}
	tests := map[string]struct {
		down func(time.Duration) bool
		want []button.Action
	}{
		"nobody":             {between(0, 0), nil},
		"a spark":            {between(time.Second, time.Second+15*time.Millisecond), nil},
		"a tap":              {between(time.Second, 1200*time.Millisecond), []button.Action{button.Short}},
		"a tap that bounces": {bouncing, []button.Action{button.Short}},
		"a long press":       {between(time.Second, 5*time.Second), []button.Action{button.Holding, button.LongDone}},
		"a change of mind":   {between(time.Second, 3*time.Second), []button.Action{button.Holding, button.Released}},
		"held at power-on":   {between(0, 5*time.Second), nil},
		"and then tapped": {func(at time.Duration) bool {
			return at < time.Second || between(2*time.Second, 2200*time.Millisecond)(at)
		}, []button.Action{button.Short}},
		"exactly a long hold": {between(time.Second, 4*time.Second+5*time.Millisecond), []button.Action{button.Holding, button.LongDone}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := press(test.down); !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestTwoTapsAreTwo(t *testing.T) {
	var b button.Button
	start := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	taps := 0
	for at := time.Duration(0); at < time.Second; at += 5 * time.Millisecond {
		down := between(100*time.Millisecond, 200*time.Millisecond)(at) || between(300*time.Millisecond, 400*time.Millisecond)(at)
		if action, _ := b.Feed(down, start.Add(at)); action == button.Short {
			taps++
		}
	}
	if taps != 2 {
		t.Errorf("%d taps, want 2", taps)
	}
}
