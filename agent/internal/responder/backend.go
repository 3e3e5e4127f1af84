package responder

import (
	"context"
	"net/netip"
	"time"

	"github.com/pialert/pialert/agent/internal/value"
)

// Backend carries bans out. Its methods are called by one goroutine at a time, but for Watch.
type Backend interface {
	// Sync makes what is in force equal to the bans; nobody in allow is ever held off. It returns how
	// much it had to change. It may take long, but ends soon after ctx.
	Sync(ctx context.Context, bans []Ban, allow value.Networks, now time.Time) (changed int, err error)
	// Watch calls changed when somebody else may have changed what is in force, until ctx ends.
	Watch(ctx context.Context, changed func()) error
	// Leave takes back what would not end by itself, as nobody is there any more who would end it.
	Leave() error
}

// Quick is a backend that can put one more ban in force at once, waiting for nobody but the kernel.
type Quick interface {
	Backend
	// Add puts one more ban in force. An error means that Sync is due.
	Add(ban Ban, now time.Time) error
}

// Counting is a backend that knows how much it held off.
type Counting interface {
	Backend
	// Dropped returns how many packets and bytes were dropped since what drops them was made.
	Dropped() (packets, bytes uint64, err error)
}

// Ban is a decision that was accepted.
type Ban struct {
	Target   netip.Prefix `json:"target"`
	Since    time.Time    `json:"since"`
	Until    time.Time    `json:"until"`
	Reason   string       `json:"reason"`
	Evidence string       `json:"evidence,omitempty"`
}
