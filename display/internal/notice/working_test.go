package notice

import (
	"testing"
	"time"
)

// What fails does so since it worked last, or since it was first looked at; what is gone starts anew.
func TestWorkedRemembersWhen(t *testing.T) {
	t.Parallel()
	begun := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	var worked Worked
	for minute, step := range []struct {
		strip, digits string // works, fails, or is gone
		since         [2]int // minutes
	}{
		{"works", "fails", [2]int{0, 0}},
		{"works", "fails", [2]int{1, 0}},
		{"fails", "fails", [2]int{1, 0}},
		{"fails", "works", [2]int{1, 3}},
		{"works", "fails", [2]int{4, 3}},
		{"gone", "fails", [2]int{0, 3}},
		{"fails", "fails", [2]int{6, 3}},
	} {
		var all []Working
		var want []Heard
		for i, is := range []string{step.strip, step.digits} {
			if is == "gone" {
				continue
			}
			name := [...]string{"the LED strip", "the digit display"}[i]
			all = append(all, Working{name, "did not work", is == "works"})
			want = append(want, Heard{
				Name: name, State: "did not work", Since: begun.Add(time.Duration(step.since[i]) * time.Minute), Alive: is == "works",
			})
		}
		got := worked.Look(all, begun.Add(time.Duration(minute)*time.Minute))
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("minute %d: %+v, want %+v", minute, got[i], want[i])
			}
		}
	}
}
