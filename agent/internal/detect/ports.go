package detect

import (
	"net/netip"

	"github.com/pialert/pialert/agent/internal/detect/connection"
	"github.com/pialert/pialert/agent/internal/value"
)

// Dropped packets are rated by the ports that they were for: one port again and again is a mistake or a
// stray reply, many ports of one sender are a search. What is remembered of less than enough ports is not
// kept across a restart.
const (
	enoughPorts = 5       // different ones make an event ...
	portsWithin = 10 * 60 // ... within so many seconds
	maxProbers  = 1 << 12 // who is remembered
)

// ports are those that somebody tried lately.
type ports struct {
	known map[netip.Prefix]*tried
	order []netip.Prefix // in which they came, from next on
	next  int
}

// tried are the ports of one prober.
type tried struct {
	hashes [enoughPorts]uint32
	n      int
	first  int64 // in seconds since 1970
}

// hit takes a packet, and returns how many ports an event is to count; 0 if there is to be none yet.
func (p *ports) hit(addr netip.Addr, port string, sec int64) uint64 {
	if !addr.IsValid() || port == "" {
		return 0
	}
	t := p.of(value.Source(addr))
	if sec-t.first > portsWithin || sec < t.first-portsWithin {
		t.n, t.first = 0, sec
	}
	hash := connection.ShortHash(port)
	for _, known := range t.hashes[:t.n] {
		if known == hash {
			return 0
		}
	}
	t.hashes[t.n] = hash
	if t.n++; t.n < enoughPorts {
		return 0
	}
	t.n, t.first = 0, sec
	return enoughPorts
}

// of returns what is remembered of a network, in place of what came first if there is no room.
func (p *ports) of(network netip.Prefix) *tried {
	if t := p.known[network]; t != nil {
		return t
	}
	if p.known == nil {
		p.known = map[netip.Prefix]*tried{}
	}
	if len(p.order) < maxProbers {
		p.order = append(p.order, network)
	} else {
		delete(p.known, p.order[p.next])
		p.order[p.next] = network
		p.next = (p.next + 1) % maxProbers
	}
	t := &tried{}
	p.known[network] = t
	return t
}
