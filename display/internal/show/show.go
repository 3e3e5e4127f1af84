// Package show decides what becomes of an event that arrives.
//
// The lamps count it, the panel lights for it, and whoever subscribed sees it: the terminal, the
// page, a command that watches.
//
// # What it promises
//
//   - [Feed.Show] never waits. When it returns, each of its events is in the totals once and the
//     panel has been woken once.
//   - A subscriber reads at its own pace. One that falls behind by more than [Keep] events is told
//     how many it missed; it slows down neither reception nor the lamps nor another subscriber.
//   - All subscribers see the same events in the same order, and together they cost the memory of
//     Keep events.
//
// # What it refuses
//
// It stores nothing: who must see every event, however late, reads the history after its commit.
// It does not judge either: an event reaches it once, checked by reception.
package show

import (
	"context"
	"sync"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// Keep is how many of the newest events a subscriber can still read.
const Keep = 512

// Lamps counts events.
type Lamps interface {
	// Add counts an event. It returns the index of the lamp that shows it, -1 if none does, whether
	// the lamp sweeps, and the lamp's total with the event.
	Add(agent string, event *attack.Event, now time.Time) (lamp int, sweep bool, total uint64)
}

// Panel draws in its own time.
type Panel interface {
	Add(lamp int, severity attack.Severity, sweep bool)
	Warn()
	Refresh()
}

// Shown is an event and what the lamps made of it.
type Shown struct {
	At    time.Time // when it arrived
	Agent string
	Event attack.Event
	Lamp  int    // index of the lamp that shows it, -1 if none does
	Total uint64 // of the lamp with this event
}

// Feed hands events on. Its methods are safe for concurrent use.
type Feed struct {
	lamps Lamps
	panel Panel
	now   func() time.Time

	mu     sync.Mutex
	latest [Keep]Shown   // event number n is at n%Keep
	next   uint64        // number of the next event
	grown  chan struct{} // closed when next grows; nil while nobody waits
}

// New returns a feed without subscribers.
func New(lamps Lamps, panel Panel, now func() time.Time) *Feed {
	return &Feed{lamps: lamps, panel: panel, now: now}
}

// Show takes events of an agent as they arrive, each once. It keeps the events, not the slice.
func (f *Feed) Show(agent string, events []attack.Event) {
	now := f.now()
	f.mu.Lock()
	for i := range events {
		event := &events[i]
		lamp, sweep, total := f.lamps.Add(agent, event, now)
		switch {
		case lamp >= 0:
			f.panel.Add(lamp, event.Severity, sweep)
		case isBreakIn(event):
			f.panel.Warn()
		}
		f.latest[f.next%Keep] = Shown{At: now, Agent: agent, Event: *event, Lamp: lamp, Total: total}
		f.next++
	}
	if f.grown != nil {
		close(f.grown)
		f.grown = nil
	}
	f.mu.Unlock()
	f.panel.Refresh()
}

// isBreakIn says whether somebody got in who had better not: a person has to hear of it whatever the lamps collect.
func isBreakIn(e *attack.Event) bool {
	return (e.Kind == attack.SSHAccepted || e.Kind == attack.LoginAccepted) && e.Severity == attack.High
}

// Subscribe returns a subscription to the events that are shown from now on.
func (f *Feed) Subscribe() *Subscription {
	f.mu.Lock()
	defer f.mu.Unlock()
	return &Subscription{feed: f, next: f.next}
}

// Subscription is one reader's place among the events. It is for one goroutine, and needs no
// closing: the feed does not know it.
type Subscription struct {
	feed *Feed
	next uint64
}

// Next returns the events since the last call, the oldest first, and how many more there were but
// are gone. It waits while there are none, and returns the context's error only then: what was
// shown before the context ended is still read.
func (s *Subscription) Next(ctx context.Context) (shown []Shown, missed uint64, err error) {
	for {
		shown, missed, grown := s.read()
		if len(shown) > 0 {
			return shown, missed, nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return nil, 0, context.Cause(ctx)
		}
	}
}

// read returns what is there, or else a channel that is closed when there is more.
func (s *Subscription) read() (shown []Shown, missed uint64, grown <-chan struct{}) {
	f := s.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	if s.next == f.next {
		if f.grown == nil {
			f.grown = make(chan struct{})
		}
		return nil, 0, f.grown
	}
	if behind := f.next - s.next; behind > Keep {
		missed = behind - Keep
		s.next += missed
	}
	shown = make([]Shown, 0, f.next-s.next)
	for ; s.next < f.next; s.next++ {
		shown = append(shown, f.latest[s.next%Keep])
	}
	return shown, missed, nil
}
