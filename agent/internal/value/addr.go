// Package value reads the values that daemons write into the fields of a log: addresses, host
// names, ports and numbers.
//
// It takes exactly what daemons write and refuses everything else, so that what a client wrote in
// the place of a value is never taken for one. It allocates nothing but [Networks]; its functions are pure.
package value

import (
	"bytes"
	"encoding/binary"
	"net/netip"
)

// Addr reads an address, with brackets around it or not. Zones are dropped and mapped IPv4
// addresses unmapped. netip's own parser would allocate.
func Addr(b []byte) (netip.Addr, bool) {
	if len(b) > 2 && b[0] == '[' && b[len(b)-1] == ']' {
		b = b[1 : len(b)-1]
	}
	if addr, ok := IPv4(b); ok {
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
			v := HexDigit(b[digits])
			if v < 0 {
				break
			}
			group = group<<4 | v
		}
		if digits == 0 || digits > 4 {
			return netip.Addr{}, false
		}
		if digits < len(b) && b[digits] == '.' { // the last 32 bits as IPv4
			quad, ok := IPv4(b)
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

// HexDigit returns the value of a hexadecimal digit, or -1.
func HexDigit(c byte) int {
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

// IPv4 reads four decimal numbers. Leading zeros, which netip refuses, occur in logs and are
// no octal.
func IPv4(b []byte) (netip.Addr, bool) {
	if len(b) < len("0.0.0.0") || len(b) > len("255.255.255.255") {
		return netip.Addr{}, false
	}
	part, digits, number, all := 0, 0, uint(0), uint32(0)
	for _, c := range b {
		switch {
		case Digit(c) && digits < 3:
			number = number*10 + uint(c-'0')
			digits++
		case c == '.' && digits > 0 && number <= 255 && part < 3:
			all = all<<8 | uint32(number)
			part, digits, number = part+1, 0, 0
		default:
			return netip.Addr{}, false
		}
	}
	if part != 3 || digits == 0 || number > 255 {
		return netip.Addr{}, false
	}
	return addr4(all<<8 | uint32(number)), true
}

// addr4 makes an address of its four bytes, the first one highest. They are written at once: a
// processor that reads at once what was written in parts has to wait until all of it is in its cache.
func addr4(all uint32) netip.Addr {
	var quad [4]byte
	binary.BigEndian.PutUint32(quad[:], all)
	return netip.AddrFrom4(quad)
}

// Words returns the 16 bytes of an address as numbers, the first byte highest; of an IPv4 address those
// of the IPv6 address that it is mapped to.
func Words(addr netip.Addr) (high, low uint64) {
	raw := addr.As16()
	return binary.BigEndian.Uint64(raw[:8]), binary.BigEndian.Uint64(raw[8:])
}

// FromWords returns the address that has these 16 bytes, as IPv4 where it is mapped.
func FromWords(high, low uint64) netip.Addr {
	if high == 0 && low>>32 == 0xffff {
		return addr4(uint32(low))
	}
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:8], high)
	binary.BigEndian.PutUint64(raw[8:], low)
	return netip.AddrFrom16(raw)
}
