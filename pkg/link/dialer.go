package link

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pialert/pialert/pkg/backoff"
	"github.com/pialert/pialert/pkg/pairing"
)

const raceAfter = 300 * time.Millisecond

// Pauses between attempts to reach a peer. After a connection that lasted for stableAfter they begin
// anew.
const (
	firstPause  = 250 * time.Millisecond
	lastPause   = 30 * time.Second
	stableAfter = 10 * time.Second
)

// Dialer keeps a connection to each peer that has an address.
type Dialer struct {
	Keyring *pairing.Keyring
	Log     *slog.Logger
	SSH     SSH // how addresses "ssh://..." are reached

	// Dial opens TCP connections; nil stands for a dialer that resolves names anew each time,
	// tries IPv6 and IPv4 side by side, and notices a dead connection within 30 seconds.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Random returns numbers in [0,1) that spread attempts in time; nil stands for math/rand.
	Random func() float64

	table table
	board board
}

// Run dials every peer that has an address, also those that are paired while it runs, each again
// and again until ctx ends. It runs handle for each connection, in a goroutine of its own, and
// returns when all of them have returned.
func (d *Dialer) Run(ctx context.Context, handle Handler) error {
	d.table.keyring = d.Keyring
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { d.table.enforce(ctx) })
	running := map[string]context.CancelFunc{}
	for {
		changed := d.Keyring.Changed()
		wanted := map[string]bool{}
		for _, peer := range d.Keyring.Peers() {
			if len(peer.Addresses) == 0 {
				continue
			}
			wanted[peer.Name] = true
			if running[peer.Name] == nil {
				peerCtx, cancel := context.WithCancel(ctx)
				running[peer.Name] = cancel
				all.Go(func() { d.keep(peerCtx, peer.Name, handle) })
			}
		}
		for name, cancel := range running {
			if !wanted[name] {
				cancel()
				delete(running, name)
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			for _, cancel := range running {
				cancel()
			}
			return nil
		}
	}
}

// States returns what is known of the peers that are dialled, by name.
func (d *Dialer) States() []State { return d.board.states(d.Keyring) }

// keep keeps a connection to one peer until ctx ends.
func (d *Dialer) keep(ctx context.Context, name string, handle Handler) {
	log := d.Log.With("peer", name)
	failures := failureLog{log: log}
	wait := backoff.Backoff{First: firstPause, Last: lastPause, Random: d.Random}
	for ctx.Err() == nil {
		changed := d.Keyring.Changed()
		conn, err := d.open(ctx, name)
		if ctx.Err() != nil {
			if conn != nil {
				conn.cut()
			}
			return
		}
		if errors.Is(err, pairing.ErrNotPaired) { // just unpaired: Run ends this, unless it is paired again
			backoff.Wait(ctx, lastPause, changed)
			continue
		}
		if err != nil {
			d.board.failed(name, err)
			failures.add(err)
			backoff.Wait(ctx, wait.Next(), changed)
			continue
		}
		log.Info("connected", "address", conn.Address, "failed_tries", failures.clear())
		opened := time.Now()
		d.board.up(conn)
		err = d.table.serve(ctx, conn, handle)
		d.board.down(conn, err)
		if ctx.Err() != nil {
			return
		}
		log.Info("disconnected", "address", conn.Address, "reason", reason(err))
		if errors.Is(err, pairing.ErrRekey) {
			continue
		}
		if time.Since(opened) >= stableAfter {
			wait.Reset()
		}
		backoff.Wait(ctx, wait.Next(), nil)
	}
}

// open opens a connection to a peer at the first of its addresses where the peer answers.
func (d *Dialer) open(ctx context.Context, name string) (*Conn, error) {
	peer, err := d.Keyring.Peer(name)
	if err != nil {
		return nil, err
	}
	var failed []error
	for rest := peer.Addresses; len(rest) > 0; {
		conn, address, err := d.dialFirst(ctx, rest)
		if err != nil {
			return nil, errors.Join(append(failed, err)...)
		}
		session, err := d.secure(ctx, conn, address, name)
		if err == nil {
			return newConn(session, address), nil
		}
		failed = append(failed, &AddressError{address, err})
		rest = slices.DeleteFunc(slices.Clone(rest), func(a string) bool { return a == address })
	}
	return nil, errors.Join(failed...)
}

func (d *Dialer) secure(ctx context.Context, conn net.Conn, address, name string) (*pairing.Session, error) {
	ctx, cancel := context.WithTimeout(ctx, timeoutFor(address))
	defer cancel()
	return d.Keyring.Connect(ctx, conn, name)
}

// failureLog logs why attempts fail: what is new at once, what goes on only now and then.
type failureLog struct {
	log    *slog.Logger
	last   string
	logged time.Time
	tries  int
}

const sameFailureEvery = 10 * time.Minute

func (f *failureLog) add(err error) {
	f.tries++
	if err.Error() == f.last && time.Since(f.logged) < sameFailureEvery {
		return
	}
	f.last, f.logged = err.Error(), time.Now()
	f.log.Warn("cannot connect, trying again", "error", err, "tries", f.tries)
}

func (f *failureLog) clear() (tries int) {
	tries = f.tries
	*f = failureLog{log: f.log}
	return tries
}

// dial opens a connection to an address.
func (d *Dialer) dial(ctx context.Context, address string) (net.Conn, error) {
	if err := CheckAddress(address); err != nil {
		return nil, err
	}
	if strings.HasPrefix(address, sshScheme) {
		return d.SSH.dial(address)
	}
	if d.Dial != nil {
		return d.Dial(ctx, "tcp", address)
	}
	return tcpDialer().DialContext(ctx, "tcp", address)
}

// dialFirst dials addresses, each a little after the one before it or when that has failed, and
// returns the first connection that opens: an address that nobody answers on must not hold up
// the others.
func (d *Dialer) dialFirst(ctx context.Context, addresses []string) (net.Conn, string, error) {
	type result struct {
		conn    net.Conn
		address string
		err     error
	}
	ctx, cancel := context.WithCancel(ctx)
	results := make(chan result)
	running, next := 0, 0
	defer func() {
		cancel()
		for range running { // those that come too late
			go func() {
				if late := <-results; late.conn != nil {
					late.conn.Close()
				}
			}()
		}
	}()
	var failed []error
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			if next < len(addresses) {
				address := addresses[next]
				next, running = next+1, running+1
				go func() {
					conn, err := d.dial(ctx, address)
					results <- result{conn, address, err}
				}()
				timer.Reset(raceAfter)
			}
		case r := <-results:
			running--
			if r.err == nil {
				return r.conn, r.address, nil
			}
			failed = append(failed, &AddressError{r.address, r.err})
			if len(failed) == len(addresses) {
				return nil, "", errors.Join(failed...)
			}
			timer.Reset(0)
		}
	}
}
