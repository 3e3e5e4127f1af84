package program

import (
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// DisplayStatus is what is read here of `pialert-display status --format json`.
type DisplayStatus struct {
	Problems []string `json:"problems"`
	Total    uint64   `json:"total"`
	Lamps    []struct {
		Name  string `json:"name"`
		Total uint64 `json:"total"`
	} `json:"lamps"`
	Kinds  map[attack.Kind]uint64 `json:"kinds"`
	Tests  uint64                 `json:"tests"`
	Agents []struct {
		Name      string    `json:"name"`
		Connected bool      `json:"connected"`
		Heard     time.Time `json:"last_heard"`
	} `json:"agents"`
}

// Lit adds up the totals of the lamps.
func (s DisplayStatus) Lit() (total uint64) {
	for _, lamp := range s.Lamps {
		total += lamp.Total
	}
	return total
}

// AgentStatus is what is read here of `pialert-agent status --format json`.
type AgentStatus struct {
	Sources []struct {
		Path   string `json:"source"`
		Lines  uint64 `json:"lines"`
		Events uint64 `json:"events"`
	} `json:"sources"`
	Spool struct {
		Next    uint64 `json:"next_sequence"`    // the number of the next event
		Waiting uint64 `json:"waiting"`          // events that a display has not committed
		Dropped uint64 `json:"dropped_attempts"` // that were too many to be kept
	} `json:"spool"`
}

// Found adds up the events of all sources.
func (s AgentStatus) Found() (events uint64) {
	for _, source := range s.Sources {
		events += source.Events
	}
	return events
}
