package link

import (
	"log/slog"
	"sync"
	"time"
)

// strangersEvery is the least time between two lines about refused connections.
const strangersEvery = 10 * time.Second

// strangers logs refused connections at a limited rate: whoever scans ports must not fill the
// disk. A line says how many went unlogged before it.
type strangers struct {
	log *slog.Logger

	mu       sync.Mutex
	last     time.Time
	unlogged int
}

func (s *strangers) refused(from string, why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if !s.last.IsZero() && now.Sub(s.last) < strangersEvery {
		s.unlogged++
		return
	}
	s.log.Info("refused a connection", "address", from, "reason", why, "unlogged_before", s.unlogged)
	s.last, s.unlogged = now, 0
}
