package history

import "github.com/pialert/pialert/pkg/attack"

// SizeOf is how much room a batch of events takes in the queue.
func SizeOf(b []attack.Event) int { return (&batch{events: b}).measure() }

// Upkeep does what Run does every ten minutes. Nothing else may use the history meanwhile.
func (h *History) Upkeep() { h.upkeep() }
