package nats

import (
	"sync"

	"github.com/pialert/pialert/pkg/broker"
)

const (
	// perSender is how much of one sender is looked at between two ticks: who lives answers a tick once, and once more
	// when it comes back.
	perSender = 32
	// maxSenders bounds how many are told apart.
	maxSenders = 1 << 15
)

// senders counts what comes of whom between two ticks, before it costs anything to find out what it is: one that sends
// without end takes no time from the others. Who sends is what the broker lets publish on a subject.
type senders struct {
	mu    sync.Mutex
	heard map[broker.ID]int
}

// allow says whether one more message of a sender is looked at.
func (s *senders) allow(from broker.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.heard == nil {
		s.heard = map[broker.ID]int{}
	}
	n, known := s.heard[from]
	if n >= perSender || !known && len(s.heard) >= maxSenders {
		return false
	}
	s.heard[from] = n + 1
	return true
}

// forgive begins anew.
func (s *senders) forgive() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.heard)
}
