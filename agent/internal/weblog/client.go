package weblog

import (
	"bytes"
	"net/netip"
)

// parseAddr reads an address, with brackets around it or not. Zones are dropped and mapped IPv4
// addresses unmapped. netip's own parser would allocate.
func parseAddr(b []byte) (netip.Addr, bool) {
	if len(b) > 2 && b[0] == '[' && b[len(b)-1] == ']' {
		b = b[1 : len(b)-1]
	}
	if addr, ok := parseIPv4(b); ok {
		return addr, true
	}
	return parseIPv6(b)
}

// parseIPv6 reads the textual forms of RFC 4291 section 2.2, with a zone or without.
func parseIPv6(b []byte) (netip.Addr, bool) {
	if zone := bytes.IndexByte(b, '%'); zone >= 0 {
		if zone == len(b)-1 {
			return netip.Addr{}, false
		}
		b = b[:zone]
	}
	if len(b) < 2 || len(b) > len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255") {
		return netip.Addr{}, false
	}
	var bytes16 [16]byte
	n, gap := 0, -1 // bytes read, and how many of them stand before the "::"
	if b[0] == ':' {
		if b[1] != ':' {
			return netip.Addr{}, false
		}
		gap, b = 0, b[2:]
	}
	for len(b) > 0 {
		if n == 16 {
			return netip.Addr{}, false
		}
		group, digits := 0, 0
		for ; digits < len(b) && digits < 5; digits++ {
			v := hexValue(b[digits])
			if v < 0 {
				break
			}
			group = group<<4 | v
		}
		if digits == 0 || digits > 4 {
			return netip.Addr{}, false
		}
		if digits < len(b) && b[digits] == '.' { // the last 32 bits as IPv4
			quad, ok := parseIPv4(b)
			if !ok || n > 12 {
				return netip.Addr{}, false
			}
			last := quad.As4()
			n += copy(bytes16[n:], last[:])
			break
		}
		bytes16[n], bytes16[n+1] = byte(group>>8), byte(group)
		n += 2
		if b = b[digits:]; len(b) == 0 {
			break
		}
		if b[0] != ':' || len(b) == 1 {
			return netip.Addr{}, false
		}
		if b = b[1:]; b[0] == ':' {
			if gap >= 0 {
				return netip.Addr{}, false
			}
			gap, b = n, b[1:]
		}
	}
	if gap >= 0 && n < 16 {
		tail := n - gap
		copy(bytes16[16-tail:], bytes16[gap:n])
		clear(bytes16[gap : 16-tail])
	} else if n < 16 || gap >= 0 {
		return netip.Addr{}, false
	}
	return netip.AddrFrom16(bytes16).Unmap(), true
}

// hexValue returns the value of a hexadecimal digit, or -1.
func hexValue(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// parseIPv4 reads dotted decimal. Leading zeros, which netip refuses, occur in logs.
func parseIPv4(b []byte) (netip.Addr, bool) {
	var quad [4]byte
	n, value, digits := 0, 0, 0
	if len(b) > len("255.255.255.255") {
		return netip.Addr{}, false
	}
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9':
			value = value*10 + int(c-'0')
			if digits++; digits > 3 || value > 255 {
				return netip.Addr{}, false
			}
		case c == '.' && digits > 0 && n < 3:
			quad[n] = byte(value)
			n, value, digits = n+1, 0, 0
		default:
			return netip.Addr{}, false
		}
	}
	if n != 3 || digits == 0 {
		return netip.Addr{}, false
	}
	quad[3] = byte(value)
	return netip.AddrFrom4(quad), true
}

// parseClient reads an address or a host name, and says whether b is one of both.
func parseClient(b []byte) (Client, bool) {
	if addr, ok := parseAddr(b); ok {
		return Client{Addr: addr}, true
	}
	if isHostName(b) {
		return Client{Name: b}, true
	}
	return Client{}, false
}

// parseClientPort reads an address with its port in the ways of Apache 2.4, which sets a colon
// and the port behind an IPv6 address too (log.c, log_remote_address), and of those that put the
// address into brackets. Where the last group could be either it is the port.
func parseClientPort(b []byte) (Client, bool) {
	if colon := bytes.LastIndexByte(b, ':'); colon > 0 {
		if port, ok := parsePort(b[colon+1:]); ok {
			if client, ok := parseClient(b[:colon]); ok {
				client.Port = port
				return client, true
			}
		}
	}
	return parseClient(b)
}

// parsePort reads a port from 1 to 65535.
func parsePort(b []byte) (uint16, bool) {
	n, ok := parseNumber(b, 65535)
	return uint16(n), ok && n > 0
}

// parseNumber reads a decimal number up to a limit, which leaves room for another digit.
func parseNumber(b []byte, limit int) (int, bool) {
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		if n = n*10 + int(c-'0'); n > limit {
			return 0, false
		}
	}
	return n, len(b) > 0
}

// isHostName says whether b can be a name that a resolver returned. A name of digits and dots
// only would be an address that is none.
func isHostName(b []byte) bool {
	letters := false
	for i, c := range b {
		switch {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_':
			letters = true
		case c >= '0' && c <= '9':
		case (c == '-' || c == '.') && i > 0:
		default:
			return false
		}
	}
	return letters && len(b) <= 255
}
