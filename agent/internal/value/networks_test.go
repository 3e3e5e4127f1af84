package value

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
)

// Whatever the list, a network is found to overlap it exactly where it overlaps one of the list's.
func TestNetworks(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	some := func() netip.Prefix { // close together, so that they often meet
		if random.IntN(3) == 0 {
			return netip.PrefixFrom(netip.AddrFrom16([16]byte{0x2a, 1: byte(random.IntN(2)), 7: byte(random.IntN(8)), 15: byte(random.IntN(4))}), 8+random.IntN(121))
		}
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{9, byte(random.IntN(4)), byte(random.IntN(4)), byte(random.IntN(256))}), random.IntN(33))
	}
	found := map[bool]int{}
	for range 2000 {
		list := make([]netip.Prefix, random.IntN(20))
		for i := range list {
			if list[i] = some(); list[i].Bits() < 16 && random.IntN(10) > 0 {
				list[i] = netip.PrefixFrom(list[i].Addr(), 24) // few are so large that all lies within
			}
		}
		half := random.IntN(len(list) + 1)
		networks := NewNetworks(list[:half]...).With(list[half:]...)
		for range 20 {
			one := some().Masked()
			want := slices.ContainsFunc(list, one.Overlaps)
			by, got := networks.Overlapping(one)
			if got != want || got && (!by.Overlaps(one) || !slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Masked() == by })) {
				t.Fatalf("%s overlaps %s: %t by %s, want %t", one, list, got, by, want)
			}
			found[got]++
			if addr := one.Addr(); networks.Contains(addr) != slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(addr) }) {
				t.Fatalf("%s contain %s: %t", list, addr, networks.Contains(addr))
			}
		}
	}
	if found[true] < 1000 || found[false] < 1000 {
		t.Errorf("%d overlapped and %d did not: too few of one", found[true], found[false])
	}
	if NewNetworks().Contains(netip.MustParseAddr("9.9.9.9")) {
		t.Error("nothing contains an address")
	}
}
