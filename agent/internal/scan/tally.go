package scan

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

const (
	maxNames     = 16 << 10 // names that are counted at a time
	maxSuccesses = 1000     // successes that are kept, and as many of those that are suspicious
)

// Prefixes that attackers move about in: what one of them rents.
const (
	prefix4 = 24 // bits of an IPv4 network
	prefix6 = 48 // bits of an IPv6 network, a site's (RFC 6177)
)

// tally counts events for the report, in bounded memory.
type tally struct {
	kinds     map[attack.Kind]*kindTally
	kind      *kindTally     // of the last event
	hours     counter[int64] // attempts by hours since 1970, in UTC
	sources   counter[netip.Addr]
	hosts     counter[string]
	users     counter[string]
	targets   counter[string]
	grave     []Success // successes of high severity
	successes []Success // all others
	accepted  uint64    // successes in all
	first     time.Time
	last      time.Time
	attempts  uint64
	events    uint64
}

type kindTally struct {
	of            attack.Kind
	events, count uint64
}

func newTally() *tally {
	return &tally{
		kinds: map[attack.Kind]*kindTally{}, hours: newCounter[int64](),
		sources: newCounter[netip.Addr](), hosts: newCounter[string](),
		users: newCounter[string](), targets: newCounter[string](), successes: []Success{},
	}
}

func (t *tally) add(ev *attack.Event) {
	kind := t.kind
	if kind == nil || kind.of != ev.Kind { // as the last event seldom was
		if kind = t.kinds[ev.Kind]; kind == nil {
			kind = &kindTally{of: ev.Kind}
			t.kinds[ev.Kind] = kind
		}
		t.kind = kind
	}
	kind.events++
	kind.count += ev.Count
	t.events++
	t.span(ev.Logged)
	if isSuccess(ev.Kind) {
		t.succeed(ev)
	}
	if !ev.Kind.Attempt() {
		return
	}
	t.attempts += ev.Count
	if !ev.Logged.IsZero() {
		t.hours.add(floorDiv(ev.Logged.Unix(), 3600), ev.Count)
	}
	switch {
	case ev.SourceIP.IsValid():
		t.sources.add(ev.SourceIP, ev.Count)
	case ev.SourceHost != "":
		t.hosts.add(ev.SourceHost, ev.Count)
	}
	if ev.User != "" {
		t.users.add(ev.User, ev.Count)
	}
	if target := target(ev.Detail); target != "" {
		t.targets.add(target, ev.Count)
	}
}

// span widens the time that the events cover.
func (t *tally) span(at time.Time) {
	if at.IsZero() {
		return
	}
	if t.first.IsZero() || at.Before(t.first) {
		t.first = at
	}
	if at.After(t.last) {
		t.last = at
	}
}

// succeed keeps a success, with what was tried in vain before it.
func (t *tally) succeed(ev *attack.Event) {
	t.accepted++
	list := &t.successes
	if ev.Severity >= attack.High {
		list = &t.grave
	}
	if len(*list) >= maxSuccesses {
		return
	}
	s := Success{Kind: ev.Kind.String(), Severity: ev.Severity.String(), Time: ev.Logged, User: readable(ev.User), Log: ev.Log}
	if accepted, ok := ev.Detail.(attack.Accepted); ok {
		s.Reason = accepted.Reason
	}
	switch {
	case ev.SourceIP.IsValid():
		s.Source = ev.SourceIP.String()
		s.FailedBefore = t.sources.of(ev.SourceIP)
	case ev.SourceHost != "":
		s.Source = readable(ev.SourceHost)
		s.FailedBefore = t.hosts.of(ev.SourceHost)
	}
	*list = append(*list, s)
}

// networks adds the addresses up by the networks that they are in.
func (t *tally) networks() []Count {
	sums := newCounter[netip.Prefix]()
	for ip, n := range t.sources.counts {
		bits := prefix4
		if ip.Is6() {
			bits = prefix6
		}
		if prefix, err := ip.Prefix(bits); err == nil { // an address that has a zone is in no network
			sums.add(prefix, *n)
		}
	}
	return sums.list(netip.Prefix.String)
}

// target returns what an attack was aimed at, empty if it is the machine itself.
func target(d attack.Detail) string {
	switch d := d.(type) {
	case attack.HTTP:
		return d.Target
	case attack.Local:
		return d.Target
	}
	return ""
}

func floorDiv(a, b int64) int64 {
	if a < 0 {
		return -((-a + b - 1) / b)
	}
	return a / b
}

// counter counts by name. When there are too many names it forgets the rarer half, so that a
// common name's count is exact unless the name was rare for long.
type counter[K comparable] struct {
	counts map[K]*uint64
	last   K
	at     *uint64 // count of last
	lossy  bool
}

func newCounter[K comparable]() counter[K] { return counter[K]{counts: map[K]*uint64{}} }

func (c *counter[K]) add(name K, n uint64) {
	if c.at == nil || c.last != name {
		if c.at = c.counts[name]; c.at == nil {
			if len(c.counts) >= maxNames {
				c.halve()
			}
			c.at = new(uint64)
			c.counts[name] = c.at
		}
		c.last = name
	}
	*c.at += n
}

// of returns what a name counted so far.
func (c *counter[K]) of(name K) uint64 {
	if n := c.counts[name]; n != nil {
		return *n
	}
	return 0
}

func (c *counter[K]) halve() {
	counts := make([]uint64, 0, len(c.counts))
	for _, n := range c.counts {
		counts = append(counts, *n)
	}
	slices.Sort(counts)
	median := counts[len(counts)/2]
	for name, n := range c.counts {
		if *n <= median {
			delete(c.counts, name)
		}
	}
	c.lossy = true
}

// list returns all names with their counts.
func (c *counter[K]) list(format func(K) string) []Count {
	all := make([]Count, 0, len(c.counts))
	for name, n := range c.counts {
		all = append(all, Count{format(name), *n})
	}
	return all
}

// most returns the n commonest.
func most(all []Count, n int) []Count {
	slices.SortFunc(all, func(a, b Count) int {
		return cmp.Or(cmp.Compare(b.Attempts, a.Attempts), cmp.Compare(a.Name, b.Name))
	})
	return all[:min(len(all), n)]
}
