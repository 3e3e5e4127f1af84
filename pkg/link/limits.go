package link

import (
	"container/list"
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

// What strangers may take.
const (
	handshakeTimeout  = 10 * time.Second
	maxHandshakes     = 64   // under way at a time; another one cuts the oldest short
	maxPerAddress     = 4    // of them, from one address
	handshakeBurst    = 30   // handshakes that an address may begin at once ...
	handshakeRefill   = 1.0  // ... and how many more per second
	maxKnownAddresses = 4096 // addresses remembered at a time
)

var (
	errTooManyAtOnce = errors.New("too many handshakes from this address at once")
	errTooOften      = errors.New("too many connections from this address")
	errCrowdedOut    = errors.New("newer handshakes need the room")
)

// handshakes bounds the handshakes that are under way. The zero value is ready to use.
type handshakes struct {
	mu        sync.Mutex
	running   list.List // of context.CancelCauseFunc, oldest first
	addresses map[netip.Prefix]*address
}

// address is one source of connections: an IPv4 address or an IPv6 /64, which one customer has.
type address struct {
	running int
	tokens  float64 // handshakes that it may begin now
	updated time.Time
}

// begin asks for room for a handshake with a machine at remote, and returns the context to run
// it under and what to call when it is over.
func (h *handshakes) begin(ctx context.Context, remote net.Addr) (context.Context, func(), error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	source, err := h.admit(remote, time.Now())
	if err != nil {
		return nil, nil, err
	}
	if h.running.Len() >= maxHandshakes {
		h.running.Front().Value.(context.CancelCauseFunc)(errCrowdedOut)
		h.running.Remove(h.running.Front())
	}
	ctx, cancel := context.WithCancelCause(ctx)
	limited, stop := context.WithTimeout(ctx, handshakeTimeout)
	place := h.running.PushBack(cancel)
	return limited, func() {
		stop()
		cancel(nil)
		h.mu.Lock()
		defer h.mu.Unlock()
		h.running.Remove(place) // does nothing if it was removed before
		if source != nil {
			source.running--
		}
	}, nil
}

// admit counts a handshake of remote's address, or refuses it. It returns nil for the local
// ones of a Unix socket, which have no address to tell them apart.
func (h *handshakes) admit(remote net.Addr, now time.Time) (*address, error) {
	tcp, ok := remote.(*net.TCPAddr)
	if !ok {
		return nil, nil
	}
	source := h.lookUp(sourceOf(tcp.AddrPort().Addr()), now)
	source.tokens = min(handshakeBurst, source.tokens+now.Sub(source.updated).Seconds()*handshakeRefill)
	source.updated = now
	switch {
	case source.running >= maxPerAddress:
		return nil, errTooManyAtOnce
	case source.tokens < 1:
		return nil, errTooOften
	}
	source.tokens--
	source.running++
	return source, nil
}

func sourceOf(ip netip.Addr) netip.Prefix {
	ip = ip.Unmap().WithZone("")
	bits := 64
	if ip.Is4() {
		bits = 32
	}
	prefix, _ := ip.Prefix(bits) // fails only for an invalid address, which is one source too
	return prefix
}

// lookUp returns what is known of a source. Where too many are known one is forgotten that has
// nothing under way, at random: that gives it a fresh start and nothing more.
func (h *handshakes) lookUp(prefix netip.Prefix, now time.Time) *address {
	if known, ok := h.addresses[prefix]; ok {
		return known
	}
	if h.addresses == nil {
		h.addresses = map[netip.Prefix]*address{}
	}
	if len(h.addresses) >= maxKnownAddresses {
		for other, known := range h.addresses {
			if known.running == 0 {
				delete(h.addresses, other)
				break
			}
		}
	}
	fresh := &address{tokens: handshakeBurst, updated: now}
	h.addresses[prefix] = fresh
	return fresh
}
