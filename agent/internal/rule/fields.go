package rule

import (
	"net/netip"

	"github.com/pialert/pialert/agent/internal/header"
	"github.com/pialert/pialert/agent/internal/value"
)

// Fields is what a rule read from a line. Its texts point into the line.
type Fields struct {
	Source      netip.Addr // invalid if the line has none, or a name
	Count       uint64     // at least 1
	PID         uint32     // of the connection, if the rule says so
	Port        uint16
	InvalidUser bool   // the daemon says that there is no such account
	Host        []byte // the name where an address was expected
	User        []byte
	Method      []byte
	Reason      []byte
	Target      []byte
	TTY         []byte
	Jail        []byte
	Fingerprint []byte
}

// Reader reads fields. It remembers the last address, since the next line mostly has the same, and
// belongs to one goroutine.
type Reader struct {
	text   [len("255.255.255.255")]byte
	length int
	addr   netip.Addr
}

// Read fills the fields from the groups of a match.
func (x *Reader) Read(f *Fields, r *Rule, text []byte, loc []int) {
	*f = Fields{}
	f.Count = 1
	for _, g := range r.groups {
		from := loc[g.slot]
		if from < 0 {
			continue
		}
		part := text[from:loc[g.slot+1]]
		switch g.name {
		case groupSource:
			x.readSource(f, part)
		case groupPort:
			f.Port, _ = value.Port(part)
		case groupUser:
			f.User = part
		case groupMethod:
			f.Method = part
		case groupReason:
			f.Reason = part
		case groupInvalid:
			f.InvalidUser = true
		case groupCount:
			if n, ok := value.Uint(part); ok && n > 0 {
				f.Count = min(n, header.MaxRepeats)
			}
		case groupTarget:
			f.Target = part
		case groupTTY:
			f.TTY = part
		case groupJail:
			f.Jail = part
		case groupFingerprint:
			f.Fingerprint = part
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

// Distrust drops what a cut message cannot be trusted to say.
func (f *Fields) Distrust() {
	f.Source, f.Port, f.Host, f.User = netip.Addr{}, 0, nil, nil
}

// readSource reads what a daemon writes for a peer: an address, "[address]:port", or else a host
// name. sshd writes UNKNOWN for a peer that it can no longer ask for.
func (x *Reader) readSource(f *Fields, text []byte) {
	if x.length > 0 && string(text) == string(x.text[:x.length]) {
		f.Source = x.addr
		return
	}
	if addr, ok := value.IPv4(text); ok { // as nearly always
		f.Source = addr
		x.addr, x.length = addr, copy(x.text[:], text)
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
	if f.Source, f.Host = peer.Addr, peer.Host; peer.Port != 0 {
		f.Port = peer.Port
	}
}
