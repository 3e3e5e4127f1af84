// Package receive is the display's end of event delivery: the gRPC service pialert.v1.Display.
//
// Who speaks is known from the connection, never from a message. On a stream the agent says
// hello and is welcomed with the last number that is committed; it goes on after that one with
// batches, gaps and heartbeats. Events are shown when they arrive, stored, and acknowledged when
// they are committed.
//
// # What it promises
//
//   - An event is shown once in the life of the process and stored once for ever, however often
//     connections break: numbers that were accepted before are skipped.
//   - Nothing that draws or stores holds up another agent. An agent that sends more than can be
//     stored is slowed down by the flow control of its own stream.
//   - An agent has one stream. A new one ends the former.
//
// # What it refuses
//
// An agent that sends what no honest agent can send is cut off: the stream ends with a status
// that says why, one line is logged (at a limited rate), and for a while its new streams are
// refused. That is: events that pkg/wire refuses, numbers that go backwards or jump without a
// gap being announced, more attempts than servers can suffer, and messages above the limits in
// limits.go. What it sent before stays counted, under its own name; no other agent notices.
package receive

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	"google.golang.org/grpc"

	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/link"
	"github.com/pialert/pialert/pkg/pairing"
	pialertv1 "github.com/pialert/pialert/proto/pialert/v1"
)

// protocol is the version that this package speaks.
const protocol = 1

// Store keeps events. Append and Skip may wait; they call done once, from any goroutine, when
// the numbers are committed, unless they return an error. Numbers that are committed already are
// skipped.
type Store interface {
	Committed(ctx context.Context, agent string, epoch uint64) (uint64, error)
	Append(ctx context.Context, agent string, epoch, first uint64, events []attack.Event, done func(committed uint64, err error)) error
	Skip(ctx context.Context, agent string, epoch, through, attempts uint64, done func(committed uint64, err error)) error
	Heard(agent string, at time.Time)
}

// Show is told of events as they arrive, each once. It must not wait, nor change or keep events.
type Show interface {
	Show(agent string, events []attack.Event)
}

// Options says what a Server hands events to.
type Options struct {
	Store   Store
	Show    Show
	Version string // of this program, told to paired agents
	Now     func() time.Time
	Logger  *slog.Logger

	// Peer names the agent that makes the call of ctx, and Transport makes a gRPC server accept
	// its connections. The zero values are right for the connections of pkg/link.
	Peer      func(ctx context.Context) (name string, ok bool)
	Transport []grpc.ServerOption
}

// Server receives events from any number of agents.
type Server struct {
	pialertv1.UnimplementedDisplayServer
	options Options
	agents  agents
}

// New returns a Server that does nothing before Run.
func New(options Options) *Server {
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	if options.Peer == nil {
		options.Peer = pairedAgent
	}
	if options.Transport == nil {
		options.Transport = link.ServerOptions()
	}
	return &Server{options: options}
}

// pairedAgent names the paired agent at the other end of a connection of pkg/link.
func pairedAgent(ctx context.Context) (string, bool) {
	peer, ok := link.PeerFrom(ctx)
	return peer.Name, ok && peer.Role == pairing.Agent
}

// Run serves the connections that listener yields until ctx ends or the listener fails. It
// closes the listener and every connection, and returns when no event is under way any more.
func (s *Server) Run(ctx context.Context, listener net.Listener) error {
	server := grpc.NewServer(append([]grpc.ServerOption{
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.MaxHeaderListSize(maxHeaders),
		grpc.ConnectionTimeout(handshakeTimeout),
		grpc.WaitForHandlers(true),
	}, s.options.Transport...)...)
	pialertv1.RegisterDisplayServer(server, s)
	stop := context.AfterFunc(ctx, server.Stop)
	defer stop()
	err := server.Serve(listener)
	server.Stop() // waits for the handlers
	if ctx.Err() != nil || errors.Is(err, grpc.ErrServerStopped) {
		return nil
	}
	return err
}
