package history

import (
	"net/netip"
	"slices"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// Span is a part of time, by arrival: Since is in it, Until is not. A zero time sets no bound.
type Span struct{ Since, Until time.Time }

// Filter chooses events; its zero value chooses all.
type Filter struct {
	Span
	Agent  string
	Kind   attack.Kind
	Source netip.Prefix // an address as its own prefix, or a network
	User   string
	Host   string // the machine that wrote the line, by the name that it has there
	After  int64  // only ids above it
	Before int64  // only ids below it, to turn pages; 0 begins with the newest
}

// where returns the filter as the end of a query on events, but for what its ids say.
func (f *Filter) where() (where string, args []any) {
	where = "WHERE TRUE"
	and := func(condition string, values ...any) { where, args = where+" AND "+condition, append(args, values...) }
	if f.Agent != "" {
		and("events.agent = (SELECT id FROM agents WHERE name = ?)", f.Agent)
	}
	if f.Kind != 0 {
		and("kind = ?", int64(f.Kind))
	}
	if f.User != "" {
		and("user = ?", []byte(f.User))
	}
	if f.Host != "" {
		and("machine = ?", []byte(f.Host))
	}
	if f.Source.IsValid() {
		first, last := bounds(f.Source)
		and("source BETWEEN ? AND ? AND length(source) = ?", first, last, len(first))
	}
	return where, args
}

// bounds returns the first and last address of a network as they are stored.
func bounds(network netip.Prefix) (first, last []byte) {
	network = unmapped(network)
	first = network.Masked().Addr().AsSlice()
	last = slices.Clone(first)
	for bit := network.Bits(); bit < 8*len(last); bit++ {
		last[bit/8] |= 0x80 >> (bit % 8)
	}
	return first, last
}

// unmapped is a network of IPv4 where one of IPv6 stands for it: "::ffff:192.0.2.0/120".
func unmapped(network netip.Prefix) netip.Prefix {
	if addr := network.Addr(); addr.Is4In6() && network.Bits() >= 96 {
		return netip.PrefixFrom(addr.Unmap(), network.Bits()-96)
	}
	return network
}

// spotted is where a source or user was seen in a span, as of an event.
type spotted struct {
	last   int64 // id of the event
	source netip.Prefix
	user   string
	span   Span
}
