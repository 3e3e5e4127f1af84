// Package episode finds what many events tell together: floods of web requests, and spreads, in which
// one hits many things that differ.
//
// A flood is more requests with one method, by one address or from one network (/24 of IPv4, /64 of
// IPv6), than are allowed in a window of time. A spread is more distinct things than are allowed: paths
// that are not there, user names, addresses that try one name; see [Spread].
//
// A [Detector] is told of every request with the time in the log; it reads no clock. A flood is an
// episode with one event when it starts, further ones at a limited rate while it lasts (when its
// count doubled, or once a window), and one when it ends. The counts of an episode's events add up
// to its requests, and each request belongs to at most one episode: those of a flooding address
// are not its network's, and those of a flooding network not its addresses'.
//
// Memory is bounded: the sources that were longest idle are forgotten, and counted. What is
// remembered can be saved as it changes and restored; a Detector that was restored goes on exactly
// where the other one stopped.
//
// A Detector and a Spread belong to one goroutine.
package episode

import (
	"net/netip"
	"time"

	"github.com/pialert/pialert/agent/internal/value"
	"github.com/pialert/pialert/pkg/attack"
)

// Limits says what is too much.
type Limits struct {
	MaxRequests uint32        // the requests in a window that make a flood
	Window      time.Duration // in whole seconds
	MaxSources  int           // addresses and networks remembered
}

// DefaultLimits are those of the jails that the sysops of small servers use: 600 requests in 30 s.
var DefaultLimits = Limits{MaxRequests: 600, Window: 30 * time.Second, MaxSources: 1 << 15}

// maxSteps is how many parts a window has at most. It slides by one at a time, so what it covers
// ends with the request and begins up to a part later than a window before it: an exact window
// would have to remember each request. Logs have whole seconds, so no part is shorter.
const maxSteps = 16

// Event is what an episode gives rise to.
type Event struct {
	attack.Flood
	At    time.Time // in the log
	Count uint64    // requests since the episode's last event
}

// Detector counts requests.
type Detector struct {
	limits  Limits
	step    int64 // seconds in a part of the window
	steps   int64 // parts of a window
	emit    func(Event)
	second  int64 // of the last request: to divide takes as long as much of the rest
	now     int64 // its step
	slot    int64 // of that step in the counts of an entry
	sources map[key]int32
	recent  [1024]int32 // entries by a hash of their key, in front of the map; may be outdated
	entries []entry
	free    []int32
	newest  int32 // the entries in the order of their last request, see entry.older
	oldest  int32
	evicted uint64
	changed map[key]struct{} // since the last Changes; nil until someone asks
	tidy    bool             // the order is right; it is not after a Restore
}

// key is whose requests are counted: a prefix and a method.
type key struct {
	high   uint64 // of the address, see [value.Words]
	low    uint64
	bits   uint8 // of the prefix, 96 more for IPv4
	method uint8 // index into methods
}

// entry is what is known of a key. It has no pointers: there are many.
type entry struct {
	key          key
	counts       [maxSteps]uint32 // by step, modulo steps
	sum          uint32
	last         int64 // the newest step counted
	older, newer int32 // neighbours by last request, -1 at the ends

	requests  uint64 // of the running episode; 0 if there is none
	reported  uint64 // of those, how many events stand for
	eventStep int64  // the step of its last event
}

// methods are the request methods that are told apart, those of RFC 9110 and WebDAV's usual one.
// All others, which clients could invent without end, are the last.
var methods = [...]string{"GET", "POST", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "PROPFIND", "CONNECT", "other"}

// New returns a Detector that calls emit for every event, from within its own methods. Limits
// that are zero take their default.
func New(limits Limits, emit func(Event)) *Detector {
	if limits.MaxRequests == 0 {
		limits.MaxRequests = DefaultLimits.MaxRequests
	}
	if limits.Window <= 0 {
		limits.Window = DefaultLimits.Window
	}
	if limits.MaxSources <= 0 {
		limits.MaxSources = DefaultLimits.MaxSources
	}
	limits.MaxSources = max(limits.MaxSources, 2) // an address and its network
	seconds := max(1, int64(limits.Window/time.Second))
	step := (seconds + maxSteps - 1) / maxSteps
	return &Detector{
		limits:  limits,
		step:    step,
		steps:   (seconds + step - 1) / step,
		emit:    emit,
		sources: make(map[key]int32),
		newest:  -1,
		oldest:  -1,
		tidy:    true,
	}
}

// Evicted returns how many addresses and networks were forgotten for want of room.
func (d *Detector) Evicted() uint64 { return d.evicted }

// Add counts a request. The address must be valid. Requests may come out of order by less than a
// window; one that is further back starts its source anew, as another log does that is read.
func (d *Detector) Add(addr netip.Addr, method []byte, at time.Time) {
	d.Tick(at)
	address, network := keysOf(addr, method)
	net := d.get(network)
	if e := &d.entries[net]; d.settle(e, at) {
		d.hit(e, at)
		return
	}
	single := &d.entries[d.get(address)]
	running := d.settle(single, at)
	if d.hit(single, at) {
		if !running {
			d.subtract(&d.entries[net], single)
		}
		return
	}
	d.hit(&d.entries[net], at)
}

// Tick tells the time when there is no request: episodes that stopped end.
func (d *Detector) Tick(at time.Time) {
	d.order()
	second := max(0, at.Unix())
	if second == d.second {
		return
	}
	d.second = second
	step := second / d.step
	if step == d.now {
		return
	}
	d.now = step
	d.slot = step % d.steps
	for d.oldest >= 0 && d.idle(&d.entries[d.oldest]) {
		d.remove(d.oldest, at)
	}
}

// Finish ends all episodes, when there is no more to read.
func (d *Detector) Finish() {
	d.order()
	for d.oldest >= 0 {
		d.remove(d.oldest, d.lastTime(d.oldest))
	}
}

// lastTime returns the time of an entry's last request, to the step.
func (d *Detector) lastTime(i int32) time.Time { return time.Unix(d.entries[i].last*d.step, 0).UTC() }

// touch notes that what is known of a key changed.
func (d *Detector) touch(k key) {
	if d.changed != nil {
		d.changed[k] = struct{}{}
	}
}

// keysOf returns the keys of an address and of its network.
func keysOf(addr netip.Addr, method []byte) (address, network key) {
	addr = addr.Unmap()
	address.high, address.low = value.Words(addr)
	address.bits = 128
	if string(method) != "GET" { // as nearly all are, and the first of methods
		for int(address.method) < len(methods)-1 && string(method) != methods[address.method] {
			address.method++
		}
	}
	network = key{high: address.high, bits: 64, method: address.method}
	if addr.Is4() {
		network.low, network.bits = address.low&^0xff, 96+24
	}
	return address, network
}

// prefix returns what a key stands for.
func (k *key) prefix() netip.Prefix {
	addr := value.FromWords(k.high, k.low)
	if addr.Is4() {
		return netip.PrefixFrom(addr, int(k.bits)-96)
	}
	return netip.PrefixFrom(addr, int(k.bits))
}
