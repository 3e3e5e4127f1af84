package detect

import (
	"bytes"
	"net/netip"

	"github.com/pialert/pialert/pkg/attack"
)

// fields is what a rule read from a line. Its texts point into the line.
type fields struct {
	source netip.Addr // invalid if the line has none, or a name
	host   []byte     // the name where an address was expected
	port   uint16
	user   []byte
	method []byte
	reason []byte
	target []byte
	tty    []byte
	jail   []byte
	count  uint64 // at least 1
	pid    uint32 // of the connection, if the rule says so
	exact  bool   // the daemon says that there is no such account
}

// read fills the fields from the groups of a match.
func (f *fields) read(r *Rule, text []byte, loc []int) {
	*f = fields{count: 1}
	for _, g := range r.groups {
		if loc[g.slot] < 0 {
			continue
		}
		value := text[loc[g.slot]:loc[g.slot+1]]
		switch g.name {
		case groupSource:
			var port uint16
			if f.source, port, f.host = parseSource(value); port != 0 {
				f.port = port
			}
		case groupPort:
			f.port = parsePort(value)
		case groupUser:
			f.user = value
		case groupMethod:
			f.method = value
		case groupReason:
			f.reason = value
		case groupInvalid:
			f.exact = true
		case groupCount:
			if n, ok := parseUint(value); ok && n > 0 {
				f.count = min(n, maxRepeats)
			}
		case groupTarget:
			f.target = value
		case groupTTY:
			f.tty = value
		case groupJail:
			f.jail = value
		case groupPID:
			if n, ok := parseUint(value); ok {
				f.pid = uint32(n)
			}
		}
	}
}

// distrust drops what a cut message cannot be trusted to say.
func (f *fields) distrust() {
	f.source, f.port, f.host, f.user = netip.Addr{}, 0, nil, nil
}

// parseSource reads what a daemon writes for a peer: an IPv4 address (leading zeros are decimal),
// an IPv6 address with or without brackets and zone, "[address]:port", or else a host name.
// Addresses that map IPv4 are returned as IPv4.
func parseSource(text []byte) (addr netip.Addr, port uint16, host []byte) {
	if addr, ok := parseIPv4(text); ok {
		return addr, 0, nil
	}
	if len(text) > 2 && text[0] == '[' {
		end := bytes.IndexByte(text, ']')
		if end < 0 {
			return netip.Addr{}, 0, nil
		}
		if rest := text[end+1:]; len(rest) > 1 && rest[0] == ':' {
			port = parsePort(rest[1:])
		}
		text = text[1:end]
		if addr, ok := parseIPv4(text); ok {
			return addr, port, nil
		}
	}
	if bytes.IndexByte(text, ':') >= 0 {
		if len(text) > 64 { // the longest address with the longest name of an interface
			return netip.Addr{}, port, nil
		}
		if zone := bytes.IndexByte(text, '%'); zone > 0 {
			text = text[:zone]
		}
		if mapped, ok := bytes.CutPrefix(text, []byte("::ffff:")); ok {
			if addr, ok := parseIPv4(mapped); ok {
				return addr, port, nil
			}
		}
		addr, err := netip.ParseAddr(string(text))
		if err != nil {
			return netip.Addr{}, port, nil
		}
		return addr.Unmap(), port, nil
	}
	if !hostName(text) {
		return netip.Addr{}, port, nil
	}
	return netip.Addr{}, port, text
}

// parseIPv4 reads four decimal numbers. Leading zeros occur in logs and are no octal.
func parseIPv4(text []byte) (netip.Addr, bool) {
	if len(text) < 7 || len(text) > 15 || text[0]-'0' > 9 {
		return netip.Addr{}, false
	}
	var quad [4]byte
	at := 0
	for part := range quad {
		if part > 0 {
			if at == len(text) || text[at] != '.' {
				return netip.Addr{}, false
			}
			at++
		}
		start, value := at, uint(0)
		for at < len(text) && at < start+3 && digit(text[at]) {
			value = value*10 + uint(text[at]-'0')
			at++
		}
		if at == start || value > 255 {
			return netip.Addr{}, false
		}
		quad[part] = byte(value)
	}
	return netip.AddrFrom4(quad), at == len(text)
}

// hostName says whether text can be a name of the domain name system. sshd writes UNKNOWN for a
// peer that it can no longer ask for.
func hostName(text []byte) bool {
	if len(text) == 0 || len(text) > attack.MaxName || string(text) == "UNKNOWN" || string(text) == "unknown" {
		return false
	}
	for _, c := range text {
		switch {
		case digit(c), 'a' <= c|0x20 && c|0x20 <= 'z', c == '.', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}

func parsePort(text []byte) uint16 {
	if n, ok := parseUint(text); ok && n < 1<<16 {
		return uint16(n)
	}
	return 0
}
