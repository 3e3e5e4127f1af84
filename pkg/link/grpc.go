package link

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/peer"

	"github.com/pialert/pialert/pkg/pairing"
)

// How soon a gRPC stream notices that the other end is gone, whatever lies between: the sum is
// below 30 seconds. TCP's own keepalive does not see through ssh.
const (
	pingAfter   = 10 * time.Second // without any byte from the other end; the least that gRPC takes
	pingTimeout = 10 * time.Second
)

// How much a gRPC server takes in that nobody has read yet, in bytes, of a stream and of a connection. Left to itself
// gRPC measures the line, and lets each fast sender have up to 16 MiB of this machine's memory. A quarter of a MiB
// is more than two of an agent's batches on their way.
const (
	streamWindow     = 256 << 10
	connectionWindow = 512 << 10
)

// What a gRPC client takes from a server, in bytes: acknowledgements and a welcome are less than a hundred.
const (
	maxAnswer       = 64 << 10
	maxAnswerHeader = 8 << 10
)

// Credentials tells gRPC that a [Conn] is secure as it is, and by whom. It refuses any other
// connection.
func Credentials() credentials.TransportCredentials { return openCredentials{} }

// PeerFrom returns the paired machine that makes the call of ctx.
func PeerFrom(ctx context.Context) (pairing.Peer, bool) {
	caller, ok := peer.FromContext(ctx)
	if !ok {
		return pairing.Peer{}, false
	}
	info, ok := caller.AuthInfo.(authInfo)
	return info.peer, ok
}

// ServerOptions are what a gRPC server needs that serves [Accepted] connections.
func ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.Creds(Credentials()),
		grpc.StaticStreamWindowSize(streamWindow),
		grpc.StaticConnWindowSize(connectionWindow),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: pingAfter, Timeout: pingTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: pingAfter / 2, PermitWithoutStream: true}),
	}
}

// ClientConn returns a gRPC client that speaks over conn and, when that breaks, fails instead of
// dialling: opening another connection is the business of whoever opened this one.
func ClientConn(conn *Conn, options ...grpc.DialOption) (*grpc.ClientConn, error) {
	var used atomic.Bool
	return grpc.NewClient("passthrough:///"+conn.Peer.Name, append([]grpc.DialOption{
		grpc.WithTransportCredentials(Credentials()),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingAfter, Timeout: pingTimeout}),
		grpc.WithDisableServiceConfig(),
		grpc.WithStaticStreamWindowSize(maxAnswer),
		grpc.WithStaticConnWindowSize(maxAnswer),
		grpc.WithMaxHeaderListSize(maxAnswerHeader),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswer)),
		grpc.WithNoProxy(),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
			if used.Swap(true) {
				return nil, errors.New("the connection has ended")
			}
			return conn, nil
		}),
	}, options...)...)
}

type authInfo struct {
	credentials.CommonAuthInfo
	peer pairing.Peer
}

// AuthType implements credentials.AuthInfo.
func (authInfo) AuthType() string { return "pialert" }

type openCredentials struct{}

func (openCredentials) ClientHandshake(_ context.Context, _ string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return openCredentials{}.ServerHandshake(conn)
}

func (openCredentials) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	open, ok := conn.(*Conn)
	if !ok {
		return nil, nil, fmt.Errorf("a %T is not authenticated", conn)
	}
	secure := credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity}
	return conn, authInfo{secure, open.Peer}, nil
}

func (openCredentials) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls"}
}

func (c openCredentials) Clone() credentials.TransportCredentials { return c }

func (openCredentials) OverrideServerName(string) error { return nil }

// Accepted is a net.Listener whose connections are handed to it open, by a Dialer or a Listener:
// a gRPC server serves them as if it had accepted them.
type Accepted struct {
	conns  chan *Conn
	closed chan struct{}
	once   sync.Once
}

// NewAccepted returns an Accepted to which nothing was handed yet.
func NewAccepted() *Accepted {
	return &Accepted{conns: make(chan *Conn), closed: make(chan struct{})}
}

// Handle is a [Handler]: it hands conn to Accept and returns when the server has closed it.
func (a *Accepted) Handle(ctx context.Context, conn *Conn) error {
	select {
	case a.conns <- conn:
	case <-a.closed:
		return net.ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case <-conn.Done():
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Accept returns the next connection, a *[Conn], or net.ErrClosed after Close.
func (a *Accepted) Accept() (net.Conn, error) {
	select {
	case conn := <-a.conns:
		return conn, nil
	case <-a.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept. Connections that were handed on stay open.
func (a *Accepted) Close() error {
	a.once.Do(func() { close(a.closed) })
	return nil
}

// Addr implements net.Listener; there is no address to tell.
func (a *Accepted) Addr() net.Addr { return acceptedAddr{} }

type acceptedAddr struct{}

func (acceptedAddr) Network() string { return "pialert" }
func (acceptedAddr) String() string  { return "paired machines" }
