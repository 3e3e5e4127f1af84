// Package wake lets one goroutine tell another that there is something to look at.
package wake

// Bell is rung by any number of goroutines and waited for by one. It remembers one ring, so that
// nothing that happened before a wait is missed, and ringing never waits.
type Bell chan struct{}

// New makes a bell that nobody has rung.
func New() Bell { return make(Bell, 1) }

// Ring has whoever waits for the bell, now or next, go on.
func (b Bell) Ring() {
	select {
	case b <- struct{}{}:
	default:
	}
}
