package nats

import (
	"github.com/nats-io/nats.go/jetstream"

	"github.com/pialert/pialert/pkg/broker"
)

// Status is how the way through the broker stands.
type Status struct {
	Server  string  `json:"server,omitempty"` // that is connected; empty while none is
	Error   string  `json:"error,omitempty"`  // why nothing comes now
	Frail   string  `json:"frail,omitempty"`  // why the broker may lose what it has acknowledged
	Waiting uint64  `json:"waiting"`          // messages that the broker has for this display, when last asked
	Dropped Dropped `json:"dropped,omitzero"` // messages that were no agent's

	// Others are what the broker keeps for other displays, when last asked.
	Others  []broker.Waiting `json:"others,omitempty"`
	Resyncs uint64           `json:"resyncs,omitempty"` // times that the stream was read again, since numbers were missing
}

// Dropped counts messages that were dropped, by why.
type Dropped struct {
	Sealed   uint64 `json:"not_sealed"` // altered, or not for this display
	Unpaired uint64 `json:"unpaired"`   // of machines that are not paired
	Unwanted uint64 `json:"unwanted"`   // of agents that another display takes
	Refused  uint64 `json:"refused"`    // of agents that were cut off
	Stale    uint64 `json:"stale"`      // heartbeats that were kept or made up on the way, or came too often
	Joins    uint64 `json:"joins"`      // requests to pair that were refused
}

// fail notes why nothing comes, or that it comes again.
func (s *Server) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.status.Error
	s.status.Error = ""
	if err == nil {
		return
	}
	s.status.Error = err.Error()
	if was != s.status.Error {
		s.options.Logger.Warn("nothing comes by the broker, trying again", "error", err)
	}
}

// Status returns how the way through the broker stands.
func (s *Server) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	status := s.status
	if s.conn != nil && s.conn.IsConnected() {
		status.Server = s.conn.ConnectedUrlRedacted()
	} else if s.conn != nil {
		if fault := s.conn.Fault(); fault != nil {
			status.Error = "not connected: " + fault.Error()
		}
	}
	return status
}

// drop takes a message off the stream that is of no use.
func (s *Server) drop(message jetstream.Msg, count *uint64, why string, args ...any) {
	s.dropped(count, "dropped a message of the broker", why, args...)
	message.Term()
}

// dropped counts what is of no use, and logs the first, the second, the fourth ... of them.
func (s *Server) dropped(count *uint64, what, why string, args ...any) {
	s.mu.Lock()
	*count++
	n := *count
	s.mu.Unlock()
	if n&(n-1) == 0 {
		s.options.Logger.Warn(what, append([]any{"reason", why, "so far", n}, args...)...)
	}
}
