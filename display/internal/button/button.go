// Package button tells a short press of a push button from a long one, and a press from bouncing
// contacts, and does what the presses of a device's two buttons mean.
//
// A [Button] is a pure state machine: it is fed levels with the time at which they were read, and says
// what they mean. [Buttons] reads the pins that it is given and asks the panel. What shuts the machine
// down is given to it, too, and is asked once for each long press, never for a button that is stuck.
package button

import "time"

// Times of a press. Contacts of a cheap button bounce for up to 10 ms (J. Ganssle, "A Guide to
// Debouncing", measured up to 6.2 ms in all but one of 18 buttons); nobody taps for longer than
// half a second by accident; three seconds are long enough to change one's mind.
const (
	Debounce = 20 * time.Millisecond
	Long     = 3 * time.Second
)

// Action is what a press means.
type Action uint8

// The actions.
const (
	None     Action = iota
	Holding         // it is held longer than a tap, and a long press is coming
	Released        // it was let go before the long press was complete: neither short nor long
	Short           // it was tapped
	LongDone        // it was held for the long time; nothing more comes when it is let go
)

// tap is the longest hold that still is a short press.
const tap = 500 * time.Millisecond

// Button is one button. The zero value is a button that nobody presses. It is for one goroutine
// at a time.
type Button struct {
	known   bool      // it was read before
	level   bool      // as read last
	since   time.Time // when the level was first read
	pressed bool      // debounced
	start   time.Time // when the press began
	holding bool
	done    bool
}

// Feed takes a level, true while the button is down, and the time at which it was read. Times
// must not go backwards. It returns what that level means and how much of a long press is
// done, from 0 to 1. A button that is down when it is read first means nothing until it is let
// go: a stuck one must not shut the machine down at every start.
func (b *Button) Feed(down bool, now time.Time) (action Action, held float64) {
	if !b.known {
		b.known, b.level, b.pressed, b.done, b.since = true, down, down, down, now
	}
	if down != b.level {
		b.level, b.since = down, now
	}
	if now.Sub(b.since) >= Debounce && b.pressed != b.level {
		b.pressed = b.level
		if b.pressed {
			b.start, b.holding, b.done = b.since, false, false
			return None, 0
		}
		return b.letGo(), 0
	}
	if !b.pressed || b.done {
		return None, 0
	}
	length := now.Sub(b.start)
	switch {
	case length >= Long:
		b.done = true
		return LongDone, 1
	case length >= tap:
		b.holding = true
		return Holding, float64(length) / float64(Long)
	}
	return None, 0
}

func (b *Button) letGo() Action {
	switch {
	case b.done:
		return None
	case b.holding:
		return Released
	default:
		return Short
	}
}
