package nftables

import (
	"bytes"
	"net/netip"
	"slices"
	"time"

	"github.com/google/nftables"
)

// atOnce is how many elements one message takes; the kernel refuses some thousands with an error
// that says something else.
const atOnce = 1000

// bySet does something with the elements of networks, as many of one set at once as the kernel takes: each stays as
// long as is wanted, or without an end. The elements are do's only until it returns.
func bySet(all []netip.Prefix, setOf func(netip.Prefix) *nftables.Set, want map[netip.Prefix]time.Time, now time.Time, do func(*nftables.Set, []nftables.SetElement) error) error {
	parts := map[*nftables.Set][]nftables.SetElement{}
	for _, target := range all {
		set := setOf(target)
		left, part := max(want[target].Sub(now), 0), parts[set]
		if set.Interval {
			part = append(part, interval(target, left)...)
		} else {
			part = append(part, nftables.SetElement{Key: target.Addr().AsSlice(), Timeout: left})
		}
		if len(part) >= atOnce-1 { // the next may be two
			if err := do(set, part); err != nil {
				return err
			}
			part = part[:0]
		}
		parts[set] = part
	}
	for set, part := range parts {
		if len(part) == 0 {
			continue
		}
		if err := do(set, part); err != nil {
			return err
		}
	}
	return nil
}

// setOf returns where a ban belongs.
func (l *layout) setOf(target netip.Prefix) *nftables.Set {
	switch {
	case target.Addr().Is4() && target.Bits() == 32:
		return l.ban4
	case target.Addr().Is4():
		return l.net4
	case target.Bits() == 64:
		return l.ban6
	default:
		return l.net6
	}
}

// allowing returns where a network of the allow list belongs.
func (l *layout) allowing(network netip.Prefix) *nftables.Set {
	if network.Addr().Is4() {
		return l.allow4
	}
	return l.allow6
}

// interval is a network as elements of an interval set: its first address, and the one behind its last.
func interval(network netip.Prefix, left time.Duration) []nftables.SetElement {
	elements := []nftables.SetElement{{Key: network.Addr().AsSlice(), Timeout: left}}
	if end := after(network); end.IsValid() {
		elements = append(elements, nftables.SetElement{Key: end.AsSlice(), IntervalEnd: true})
	}
	return elements
}

// after returns the address behind a network's last one; invalid if there is none.
func after(network netip.Prefix) netip.Addr {
	last := network.Addr().AsSlice()
	for bit := network.Bits(); bit < len(last)*8; bit++ {
		last[bit/8] |= 0x80 >> (bit % 8)
	}
	addr, _ := netip.AddrFromSlice(last)
	return addr.Next()
}

// timed is a network in a set and for how long it stays there.
type timed struct {
	prefix netip.Prefix
	left   time.Duration
}

// prefixes reads the elements of a set. Those that are no networks are left out: they are not ours, and
// the table is not intact with them.
func prefixes(set *nftables.Set, elements []nftables.SetElement) (all []timed) {
	if !set.Interval {
		bits := 32
		if set.KeyType == nftables.TypeIP6Addr {
			bits = 64
		}
		all = make([]timed, 0, len(elements))
		for _, e := range elements {
			if addr, ok := netip.AddrFromSlice(e.Key); ok {
				all = append(all, timed{netip.PrefixFrom(addr, bits), e.Expires})
			}
		}
		return all
	}
	slices.SortFunc(elements, func(a, b nftables.SetElement) int { return bytes.Compare(a.Key, b.Key) })
	for i, e := range elements {
		first, ok := netip.AddrFromSlice(e.Key)
		if !ok || e.IntervalEnd {
			continue
		}
		var end netip.Addr                    // invalid: up to the last address there is
		for _, next := range elements[i+1:] { // a neighbour begins where this one ends: the key is there twice
			if !bytes.Equal(next.Key, e.Key) {
				end, _ = netip.AddrFromSlice(next.Key)
				break
			}
		}
		for bits := 0; bits <= first.BitLen(); bits++ {
			if prefix := netip.PrefixFrom(first, bits); prefix == prefix.Masked() && after(prefix) == end {
				all = append(all, timed{prefix, e.Expires})
				break
			}
		}
	}
	return all
}
