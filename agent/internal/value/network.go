package value

import (
	"net/netip"
	"strings"
)

// Network reads an address, which is a network of its own, or a network, as people write them: with bits behind
// the network or a zone, which are dropped, and IPv4 mapped into IPv6, which is unmapped.
func Network(text string) (netip.Prefix, bool) {
	if addr, err := netip.ParseAddr(text); err == nil && !strings.Contains(addr.Zone(), "/") {
		return Normal(netip.PrefixFrom(addr, addr.BitLen())), true
	}
	prefix, err := netip.ParsePrefix(text)
	return Normal(prefix), err == nil
}

// Normal returns a network in the form in which it is compared: see [Network].
func Normal(network netip.Prefix) netip.Prefix {
	addr, bits := network.Addr().WithZone(""), network.Bits()
	if addr.Is4In6() && bits >= 96 {
		addr, bits = addr.Unmap(), bits-96
	}
	return netip.PrefixFrom(addr, bits).Masked()
}

// Source returns what an address counts as: itself, or the /64 of an IPv6 address, which one
// customer has for himself.
func Source(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	prefix, _ := addr.Prefix(bits)
	return prefix
}
