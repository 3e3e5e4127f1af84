package fleet

import "testing"

// An agent and a display that only know a broker pair there and count what happens.
func TestThroughABroker(t *testing.T) {
	s := newStage(t, inProcess(t), "")
	s.start()
	s.attack(1)
	s.counted()
	s.attack(999)
	s.counted()
}
