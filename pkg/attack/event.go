// Package attack holds the words of the domain: what an attack event is and which kinds there
// are.
//
// An [Event] is what a matcher makes of log lines and what everything after it carries, stores
// and draws. It promises bounds, not truth: [Event.Check] refuses an event that no conforming agent
// could have made. Text in an event is what an attacker wrote: any bytes, valid UTF-8 or not,
// control characters included. Whoever shows it must quote it.
//
// The package knows no log format, no transport and no storage, and imports only the standard
// library.
package attack

import (
	"fmt"
	"net/netip"
	"time"
)

// Event says that an attack was attempted. The zero value is not valid.
type Event struct {
	Kind     Kind
	Severity Severity
	Rule     string // id of the rule that matched, such as "sshd-failed-password"

	Logged   time.Time // when the daemon says that it happened; zero if the line has no time
	Observed time.Time // when the agent read the line

	SourceIP   netip.Addr // IPv4-mapped addresses as IPv4, no zone; invalid if the line has none
	SourceHost string     // the name that was logged where an address was expected
	SourcePort uint16     // 0 if unknown
	User       string     // the account that was tried; may be empty though one was sent

	Count uint64 // attempts that this event stands for; 0 only for updates of an episode
	Test  bool   // fired by a person: lights, but is never added to an attack total

	Host   string // the machine that wrote the line; empty if it is the agent's own
	Log    string // name of the log that the line stood in
	Detail Detail // nil, or what is particular to the event's family
}

// Check returns an error that names the first field outside its bounds, or nil.
func (e *Event) Check() error {
	switch {
	case !e.Kind.Valid():
		return fmt.Errorf("%w: %s is no kind", ErrInvalid, e.Kind)
	case !e.Severity.Valid():
		return fmt.Errorf("%w: severity %d is unknown", ErrInvalid, uint8(e.Severity))
	case len(e.Rule) > MaxRuleID:
		return tooLong("rule", len(e.Rule), MaxRuleID)
	case e.Observed.IsZero():
		return fmt.Errorf("%w: it has no time of observation", ErrInvalid)
	case !plausible(e.Observed):
		return fmt.Errorf("%w: observed in the year %d", ErrInvalid, e.Observed.Year())
	case !e.Logged.IsZero() && !plausible(e.Logged):
		return fmt.Errorf("%w: logged in the year %d", ErrInvalid, e.Logged.Year())
	case e.SourceIP.Is4In6() || e.SourceIP.Zone() != "":
		return fmt.Errorf("%w: source address %s is mapped or has a zone", ErrInvalid, e.SourceIP)
	case len(e.SourceHost) > MaxName:
		return tooLong("source host", len(e.SourceHost), MaxName)
	case len(e.User) > MaxUser:
		return tooLong("user", len(e.User), MaxUser)
	case e.Count > MaxCount:
		return fmt.Errorf("%w: count %d is above %d", ErrInvalid, e.Count, uint64(MaxCount))
	case e.Count == 0 && !e.Kind.mayCountNothing():
		return fmt.Errorf("%w: it counts no attempt", ErrInvalid)
	case len(e.Host) > MaxName:
		return tooLong("host", len(e.Host), MaxName)
	case len(e.Log) > MaxName:
		return tooLong("log", len(e.Log), MaxName)
	case !e.Test && !fits(e.Detail, e.Kind):
		return fmt.Errorf("%w: its detail is of another kind than %s", ErrInvalid, e.Kind)
	}
	return checkDetail(e.Detail)
}

// The years that a log which still exists can say. Year-less stamps in test logs go back to the
// 2000s; nothing real is dated before 1990 or after 2200.
const (
	firstYear = 1990
	lastYear  = 2200
)

func plausible(t time.Time) bool { return t.UTC().Year() >= firstYear && t.UTC().Year() <= lastYear }

// FixTimes makes times acceptable that a clock gave which is wrong by decades, as that of a
// machine without a battery may be: the event counts all the same. A time logged that cannot be
// is as good as none.
func (e *Event) FixTimes() {
	if !plausible(e.Logged) {
		e.Logged = time.Time{}
	}
	switch year := e.Observed.UTC().Year(); {
	case year < firstYear:
		e.Observed = time.Date(firstYear, time.January, 1, 0, 0, 0, 0, time.UTC)
	case year > lastYear:
		e.Observed = time.Date(lastYear, time.December, 31, 0, 0, 0, 0, time.UTC)
	}
}

// Clip returns at most the first n bytes of text. It may cut a rune in two: event text is bytes.
func Clip(text string, n int) string {
	if len(text) > n {
		return text[:n]
	}
	return text
}
