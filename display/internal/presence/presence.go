// Package presence knows which agents have fallen silent.
//
// Agents speak every few seconds, so one that was not heard for longer than a limit is lost, until
// it is heard again. One that was not heard yet in the life of this process has the same time from
// the process's start on, or from its pairing if that came later: a restart loses nobody. While no
// agent is connected, nor was heard since the start, the display waits for its first.
//
// # What it promises
//
//   - A lamp is lost as long as one of the agents that it stands for is, or something of the display's own
//     fails that it stands for.
//   - The panel is told what changed, and nothing else: it sleeps while nothing moves.
//
// It decides about lights alone. It closes no connection and counts nothing.
package presence

import (
	"context"
	"time"
)

// Agent is a paired agent as far as this process knows it.
type Agent struct {
	Name      string
	Connected bool
	Paired    time.Time
	Heard     time.Time // zero if it was not heard since the process started
}

// Lost says whether an agent has been silent for longer than limit, in a process that started at
// started.
func Lost(a Agent, started, now time.Time, limit time.Duration) bool {
	since := a.Heard
	if since.IsZero() {
		since = started
		if a.Paired.After(since) {
			since = a.Paired
		}
	}
	return now.Sub(since) > limit
}

// Panel shows what is lost.
type Panel interface {
	SetLost(lamp int, lost bool)
	SetWaiting(waiting bool)
}

// Options says whom a [Monitor] looks at, and whom it tells.
type Options struct {
	Panel   Panel
	Started time.Time              // when the process started
	Limit   func() time.Duration   // how long an agent may be silent; it may change
	Agents  func() []Agent         // every paired agent
	Lamp    func(agent string) int // index of the lamp that stands for an agent, -1 if none does
	Faults  func() []int           // indices of the lamps that stand for what fails now besides; nil is none
}

// Monitor tells a panel which lamps have lost an agent. It is for one goroutine.
type Monitor struct {
	Options
	lost    map[int]bool // by lamp, what the panel was told
	waiting bool
}

// New returns a monitor of a panel that shows nothing as lost yet.
func New(options Options) *Monitor { return &Monitor{Options: options} }

// every is how often it is looked whether agents are heard.
const every = time.Second

// Run looks every second until ctx ends, and returns nil then.
func (m *Monitor) Run(ctx context.Context) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		m.Look(time.Now())
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Look looks at every agent once and tells the panel what changed.
func (m *Monitor) Look(now time.Time) {
	lost, waiting, limit := map[int]bool{}, true, m.Limit()
	for _, a := range m.Agents() {
		if Lost(a, m.Started, now, limit) {
			if lamp := m.Lamp(a.Name); lamp >= 0 {
				lost[lamp] = true
			}
		}
		waiting = waiting && !a.Connected && a.Heard.IsZero()
	}
	if m.Faults != nil {
		for _, lamp := range m.Faults() {
			lost[lamp] = true
		}
	}
	for lamp := range m.lost {
		if !lost[lamp] {
			m.Panel.SetLost(lamp, false)
		}
	}
	for lamp := range lost {
		if !m.lost[lamp] {
			m.Panel.SetLost(lamp, true)
		}
	}
	if waiting != m.waiting {
		m.Panel.SetWaiting(waiting)
	}
	m.lost, m.waiting = lost, waiting
}
