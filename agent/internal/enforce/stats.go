package enforce

import (
	"fmt"
	"time"

	"github.com/pialert/pialert/agent/internal/responder"
	"github.com/pialert/pialert/pkg/escape"
	"github.com/pialert/pialert/pkg/plural"
)

// Stats counts what became of decisions.
type Stats struct {
	Mode    string    `json:"mode"`                 // as configured
	State   string    `json:"state"`                // off, observing, enforcing, on trial, or trial over
	Trial   time.Time `json:"trial_until,omitzero"` // when a trial ends that nobody confirms
	Decided uint64    `json:"decided"`              // bans that were decided, or would have been
	Spared  uint64    `json:"spared"`               // bans that were not, since the source is never banned
	Refused uint64    `json:"refused"`              // bans that the responder refused
	Pending int       `json:"pending"`              // bans that the responder has not taken yet
	Error   string    `json:"error,omitempty"`      // why the responder takes none; empty if it does

	Bans     int                       `json:"bans"` // in the responder's store
	Backends []responder.BackendStatus `json:"backends"`
}

// Stats returns them as they are now.
func (en *Enforcer) Stats() Stats {
	en.mu.Lock()
	defer en.mu.Unlock()
	stats := en.stats
	stats.Pending = len(en.pending)
	stats.State = en.trial.state(en.mode, en.now())
	if stats.State == stateTrial {
		stats.Trial = en.trial.Until
	}
	return stats
}

// Summary says in a line what responses do.
func (s Stats) Summary(now time.Time) string {
	switch s.State {
	case stateOff:
		return "responses are off"
	case stateObserving:
		return fmt.Sprintf("responses observe: %s would have been decided, %d spared", plural.Count(s.Decided, "ban"), s.Spared)
	}
	text := fmt.Sprintf("responses are %s: %d banned now; since the start %d decided, %d spared, %d refused", s.State, s.Bans, s.Decided, s.Spared, s.Refused)
	if s.State == stateTrial {
		text += fmt.Sprintf("\nthe trial ends in %s; keep it with: %s", s.Trial.Sub(now).Round(time.Second), confirmCommand)
	}
	return text
}

// Notes says what is not as it should be, a sentence each.
func (s Stats) Notes() (notes []string) {
	if s.State == stateOver {
		notes = append(notes, "nobody confirmed within five minutes that bans are to be enforced; confirm it with: "+confirmCommand)
	}
	if s.Error != "" && s.Mode == Enforce {
		notes = append(notes, fmt.Sprintf("nobody carries bans out, and %d wait: %s", s.Pending, escape.Text(s.Error)))
	}
	for _, backend := range s.Backends {
		if backend.Error != "" {
			notes = append(notes, fmt.Sprintf("%s does not carry bans out: %s", backend.Name, escape.Text(backend.Error)))
		}
	}
	return notes
}
