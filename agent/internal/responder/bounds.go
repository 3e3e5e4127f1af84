package responder

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Bounds are what no decision can exceed.
type Bounds struct {
	Bans      int           // at a time
	PerMinute int           // new ones
	Shortest4 int           // least length of an IPv4 prefix
	Shortest6 int           // the same of IPv6
	Longest   time.Duration // of a ban
}

// DefaultBounds are far above what an attack on one server needs.
func DefaultBounds() Bounds {
	return Bounds{Bans: 1 << 16, PerMinute: 6000, Shortest4: 16, Shortest6: 32, Longest: 30 * 24 * time.Hour}
}

// ErrRefused is wrapped by the errors of decisions that are not carried out.
var ErrRefused = errors.New("refused")

// Request is a decision as it comes over the socket.
type Request struct {
	Target   netip.Prefix  `json:"target"`
	For      time.Duration `json:"for"` // in nanoseconds
	Reason   string        `json:"reason"`
	Evidence string        `json:"evidence,omitempty"`
}

// maxText bounds reasons and evidence, in bytes.
const maxText = 1024

// check refuses what is out of bounds by itself.
func (b Bounds) check(r Request) error {
	refuse := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrRefused, fmt.Sprintf(format, args...))
	}
	switch {
	case !r.Target.IsValid() || r.Target != r.Target.Masked() || r.Target.Addr().Is4In6() || r.Target.Addr().Zone() != "":
		return refuse("%q is no address or network", r.Target)
	case r.Target.Addr().Is6() && r.Target.Bits() > 64:
		return refuse("%s: IPv6 is banned by /64 or larger", r.Target)
	case r.Target.Addr().Is4() && r.Target.Bits() < b.Shortest4, r.Target.Addr().Is6() && r.Target.Bits() < b.Shortest6:
		return refuse("%s is too large a network", r.Target)
	case r.For < time.Second || r.For > b.Longest:
		return refuse("a ban of %s is not between 1s and %s", r.For, b.Longest)
	case len(r.Reason) > maxText || len(r.Evidence) > maxText:
		return refuse("its reason is longer than %d bytes", maxText)
	}
	return nil
}

// maxPause bounds a pause, so that a forgotten one ends.
const maxPause = 24 * time.Hour
