package link

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/pialert/pialert/pkg/pairing"
)

// Listener accepts connections of paired machines, and of those that redeem a token.
type Listener struct {
	Keyring     *pairing.Keyring
	Invitations *pairing.Invitations // nil if no token can be redeemed here
	Log         *slog.Logger

	handshakes handshakes
	strangers  strangers
	table      table
	board      board
}

// Run accepts on sockets, which it closes, until ctx ends. It runs handle for each peer that
// connects, in a goroutine of its own, and returns when all of them have returned: nil after ctx
// has ended, or why a socket cannot be accepted on.
func (l *Listener) Run(ctx context.Context, sockets []net.Listener, handle Handler) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l.table.keyring = l.Keyring
	l.strangers.log = l.Log
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { l.table.enforce(ctx) })
	var accepting sync.WaitGroup
	failed := make(chan error, len(sockets))
	for _, socket := range sockets {
		stop := context.AfterFunc(ctx, func() { socket.Close() })
		defer stop()
		l.Log.Info("listening", "address", socket.Addr())
		accepting.Go(func() {
			if err := l.accept(ctx, socket, handle, &all); err != nil {
				failed <- fmt.Errorf("cannot accept connections on %s: %w", socket.Addr(), err)
				cancel()
			}
		})
	}
	<-ctx.Done()
	accepting.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

func (l *Listener) accept(ctx context.Context, socket net.Listener, handle Handler, all *sync.WaitGroup) error {
	for {
		conn, err := socket.Accept()
		switch {
		case err == nil:
			all.Go(func() { l.take(ctx, conn, handle) })
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		default: // out of file descriptors or memory: connections that end free some
			l.Log.Error("cannot accept a connection", "address", socket.Addr(), "error", err)
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
		}
	}
}

// take finds out who is at the other end of conn and serves a peer.
func (l *Listener) take(ctx context.Context, conn net.Conn, handle Handler) {
	from := conn.RemoteAddr().String()
	if conn.RemoteAddr().Network() == "unix" {
		from = conn.LocalAddr().String() // the other end of a Unix socket has no name
	}
	where := sourceOf(conn)
	limited, trusted, end, err := l.handshakes.begin(ctx, where)
	if err != nil {
		conn.Close()
		l.strangers.refused(from, err)
		return
	}
	session, joined, err := l.Keyring.Accept(limited, conn, l.Invitations, trusted)
	end()
	switch {
	case ctx.Err() != nil:
		conn.Close()
	case err != nil:
		l.strangers.refused(from, err)
	case joined != nil:
		l.handshakes.came(joined.Name, where)
		l.Log.Info("paired", "peer", joined.Name, "role", joined.Role, "address", from, "key", joined.Key)
	default:
		l.handshakes.came(session.Peer.Name, where)
		l.serve(ctx, newConn(session, from), handle)
	}
}

func (l *Listener) serve(ctx context.Context, conn *Conn, handle Handler) {
	log := l.Log.With("peer", conn.Peer.Name, "address", conn.Address)
	log.Info("peer connected")
	l.board.up(conn)
	err := l.table.serve(ctx, conn, handle)
	l.board.down(conn, err)
	if ctx.Err() == nil {
		log.Info("peer disconnected", "reason", reason(err))
	}
}

// States returns what is known of the peers that have connected, by name.
func (l *Listener) States() []State { return l.board.states(l.Keyring) }
