package value

import (
	"bytes"
	"net/netip"
)

// Peer is who a daemon says was at the other end.
type Peer struct {
	Addr netip.Addr // IPv4-mapped addresses as IPv4, without zone; invalid if there is none
	Host []byte     // the host name where one was logged instead of an address
	Port uint16     // 0 if not logged
}

// maxHost is the longest name of a host, in bytes (RFC 1035 section 2.3.4).
const maxHost = 255

// ParsePeer reads an address, with brackets or not, or a host name, and says whether b is one of
// them.
func ParsePeer(b []byte) (Peer, bool) {
	if addr, ok := Addr(b); ok {
		return Peer{Addr: addr}, true
	}
	if IsHost(b) {
		return Peer{Host: b}, true
	}
	return Peer{}, false
}

// ParsePeerPort reads an address with its port in the ways of Apache 2.4, which sets a colon
// and the port behind an IPv6 address too (log.c, log_remote_address), and of those that put the
// address into brackets. Where the last group could be either it is the port. The port may be
// missing.
func ParsePeerPort(b []byte) (Peer, bool) {
	if colon := bytes.LastIndexByte(b, ':'); colon > 0 {
		if port, ok := Port(b[colon+1:]); ok {
			if peer, ok := ParsePeer(b[:colon]); ok {
				peer.Port = port
				return peer, true
			}
		}
	}
	return ParsePeer(b)
}

// IsHost says whether b can be a name that a resolver returned. A name of digits and dots only
// would be an address that is none.
func IsHost(b []byte) bool {
	letters := false
	for i, c := range b {
		switch {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_':
			letters = true
		case Digit(c):
		case (c == '-' || c == '.') && i > 0:
		default:
			return false
		}
	}
	return letters && len(b) <= maxHost
}
