package presence_test

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pialert/pialert/display/internal/presence"
)

var start = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func at(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }

func TestLost(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		agent presence.Agent
		now   int // seconds after the start; the limit is 60
		want  bool
	}{
		"paired long ago, not heard yet":         {presence.Agent{Paired: at(-9999)}, 60, false},
		"paired long ago, not heard for longer":  {presence.Agent{Paired: at(-9999)}, 61, true},
		"paired a moment ago":                    {presence.Agent{Paired: at(500)}, 560, false},
		"paired a moment ago, silent for longer": {presence.Agent{Paired: at(500)}, 561, true},
		"heard":                                  {presence.Agent{Heard: at(500)}, 560, false},
		"heard, then silent":                     {presence.Agent{Heard: at(500)}, 561, true},
		"connected, but silent":                  {presence.Agent{Heard: at(500), Connected: true}, 561, true},
		"the clock went back":                    {presence.Agent{Heard: at(500)}, 0, false},
	}
	for name, test := range tests {
		if got := presence.Lost(test.agent, start, at(test.now), time.Minute); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

// panel notes what it is told.
type panel struct{ told []string }

func (p *panel) SetLost(lamp int, lost bool) { p.told = append(p.told, fmt.Sprint(lamp, " ", lost)) }
func (p *panel) SetWaiting(waiting bool)     { p.told = append(p.told, fmt.Sprint("waiting ", waiting)) }

// Two agents share lamp 3, one has lamp 0, and no lamp stands for the last.
var lampOf = map[string]int{"a": 0, "b": 3, "c": 3, "nobody's": -1}

func TestThePanelIsToldWhatChanged(t *testing.T) {
	t.Parallel()
	heard := map[string]time.Time{}
	connected := map[string]bool{}
	limit := time.Minute
	var faults []int
	panel := &panel{}
	monitor := presence.New(presence.Options{
		Panel: panel, Started: start,
		Limit: func() time.Duration { return limit },
		Lamp:  func(agent string) int { return lampOf[agent] }, Faults: func() []int { return faults },
		Agents: func() (all []presence.Agent) {
			for name := range lampOf {
				all = append(all, presence.Agent{Name: name, Connected: connected[name], Heard: heard[name]})
			}
			return all
		},
	})
	steps := []struct {
		say  string
		do   func()
		now  int
		want []string // sorted
	}{
		{"nobody was heard yet", func() {}, 0, []string{"waiting true"}},
		{"still nobody", func() {}, 30, nil},
		{"one connects", func() { connected["a"] = true }, 31, []string{"waiting false"}},
		{"all but nobody's are heard", func() { heard["a"], heard["b"], heard["c"] = at(40), at(40), at(40) }, 40, nil},
		{"all but a are silent", func() { heard["a"] = at(100) }, 101, []string{"3 true"}},
		{"nothing changes", func() {}, 102, nil},
		{"c is back, b is not", func() { heard["c"] = at(103) }, 103, nil},
		{"b is back, too", func() { heard["b"] = at(104) }, 104, []string{"3 false"}},
		{"the limit shrinks", func() { limit = 3 * time.Second }, 105, []string{"0 true"}},
		{"who was heard once is not waited for", func() { connected["a"] = false }, 106, nil},
		{"something of the display's own fails", func() { faults = []int{0, 6} }, 106, []string{"6 true"}},
		{"a lamp stays lost while one of its reasons does", func() { limit = time.Hour }, 107, nil},
		{"all is well", func() { faults = nil }, 107, []string{"0 false", "6 false"}},
	}
	for _, s := range steps {
		panel.told = nil
		s.do()
		monitor.Look(at(s.now))
		slices.Sort(panel.told)
		if !reflect.DeepEqual(panel.told, s.want) {
			t.Errorf("%s: the panel was told %q, want %q", s.say, panel.told, s.want)
		}
	}
}

// An agent that falls silent is lost within a second after the limit.
func TestRunLooksEverySecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		panel := &panel{}
		started := time.Now()
		monitor := presence.New(presence.Options{
			Panel: panel, Started: started,
			Limit:  func() time.Duration { return time.Minute },
			Lamp:   func(string) int { return 5 },
			Agents: func() []presence.Agent { return []presence.Agent{{Name: "a", Heard: started}} },
		})
		ctx, cancel := context.WithTimeout(t.Context(), 61*time.Second+time.Millisecond)
		defer cancel()
		if err := monitor.Run(ctx); err != nil {
			t.Error(err)
		}
		if want := []string{"5 true"}; !reflect.DeepEqual(panel.told, want) {
			t.Errorf("the panel was told %q, want %q", panel.told, want)
		}
	})
}
