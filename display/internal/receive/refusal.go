package receive

import "errors"

// Reason is the sort of a refusal.
type Reason int

// The reasons for which agents are cut off.
const (
	Invalid   Reason = iota + 1 // a message that makes no sense
	OutOfTurn                   // a message that does not follow from those before
	TooMuch                     // more than any conforming agent sends
)

// Refusal is why an agent is cut off: it sent what no conforming agent sends.
type Refusal struct {
	Reason Reason
	Text   string // what it did, for its owner
}

func (r *Refusal) Error() string { return r.Text }

// Later is why a session is refused now, though one may be opened later.
type Later struct{ Text string }

func (l *Later) Error() string { return l.Text }

// Why sessions end without anybody's fault.
var (
	ErrReplaced    = errors.New("another stream of this agent took over")
	ErrUnavailable = errors.New("the display cannot store events now")
	ErrStopping    = errors.New("the display is stopping")
)
