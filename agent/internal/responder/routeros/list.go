package routeros

import (
	"net/netip"
	"time"
)

// slack is by how much the end of an entry may differ from what is wanted: a router tells seconds,
// and a long list takes it many of them.
const slack = 30 * time.Second

// lease is the longest timeout of an entry; one of which less than half is left is refreshed.
const lease = 24 * time.Hour

// list is what is known of the address list of one family.
type list struct {
	path  string
	known bool
	mine  map[netip.Prefix]entry
	other map[netip.Prefix]bool // entries of others, who keep these sources off as well
	extra []string              // entries of mine that nobody needs, such as a second one
	read  time.Time             // when everything was read last
	cost  time.Duration         // how long that took
}

// entry is an address in a list.
type entry struct {
	id  string
	end time.Time
}

// off says whether an entry ends at another time than it should: later, or so early that it is to be
// refreshed now.
func (e entry) off(until, now time.Time) bool {
	left, wanted := e.end.Sub(now), until.Sub(now)
	return left > wanted+slack || left < wanted-slack && left < lease/2
}

// family is 0 of IPv4 and 1 of IPv6.
func family(target netip.Prefix) int {
	if target.Addr().Is6() {
		return 1
	}
	return 0
}

// parseTarget reads an address or a network.
func parseTarget(text string) (netip.Prefix, bool) {
	if addr, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(addr, addr.BitLen()), true
	}
	prefix, err := netip.ParsePrefix(text)
	return prefix, err == nil
}

// formatTarget writes an address without, a network with the length of its prefix.
func formatTarget(target netip.Prefix) string {
	if target.IsSingleIP() {
		return target.Addr().String()
	}
	return target.String()
}
