package rule

import (
	"math"
	"net/netip"

	"github.com/pialert/pialert/agent/internal/header"
	"github.com/pialert/pialert/agent/internal/value"
)

// Fields is what a rule read from a text.
type Fields struct {
	Source      netip.Addr // invalid if the text has none, or a name
	Count       uint64     // at least 1
	PID         uint32     // of the connection, if the rule says so
	Port        uint16
	InvalidUser bool // the daemon says that there is no such account
	Host        Span // the name where an address was expected
	User        Span
	Method      Span
	Reason      Span
	Target      Span
	TTY         Span
	Jail        Span
	Fingerprint Span
}

// Span is where a field stands in the text that the rule matched; zero if it has none.
type Span struct{ From, To uint32 }

// In returns the field, nil if the text has none.
func (s Span) In(text []byte) []byte {
	if s.To == 0 {
		return nil
	}
	return text[s.From:s.To]
}

// port reads the port that stands there, 0 if none does: at once where that many bytes are left in the text.
func (s Span) port(text []byte) uint16 {
	if int(s.From)+8 <= len(text) {
		if n, digits := value.Leading(text[s.From:]); digits == int(s.To-s.From) && n <= math.MaxUint16 {
			return uint16(n)
		}
	}
	port, _ := value.Port(s.In(text))
	return port
}

// read fills the fields from the groups of a match.
func (f *Fields) read(r *Rule, text []byte, loc []int) {
	*f = Fields{}
	f.Count = 1
	for _, g := range r.groups {
		if loc[g.slot] < 0 {
			continue
		}
		at := Span{uint32(loc[g.slot]), uint32(loc[g.slot+1])}
		part := at.In(text)
		switch g.name {
		case groupSource:
			f.readSource(at, part)
		case groupPort:
			f.Port = at.port(text)
		case groupUser:
			f.User = at
		case groupMethod:
			f.Method = at
		case groupReason:
			f.Reason = at
		case groupInvalid:
			f.InvalidUser = true
		case groupCount:
			if n, ok := value.Uint(part); ok && n > 0 {
				f.Count = min(n, header.MaxRepeats)
			}
		case groupTarget:
			f.Target = at
		case groupTTY:
			f.TTY = at
		case groupJail:
			f.Jail = at
		case groupFingerprint:
			f.Fingerprint = at
		case groupPID:
			if n, ok := value.Uint(part); ok {
				f.PID = uint32(n)
			}
		case groupThread:
			if n, ok := value.Uint(part); ok && f.PID == 0 {
				f.PID = uint32(n)
			}
		}
	}
}

// portIn returns where in a text the port stands that its fields have, by the groups of its match; the end of the text if there is none.
func (r *Rule) portIn(loc []int, end int) Span {
	at := Span{uint32(end), uint32(end)}
	for _, g := range r.groups {
		switch {
		case loc[g.slot] < 0:
		case g.name == groupPort:
			at = Span{uint32(loc[g.slot]), uint32(loc[g.slot+1])}
		case g.name == groupSource: // which may name a port as well
			at = Span{uint32(end), uint32(end)}
		}
	}
	return at
}

// Distrust drops what a cut message cannot be trusted to say.
func (f *Fields) Distrust() {
	f.Source, f.Port, f.Host, f.User = netip.Addr{}, 0, Span{}, Span{}
}

// readSource reads what a daemon writes for a peer: an address, "[address]:port", or else a host
// name. sshd writes UNKNOWN for a peer that it can no longer ask for.
func (f *Fields) readSource(at Span, text []byte) {
	if addr, ok := value.IPv4(text); ok { // as nearly always
		f.Source = addr
		return
	}
	read := value.ParsePeer
	if len(text) > 0 && text[0] == '[' {
		read = value.ParsePeerPort
	}
	peer, ok := read(text)
	if !ok || string(peer.Host) == "UNKNOWN" || string(peer.Host) == "unknown" {
		return
	}
	if f.Source = peer.Addr; peer.Host != nil {
		f.Host = at
	}
	if peer.Port != 0 {
		f.Port = peer.Port
	}
}
