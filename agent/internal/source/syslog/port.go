package syslog

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pialert/pialert/agent/internal/source"
	"github.com/pialert/pialert/pkg/backoff"
)

// Limits of one port.
const (
	maxConnections = 512
	maxPerSender   = 64 // connections; each may need maxPending bytes
)

// Options say who may send, and where to.
type Options struct {
	// Name is what the chunks are called by, and the key of what is stored.
	Name string
	// Network is udp, tcp, tls or unixgram; Address is as for package net.
	Network, Address string
	// File is the socket if somebody else has opened it, such as systemd for a low port; nil if not.
	File *os.File
	// From are the networks of those who may send; none lets everybody.
	From []netip.Prefix
	// ByHeader says that messages name their machine; else a sender is its address.
	ByHeader bool
	// Names are what events call the machines of some addresses instead.
	Names map[netip.Addr]string
	// TLS is for the network tls.
	TLS *tls.Config
	// Buffer is how many bytes the kernel is to keep of UDP, as far as it allows; 0 leaves it alone.
	Buffer  int
	Restore source.Restore
	Logger  *slog.Logger
}

// Port is where messages come in. Run may be called again once it has returned for [source.ErrAgain]:
// meanwhile its sockets and connections stay open, and what comes in waits.
type Port struct {
	options Options
	queue   *queue
	writer  writer // with the queue's lock
	sums    struct{ lines, unparsed, truncated, empty atomic.Uint64 }

	stored position // what was handed on of it, by Run alone

	mu          sync.Mutex
	stats       source.Stats
	network     source.Network
	senders     senders
	connections map[net.Conn]netip.Addr
	counted     map[netip.Addr]int // connections by sender
	sockets     []io.Closer
	packets     net.PacketConn // nil of a stream
	closed      bool
	retired     bool
	readers     sync.WaitGroup
}

// New returns a port. It opens nothing.
func New(options Options) *Port {
	if options.Restore == nil {
		options.Restore = func(string) ([]byte, bool) { return nil, false }
	}
	return &Port{
		options: options, queue: newQueue(), writer: writer{byHeader: options.ByHeader},
		stats:       source.Stats{Name: options.Name, Source: options.Name, State: source.Waiting},
		senders:     newSenders(),
		connections: map[net.Conn]netip.Addr{}, counted: map[netip.Addr]int{},
	}
}

// Run hands on lines until ctx ends, which returns nil, or until emit fails, which returns its error. It
// opens the socket, again and again if it cannot. Unless ctx ends for [source.ErrAgain], and nobody has retired
// the port, it closes everything, and what was read until then is handed on.
func (p *Port) Run(ctx context.Context, emit source.Emit) error {
	p.interrupted()
	if err := p.announce(ctx, emit); err != nil {
		p.Close()
		return err
	}
	wait := backoff.Backoff{First: time.Second, Last: time.Minute, Least: 1. / 3}
	for failed := false; ctx.Err() == nil && !p.isOpen(); failed = true {
		err := p.open(ctx)
		if err == nil {
			break
		}
		p.fail(err)
		if !failed {
			p.options.Logger.Error("cannot listen for syslog, trying again", "listen", p.options.Name, "error", err)
		}
		backoff.Wait(ctx, wait.Next(), nil)
	}
	hand := context.WithoutCancel(ctx)
	for ctx.Err() == nil {
		if err := p.hand(hand, emit, p.queue.take(ctx)); err != nil {
			p.Close()
			return err
		}
	}
	if p.ends(ctx) {
		p.Close()
	}
	return p.hand(hand, emit, p.queue.take(ctx))
}

// Retire has Run close everything when ctx ends, also for [source.ErrAgain].
func (p *Port) Retire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.retired = true
}

func (p *Port) ends(ctx context.Context) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.retired || context.Cause(ctx) != source.ErrAgain
}

// Behind implements [source.Source].
func (p *Port) Behind(log string) bool { return log == p.options.Name && p.queue.waiting() }

// Stats returns what is known of the port, as one source.
func (p *Port) Stats() []source.Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	stats, network := p.stats, p.network
	network.Senders, network.Connections = p.senders.len(), len(p.connections)
	network.Dropped, network.Buffer = dropped(p.packets)
	network.Wanted = p.options.Buffer
	network.Unparsed, network.Truncated, network.Empty = p.sums.unparsed.Load(), p.sums.truncated.Load(), p.sums.empty.Load()
	stats.Lines = p.sums.lines.Load()
	stats.Network = &network
	return []source.Stats{stats}
}

func (p *Port) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stats.State, p.stats.Error = source.Failing, err.Error()
	p.stats.Errors++
}

// listens takes back a failure.
func (p *Port) listens() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stats.State == source.Failing {
		p.stats.State, p.stats.Error = source.Listening, ""
	}
}

func (p *Port) isOpen() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.sockets) > 0 || p.closed
}

// Close closes the socket and the connections, and waits for those who read them.
func (p *Port) Close() {
	p.queue.close()
	p.mu.Lock()
	p.closed = true
	for _, socket := range p.sockets {
		socket.Close()
	}
	for conn := range p.connections {
		conn.Close()
	}
	p.stats.State = source.Waiting
	p.mu.Unlock()
	p.readers.Wait()
}

// admit says whether an address may send, and what its lines are to say of it; nil says that it may not,
// which is counted.
func (p *Port) admit(addr netip.Addr) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if known := p.senders.get(addr); known != nil {
		return known
	}
	if p.options.Network != "unixgram" && len(p.options.From) > 0 && !slices.ContainsFunc(p.options.From, func(n netip.Prefix) bool { return n.Contains(addr) }) {
		p.refuse(addr)
		return nil
	}
	return p.senders.add(addr, p.options.Names[addr])
}

// refuse counts who may not send; p.mu is held.
func (p *Port) refuse(addr netip.Addr) {
	p.network.Refused++
	if p.network.RefusedLast = addr.String(); !addr.IsValid() {
		p.network.RefusedLast = ""
	}
}

// opened notes a socket and starts reading it.
func (p *Port) opened(socket io.Closer, read func()) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return socket.Close()
	}
	p.sockets = append(p.sockets, socket)
	p.stats.State, p.stats.Error = source.Listening, ""
	p.readers.Go(read)
	return nil
}

// open opens the socket.
func (p *Port) open(ctx context.Context) error {
	switch p.options.Network {
	case "udp", "unixgram":
		conn, err := p.listenPacket(ctx)
		if err != nil {
			return fmt.Errorf("cannot listen for syslog on %s: %w", p.options.Name, err)
		}
		p.mu.Lock()
		p.packets = conn
		p.mu.Unlock()
		return p.opened(conn, func() { p.readPackets(conn) })
	default:
		listener, err := p.listenStream(ctx)
		if err != nil {
			return fmt.Errorf("cannot listen for syslog on %s: %w", p.options.Name, err)
		}
		return p.opened(listener, func() { p.accept(listener) })
	}
}

// take adds a message to the queue's lines; the queue's lock is held.
func (p *Port) take(lines, message, sender []byte, now time.Time) []byte {
	before := len(lines)
	lines, parsed := p.writer.append(lines, message, sender, now)
	switch {
	case len(lines) == before:
		p.sums.empty.Add(1)
		return lines
	case !parsed:
		p.sums.unparsed.Add(1)
	}
	p.sums.lines.Add(1)
	return lines
}
