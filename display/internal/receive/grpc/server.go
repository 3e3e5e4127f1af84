// Package grpc receives events over gRPC: the service pialert.v1.Display.
//
// Who speaks is known from the connection, never from a message. What an agent says is handed to
// the admission of display/internal/receive, and what that decides becomes a gRPC status, which
// says why an agent is cut off. An agent that sends more than can be stored is slowed down by the
// flow control of its own stream.
package grpc

import (
	"context"
	"net"
	"time"

	rpc "google.golang.org/grpc"

	"github.com/pialert/pialert/display/internal/receive"
	"github.com/pialert/pialert/pkg/link"
	"github.com/pialert/pialert/pkg/pairing"
	pialertv1 "github.com/pialert/pialert/proto/pialert/v1"
)

// Limits of one connection.
const (
	maxMessage       = 1 << 20          // bytes of one message
	maxHeaders       = 8 << 10          // bytes of a stream's headers
	maxStreams       = 2                // at once: the second one ends the first
	handshakeTimeout = 10 * time.Second // for HTTP/2's beginning, on a connection that is open
	helloTimeout     = 10 * time.Second
)

// Options says who admits what arrives.
type Options struct {
	Admission *receive.Admission
	Version   string // of this program, said to paired agents

	// Peer names the agent that makes the call of ctx, and Transport makes a gRPC server accept
	// its connections. The zero values are right for the connections of pkg/link.
	Peer      func(ctx context.Context) (name string, ok bool)
	Transport []rpc.ServerOption
}

// Server receives events from any number of agents.
type Server struct {
	pialertv1.UnimplementedDisplayServer
	options Options
}

// New returns a Server that does nothing before Run.
func New(options Options) *Server {
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
	server := rpc.NewServer(append([]rpc.ServerOption{
		rpc.MaxRecvMsgSize(maxMessage),
		rpc.MaxConcurrentStreams(maxStreams),
		rpc.MaxHeaderListSize(maxHeaders),
		rpc.ConnectionTimeout(handshakeTimeout),
		rpc.WaitForHandlers(true),
	}, s.options.Transport...)...)
	pialertv1.RegisterDisplayServer(server, s)
	stop := context.AfterFunc(ctx, server.Stop)
	defer stop()
	err := server.Serve(listener)
	server.Stop() // waits for the handlers
	if ctx.Err() != nil {
		return nil
	}
	return err
}
