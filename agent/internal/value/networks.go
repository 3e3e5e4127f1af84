package value

import (
	"net/netip"
	"slices"
)

// Networks are networks of which one is found among thousands by halving. They are never changed; the zero value is none.
type Networks struct {
	list []netip.Prefix // in order, none within another
}

// NewNetworks returns the networks of a list.
func NewNetworks(all ...netip.Prefix) Networks { return Networks{}.With(all...) }

// With returns these networks and others.
func (n Networks) With(more ...netip.Prefix) Networks {
	if len(more) == 0 {
		return n
	}
	sorted := slices.Clip(n.list)
	for _, one := range more {
		sorted = append(sorted, one.Masked())
	}
	slices.SortFunc(sorted, netip.Prefix.Compare) // whatever lies in another one comes behind it
	var list []netip.Prefix
	for _, one := range sorted {
		if last := len(list) - 1; last < 0 || !list[last].Contains(one.Addr()) {
			list = append(list, one)
		}
	}
	return Networks{list}
}

// List returns the networks in order, but those that lie in others.
func (n Networks) List() []netip.Prefix { return slices.Clip(n.list) }

// Overlapping returns one that has an address in common with a network.
func (n Networks) Overlapping(network netip.Prefix) (netip.Prefix, bool) {
	i, _ := slices.BinarySearchFunc(n.list, network, netip.Prefix.Compare)
	if i < len(n.list) && n.list[i].Overlaps(network) { // it is this one, or has it within
		return n.list[i], true
	}
	if i > 0 && n.list[i-1].Overlaps(network) { // it lies within the one before
		return n.list[i-1], true
	}
	return netip.Prefix{}, false
}

// Contains says whether an address is in one of them.
func (n Networks) Contains(addr netip.Addr) bool {
	_, found := n.Overlapping(netip.PrefixFrom(addr, addr.BitLen()))
	return found
}
