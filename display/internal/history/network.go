package history

import "net/netip"

// Networks are the /24 of an IPv4 address and the /64 of an IPv6 one, stored as their first 3 or
// 8 bytes.
const bytes4, bytes6 = 3, 8

// isRolled says whether networks have roll-ups that add up to a network.
func isRolled(network netip.Prefix) bool {
	if network.Addr().Is4() {
		return network.Bits() <= 8*bytes4
	}
	return network.Bits() <= 8*bytes6
}

// listedNetwork returns what lists keep of the network of an address, or of such a network.
func listedNetwork(address []byte) []byte {
	keep := bytes6
	if len(address) <= 4 {
		keep = bytes4
	}
	return address[:min(len(address), keep)]
}

// What remains of an address that is not kept whole: a /24, or a /48 of IPv6.
const (
	coarse4 = 24
	coarse6 = 48
)

// coarse returns the first address of the network that an address is in.
func coarse(addr netip.Addr) netip.Addr {
	bits := coarse4
	if addr.Is6() {
		bits = coarse6
	}
	prefix, err := addr.Prefix(bits)
	if err != nil {
		return netip.Addr{} // no address, or one with a zone
	}
	return prefix.Addr()
}

// coarseName leaves the /24 or /48 of an address or network that is stored as its first bytes.
func coarseName(name string) string {
	keep := coarse6 / 8
	if len(name) <= 4 {
		keep = coarse4 / 8
	}
	short := make([]byte, len(name))
	copy(short, name[:min(keep, len(name))])
	return string(short)
}
