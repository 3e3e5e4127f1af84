package intake

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/pialert/pialert/agent/internal/value"
	"github.com/pialert/pialert/pkg/attack"
)

// Action is what a report says.
type Action string

// The actions.
const (
	ReportBan     Action = "ban"
	ReportUnban   Action = "unban"
	ReportAttempt Action = "attempt"
)

// Report is what a local program says, such as fail2ban's action.
type Report struct {
	Action Action `json:"action"`
	// Source is an address or, of a ban, a network.
	Source netip.Prefix `json:"source,omitzero"`
	Jail   string       `json:"jail,omitempty"`
	User   string       `json:"user,omitempty"`
	Count  uint64       `json:"count,omitempty"`
	Host   string       `json:"host,omitempty"` // the machine, if it is another one
	// For is how long a ban lasts; 0 is not known, and negative for ever.
	For time.Duration `json:"for,omitempty"`
	// All lifts every ban of the jail. They become events after a while: fail2ban lifts all of its bans
	// when it stops, and bans anew when it starts.
	All bool `json:"all,omitempty"`
	// Key is the report's own, by which it is known when it is repeated for want of an answer; it may be empty.
	Key string `json:"key,omitempty"`
}

// ReportRule is the rule of the events of reports.
const ReportRule = "report"

// Check returns what is wrong with a report.
func (r *Report) Check(now time.Time) error {
	switch {
	case r.Action != ReportBan && r.Action != ReportUnban && r.Action != ReportAttempt:
		return fmt.Errorf("cannot take a report: %q is no action", r.Action)
	case strings.ContainsRune(r.Jail+r.Host, 0):
		return errors.New("cannot take a report: a name holds a NUL")
	case len(r.Key) > attack.MaxWord:
		return errors.New("cannot take a report: its key is too long")
	case r.All && (r.Action != ReportUnban || r.Source.IsValid() || r.Jail == ""):
		return errors.New("cannot take a report: all bans of one jail can be lifted, of no address")
	case r.All:
		return nil
	case !r.Source.IsValid():
		return errors.New("cannot take a report: it has no address")
	case r.Action == ReportAttempt && !r.Source.IsSingleIP():
		return errors.New("cannot take a report: an attempt is of an address, not of a network")
	case r.Action != ReportAttempt && r.Count > 1:
		return errors.New("cannot take a report: a ban is one")
	}
	return r.event(now).Check()
}

// event is what a report becomes.
func (r *Report) event(now time.Time) *attack.Event {
	e := &attack.Event{Rule: ReportRule, Observed: now, User: r.User, Count: max(r.Count, 1), Host: r.Host}
	switch r.Action {
	case ReportBan:
		e.Kind, e.Detail = attack.Ban, attack.BanInfo{Jail: r.Jail}
	case ReportUnban:
		e.Kind, e.Detail = attack.Unban, attack.BanInfo{Jail: r.Jail}
	default:
		e.Kind, e.Detail = attack.RemoteLogin, attack.Service{Name: r.Jail}
	}
	e.Severity = e.Kind.Severity()
	if r.Source.IsSingleIP() {
		e.SourceIP = r.Source.Addr()
	} else if r.Source.IsValid() {
		e.SourceHost = r.Source.String()
	}
	return e
}

// ParseSource reads an address or a network.
func ParseSource(text string) (netip.Prefix, error) {
	source, ok := value.Network(text)
	if !ok {
		return netip.Prefix{}, fmt.Errorf("%q is no address or network", text)
	}
	return source, nil
}
