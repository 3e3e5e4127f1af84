// Package login judges who gets in: a successful login means more where others failed before, or
// where its user never came from.
//
// A [History] is told of failures and successes with the time in the log; it reads no clock. It
// remembers for a day how often each network (/24 of IPv4, /64 of IPv6) and each local user failed,
// and for half a year from which networks each user got in. Both are bounded: what is oldest goes.
// It can be saved as it changes and restored, and be taught from old logs.
//
// It judges and counts nothing: a success is no attempt. A History belongs to one goroutine.
package login

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/pialert/pialert/agent/internal/value"
	"github.com/pialert/pialert/pkg/attack"
)

const (
	failedFor = 24 * 3600       // seconds for which a failure is held against who failed
	knownFor  = 180 * 24 * 3600 // seconds for which a network is known after a login from it
	typos     = 3               // failures from which on they are held against a user who is known there
	// MaxFailed and MaxKnown bound the networks that failed, and the networks of all users.
	MaxFailed = 1 << 14
	MaxKnown  = 1 << 13
)

// origin is where somebody comes from: a network, or a local user.
type origin struct {
	network netip.Prefix
	local   string
}

// visit is a user of a service at a network.
type visit struct {
	service string
	user    string
	network netip.Prefix
}

// failures is what is held against an origin.
type failures struct {
	count uint64
	last  int64 // in seconds since 1970
}

// History remembers who failed and who got in.
type History struct {
	failed bounded[origin, failures]
	known  bounded[visit, int64] // the last time

	addr   netip.Addr // of the last failure; the next one's is mostly the same
	origin origin     // that it is of
	last   *failures  // of that
}

// New returns a History that remembers nothing.
func New() *History {
	return &History{failed: newBounded[origin, failures](MaxFailed), known: newBounded[visit, int64](MaxKnown)}
}

// originOf returns where a login comes from: the network of its address or, of a local one, its
// user.
func originOf(addr netip.Addr, user string) (origin, bool) {
	if !addr.IsValid() {
		return origin{local: user}, user != ""
	}
	return origin{network: Network(addr)}, true
}

// Network returns the /24 of an IPv4 address, the /64 of an IPv6 address.
func Network(addr netip.Addr) netip.Prefix {
	if addr = addr.Unmap(); addr.Is4() {
		high, low := value.Words(addr)
		return netip.PrefixFrom(value.FromWords(high, low&^0xff), 24)
	}
	network, _ := addr.WithZone("").Prefix(64) // the bits fit
	return network
}

// Failed takes note of attempts that failed. The user counts for who has no address only: names
// are easily invented.
func (h *History) Failed(addr netip.Addr, user string, attempts uint64, at int64) {
	if addr.IsValid() && addr == h.addr {
		h.failed.touch(&h.origin)
	} else {
		o, ok := originOf(addr, user)
		if !ok {
			return
		}
		h.addr, h.origin = addr, o
		h.last = h.failed.at(&h.origin)
	}
	f := h.last
	if at-f.last > failedFor {
		f.count = 0
	}
	f.count, f.last = min(f.count+attempts, attack.MaxCount), max(f.last, at)
}

// Judgement is how much a success means.
type Judgement struct {
	Severity attack.Severity // high after failures, medium from a network that is new, else info
	Reason   string          // in a few words, for people
}

// Accepted takes note of a success and judges it. A user who is known at a network may mistype a
// password: few failures are not held against them there. Who gets in after failures does not become
// known by that.
func (h *History) Accepted(service string, addr netip.Addr, user string, at int64) Judgement {
	o, ok := originOf(addr, user)
	if !ok {
		return Judgement{Severity: attack.Info}
	}
	v := visit{service, user, o.network}
	last, known := h.known.get(v)
	known = known && at-last <= knownFor || !addr.IsValid()
	f, _ := h.failed.get(o)
	failed := uint64(0)
	if at-f.last <= failedFor {
		failed = f.count
	}
	judgement := Judgement{Severity: attack.Info}
	switch {
	case failed == 1 && !known:
		judgement = Judgement{attack.High, "after a failure from " + o.String()}
	case failed >= typos || failed > 0 && !known:
		judgement = Judgement{attack.High, fmt.Sprintf("after %d failures from %s", failed, o)}
	case !known:
		judgement = Judgement{attack.Medium, "the first login from " + o.String()}
	}
	if addr.IsValid() && (known || judgement.Severity < attack.High) {
		h.known.put(v, max(last, at))
	}
	return judgement
}

// Known is where a user of a service got in, and when the last time.
type Known struct {
	Service string       `json:"service"`
	User    string       `json:"user"`
	Network netip.Prefix `json:"network"`
	Last    int64        `json:"last"` // in seconds since 1970
}

// Learn takes note of where somebody got in once, as an older log tells.
func (h *History) Learn(k Known) {
	v := visit{k.Service, k.User, k.Network}
	last, _ := h.known.get(v)
	h.known.put(v, max(last, k.Last))
}

// Known returns where users got in, in the order of their names.
func (h *History) Known() []Known {
	var all []Known
	for v, e := range h.known.entries {
		all = append(all, Known{v.service, v.user, v.network, *e})
	}
	slices.SortFunc(all, func(a, b Known) int {
		return cmp.Or(cmp.Compare(a.User, b.User), cmp.Compare(a.Service, b.Service), cmp.Compare(a.Network.String(), b.Network.String()))
	})
	return all
}

func (o origin) String() string {
	if o.network.IsValid() {
		return o.network.String()
	}
	return "this user"
}
