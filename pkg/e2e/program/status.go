package program

import (
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// DisplayStatus is what the end-to-end tests read of `pialert-display status --format json`.
type DisplayStatus struct {
	Lamps []struct {
		Name  string `json:"name"`
		Total uint64 `json:"total"`
	} `json:"lamps"`
	Kinds  map[attack.Kind]uint64 `json:"kinds"`
	Agents []struct {
		Name  string    `json:"name"`
		Total uint64    `json:"total"`
		Heard time.Time `json:"heard"`
	} `json:"agents"`
}

// AgentStatus is what the end-to-end tests read of `pialert-agent status --format json`.
type AgentStatus struct {
	Sources []struct {
		Path   string `json:"path"`
		Lines  uint64 `json:"lines"`
		Events uint64 `json:"events"`
	} `json:"sources"`
}

// Found adds up the events of all sources.
func (s AgentStatus) Found() (events uint64) {
	for _, source := range s.Sources {
		events += source.Events
	}
	return events
}
