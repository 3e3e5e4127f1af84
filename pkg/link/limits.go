package link

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/pialert/pialert/pkg/pairing"
	"github.com/pialert/pialert/pkg/socket"
)

// What handshakes may take. One that says nothing costs about 20 KiB and a descriptor.
const (
	handshakeTimeout = 10 * time.Second
	strangersRoom    = 512 // under way at a time from where no peer came last; another one cuts one of them short, at random
	peersRoom        = 256 // under way besides, from where a paired peer came last: 50 strangers a second there leave it 5 s
	maxPerSource     = 64  // under way from one source where no peer came last; another one cuts its oldest short

	handshakeRate   = 100  // handshakes that a source may begin per second ...
	handshakeBurst  = 200  // ... and at once: far above what any number of peers behind one address need
	maxKnownSources = 4096 // sources whose rate is known at a time
)

var (
	errTooOften   = errors.New("too many connections from this address")
	errCrowdedOut = errors.New("newer handshakes need the room")
)

// source is where connections come from: an IPv4 address, an IPv6 /48, which is what one customer
// may have, or a user of this machine.
type source struct {
	network netip.Prefix
	user    uint32 // who connected to a Unix socket, if network is none
}

// sourceOf tells where a connection comes from.
func sourceOf(conn net.Conn) source {
	switch remote := conn.RemoteAddr().(type) {
	case *net.TCPAddr:
		return sourceAt(remote.AddrPort().Addr())
	case *net.UnixAddr:
		user, err := socket.User(conn)
		if err != nil {
			user = nobody
		}
		return source{user: user}
	}
	return source{}
}

func sourceAt(ip netip.Addr) source {
	ip = ip.Unmap().WithZone("")
	bits := 48
	if ip.Is4() {
		bits = 32
	}
	network, _ := ip.Prefix(bits) // fails only for an invalid address, which is one source too
	return source{network: network}
}

// nobody stands for a user of a Unix socket whom the kernel does not name.
const nobody = ^uint32(0)

// handshakes bounds the handshakes that are under way. Nobody can keep others out by having many of
// them: whoever has too many loses its own, and crowding hits at random, so that a peer's handshake,
// which takes a fraction of a second, gets through at one of the first attempts. The zero value is
// ready to use.
type handshakes struct {
	mu        sync.Mutex
	strangers []*handshake // oldest first
	peers     []*handshake // of the sources from which a peer came last
	rates     map[source]*rate.Limiter
	lastFrom  map[string]source // where each peer came from last
}

// handshake is one that is under way.
type handshake struct {
	from   source
	cancel context.CancelCauseFunc
}

// begin asks for room for a handshake with a machine at from, and returns the context to run it
// under, what to call when the machine has proved to be no stranger, and what when it is over.
func (h *handshakes) begin(ctx context.Context, from source) (limited context.Context, trusted, end func(), err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.rate(from).AllowN(time.Now(), 1) {
		return nil, nil, nil, errTooOften
	}
	room := &h.strangers
	if h.ofPeer(from) {
		room = &h.peers
	}
	if victim := h.victim(room, from); victim != nil {
		victim.cancel(errCrowdedOut)
		leave(room, victim)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	late := time.AfterFunc(handshakeTimeout, func() { cancel(context.DeadlineExceeded) })
	mine := &handshake{from, cancel}
	*room = append(*room, mine)
	leave := func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		leave(room, mine) // does nothing if it was cut short before
	}
	trusted = func() {
		late.Reset(pairing.AnswerTimeout + handshakeTimeout)
		leave()
	}
	end = func() {
		late.Stop()
		cancel(nil)
		leave()
	}
	return ctx, trusted, end, nil
}

// victim returns what has to be cut short before another handshake may begin, or nil.
func (h *handshakes) victim(room *[]*handshake, from source) *handshake {
	switch {
	case room == &h.strangers && of(*room, from) >= maxPerSource:
		return oldest(*room, from)
	case room == &h.strangers && len(*room) >= strangersRoom:
		return (*room)[rand.IntN(len(*room))]
	case room == &h.peers && len(*room) >= peersRoom:
		most, of := from, map[source]int{} // who has the most pays, so that no peer's neighbour keeps another peer out
		for _, other := range *room {
			of[other.from]++
		}
		for other, n := range of {
			if n > of[most] {
				most = other
			}
		}
		return oldest(*room, most)
	}
	return nil
}

func of(room []*handshake, from source) (n int) {
	for _, other := range room {
		if other.from == from {
			n++
		}
	}
	return n
}

func oldest(room []*handshake, from source) *handshake {
	if at := slices.IndexFunc(room, func(other *handshake) bool { return other.from == from }); at >= 0 {
		return room[at]
	}
	return room[0]
}

func leave(room *[]*handshake, gone *handshake) {
	if at := slices.Index(*room, gone); at >= 0 {
		*room = slices.Delete(*room, at, at+1)
	}
}

// came notes where a peer came from.
func (h *handshakes) came(peer string, from source) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.lastFrom == nil {
		h.lastFrom = map[string]source{}
	}
	for other := range h.lastFrom {
		if len(h.lastFrom) < pairing.MaxPeers {
			break
		}
		delete(h.lastFrom, other) // most likely unpaired long ago
	}
	h.lastFrom[peer] = from
}

func (h *handshakes) ofPeer(from source) bool {
	for _, last := range h.lastFrom {
		if last == from {
			return true
		}
	}
	return false
}

// rate returns the limit of a source. Where too many are known one is forgotten, at random: that
// gives it a fresh start and nothing more.
func (h *handshakes) rate(from source) *rate.Limiter {
	if known, ok := h.rates[from]; ok {
		return known
	}
	if h.rates == nil {
		h.rates = map[source]*rate.Limiter{}
	}
	if len(h.rates) >= maxKnownSources {
		for other := range h.rates {
			delete(h.rates, other)
			break
		}
	}
	fresh := rate.NewLimiter(handshakeRate, handshakeBurst)
	h.rates[from] = fresh
	return fresh
}
