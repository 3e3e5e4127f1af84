package policy

import (
	"container/list"
	"net/netip"
	"time"
)

// maxSources bounds the sources that are remembered, maxGuests those that logged in, beside them.
const (
	maxSources = 1 << 14
	maxGuests  = 1 << 12
)

// parts is how many parts a span of attempts is counted in.
const parts = 10

// offender is what is remembered of a source.
type offender struct {
	source netip.Prefix
	// Score adds up, in parts of the span, 1/after for each attempt: from 1 on it is too much.
	score    [parts]float64
	newest   int64 // number of the newest part since 1970
	attempts uint64
	first    time.Time
	seen     time.Time
	bans     int
	banned   time.Time  // until when; zero if it never was
	welcome  time.Time  // when somebody logged in from there last
	list     *list.List // of the policy's
}

// neighbours are sources of one network.
type neighbours map[*offender]struct{}

// note makes a source that was banned or logged in one of its network's neighbours.
func (p *Policy) note(o *offender) {
	network := p.networkOf(o.source)
	if p.near[network] == nil {
		p.near[network] = neighbours{}
	}
	p.near[network][o] = struct{}{}
	p.moved[o.source] = true
	order := p.noted
	if !o.welcome.IsZero() {
		order = p.guests
	}
	if o.list != order {
		o.list.Remove(p.known[o.source])
		o.list, p.known[o.source] = order, order.PushFront(o)
	}
}

// touch returns what is remembered of a source and makes it the one that was seen last. What is
// older than is to be remembered goes: attempts that led to nothing when their span is over.
func (p *Policy) touch(source netip.Prefix, now time.Time) *offender {
	remember := now.Add(-time.Duration(p.config.Ban.Remember))
	p.age(p.guests, remember, now, p.guests.Len()-maxGuests)
	p.age(p.fresh, now.Add(-time.Duration(p.config.Ban.Within)), now, p.fresh.Len()+p.noted.Len()-maxSources)
	p.age(p.noted, remember, now, p.fresh.Len()+p.noted.Len()-maxSources)
	for network, until := range p.nets {
		if !p.lasts(until, now) {
			delete(p.nets, network)
		}
	}
	element, ok := p.known[source]
	if !ok {
		element = p.fresh.PushFront(&offender{source: source, list: p.fresh})
		p.known[source] = element
	}
	o := element.Value.(*offender)
	o.list.MoveToFront(element)
	o.seen = now
	return o
}

// age forgets those of a list that were not seen since limit, and as many as are too many of those that were seen
// first.
func (p *Policy) age(order *list.List, limit, now time.Time, excess int) {
	for last := order.Back(); last != nil; last = order.Back() {
		if o := last.Value.(*offender); excess <= 0 && (o.seen.After(limit) || p.lasts(o.banned, now)) {
			return
		}
		p.forget(last)
		excess--
	}
}

func (p *Policy) forget(element *list.Element) {
	o := element.Value.(*offender)
	delete(p.known, o.source)
	o.list.Remove(element)
	network := p.networkOf(o.source)
	p.moved[o.source] = true
	delete(p.near[network], o)
	if len(p.near[network]) == 0 {
		delete(p.near, network)
	}
}
