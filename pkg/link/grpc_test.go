package link

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/pialert/pialert/pkg/pairing"
	pialertv1 "github.com/pialert/pialert/proto/pialert/v1"
)

// echo is a display that acknowledges whatever number a heartbeat's dropped events have, and
// tells who is calling as its version.
type echo struct {
	pialertv1.UnimplementedDisplayServer
}

func (echo) Deliver(stream grpc.BidiStreamingServer[pialertv1.FromAgent, pialertv1.FromDisplay]) error {
	peer, ok := PeerFrom(stream.Context())
	if !ok {
		return status.Error(codes.Unauthenticated, "nobody")
	}
	welcome := &pialertv1.FromDisplay{Message: &pialertv1.FromDisplay_Welcome{Welcome: &pialertv1.Welcome{Version: peer.Name}}}
	if err := stream.Send(welcome); err != nil {
		return err
	}
	for {
		message, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		number := message.GetHeartbeat().GetDroppedEvents()
		ack := &pialertv1.FromDisplay{Message: &pialertv1.FromDisplay_Ack{Ack: &pialertv1.Ack{Committed: number}}}
		if err := stream.Send(ack); err != nil {
			return err
		}
	}
}

// serveEcho runs an echo on connections that are handed to the result.
func serveEcho(t *testing.T) *Accepted {
	accepted := NewAccepted()
	server := grpc.NewServer(ServerOptions()...)
	pialertv1.RegisterDisplayServer(server, echo{})
	done := make(chan error, 1)
	go func() { done <- server.Serve(accepted) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-done; err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	return accepted
}

// deliver opens a stream over conn and returns what ping sends and gets back.
func deliver(t *testing.T, ctx context.Context, conn *Conn) (ping func(uint64) (uint64, error), version string) {
	t.Helper()
	client, err := ClientConn(conn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	stream, err := pialertv1.NewDisplayClient(client).Deliver(ctx)
	if err != nil {
		t.Fatal(err)
	}
	welcome, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return func(n uint64) (uint64, error) {
		beat := &pialertv1.FromAgent{Message: &pialertv1.FromAgent_Heartbeat{Heartbeat: &pialertv1.Heartbeat{DroppedEvents: n}}}
		stream.Send(beat) // its error is io.EOF when Recv has a better one
		ack, err := stream.Recv()
		return ack.GetAck().GetCommitted(), err
	}, welcome.GetWelcome().GetVersion()
}

// TestDeliverWhoeverDials has the display serve gRPC over a connection that it dialled, and over
// one that it accepted.
func TestDeliverWhoeverDials(t *testing.T) {
	t.Parallel()
	for _, way := range []struct {
		name         string
		displayDials bool
	}{{"display dials", true}, {"agent dials", false}} {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			agent, display := keyring(t, pairing.Agent, "web1"), keyring(t, pairing.Display, "desk")
			sockets, address := listenLocal(t)
			atAgent, accepted := make(conns), serveEcho(t)
			listens, dials := display, agent
			atListener, atDialer := accepted.Handle, atAgent.handle
			if way.displayDials {
				listens, dials = agent, display
				atListener, atDialer = atAgent.handle, accepted.Handle
			}
			befriend(t, dials, listens, address)
			start(t, func(ctx context.Context) error {
				return (&Listener{Keyring: listens, Log: testLog(t)}).Run(ctx, sockets, atListener)
			})
			start(t, func(ctx context.Context) error {
				return (&Dialer{Keyring: dials, Log: testLog(t)}).Run(ctx, atDialer)
			})
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			ping, caller := deliver(t, ctx, atAgent.next(t))
			if caller != "web1" {
				t.Errorf("the display says that %q calls", caller)
			}
			for n := range uint64(100) {
				if got, err := ping(n); got != n || err != nil {
					t.Fatalf("%d came back as %d, %v", n, got, err)
				}
			}
			_, err := display.Remove("web1")
			if err != nil {
				t.Fatal(err)
			}
			for err == nil { // one ping may be on its way while the connection is cut
				_, err = ping(1)
			}
			if status.Code(err) != codes.Unavailable {
				t.Errorf("after unpairing: %v", err)
			}
		})
	}
}

// TestServerTakesSoMuch reads what a display lets a fast agent send before it has read: as much on every line.
func TestServerTakesSoMuch(t *testing.T) {
	t.Parallel()
	atAgent := make(conns)
	new(pair).start(t, atAgent.handle, serveEcho(t).Handle)
	conn := atAgent.next(t)
	framer := http2.NewFramer(conn, conn)
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	if err := framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	stream, connection := uint32(0), uint32(65535) // RFC 9113, section 6.9.2
	for stream == 0 || connection == 65535 {
		frame, err := framer.ReadFrame()
		if err != nil {
			t.Fatalf("streams may have %d bytes, the connection %d: %v", stream, connection, err)
		}
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if window, ok := f.Value(http2.SettingInitialWindowSize); ok {
				stream = window
			}
		case *http2.WindowUpdateFrame:
			connection += f.Increment
		case *http2.PingFrame:
			t.Fatalf("it measures the line: streams may have %d bytes, the connection %d", stream, connection)
		}
	}
	if stream != streamWindow || connection != connectionWindow {
		t.Errorf("streams may have %d bytes, the connection %d", stream, connection)
	}
}

// loud is a display that says more than any display has to say.
type loud struct {
	pialertv1.UnimplementedDisplayServer
	header, version int // bytes
}

func (l loud) Deliver(stream grpc.BidiStreamingServer[pialertv1.FromAgent, pialertv1.FromDisplay]) error {
	if err := stream.SetHeader(metadata.Pairs("loud", strings.Repeat("x", l.header))); err != nil {
		return err
	}
	welcome := &pialertv1.Welcome{Version: strings.Repeat("x", l.version)}
	return stream.Send(&pialertv1.FromDisplay{Message: &pialertv1.FromDisplay_Welcome{Welcome: welcome}})
}

// TestAnswersAreBounded has displays answer an agent with more than it takes.
func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		loud
		ok bool
	}{
		"what one says": {loud{header: 100, version: 1000}, true}, "a message": {loud{version: maxAnswer}, false}, "headers": {loud{header: maxAnswerHeader}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			accepted, atAgent := NewAccepted(), make(conns)
			server := grpc.NewServer(ServerOptions()...)
			pialertv1.RegisterDisplayServer(server, test.loud)
			go server.Serve(accepted)
			t.Cleanup(server.Stop)
			new(pair).start(t, atAgent.handle, accepted.Handle)
			client, err := ClientConn(atAgent.next(t))
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			stream, err := pialertv1.NewDisplayClient(client).Deliver(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := stream.Recv(); (err == nil) != test.ok {
				t.Errorf("it is taken: %v", err)
			}
		})
	}
}

func TestCredentialsRefuseOtherConnections(t *testing.T) {
	t.Parallel()
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	if _, _, err := Credentials().ServerHandshake(near); err == nil {
		t.Error("a server takes a connection that nobody has authenticated")
	}
	if _, _, err := Credentials().ClientHandshake(t.Context(), "desk", near); err == nil {
		t.Error("a client takes a connection that nobody has authenticated")
	}
	if _, ok := PeerFrom(t.Context()); ok {
		t.Error("a context without a call has a peer")
	}
}

func TestAcceptedEnds(t *testing.T) {
	t.Parallel()
	accepted := NewAccepted()
	accepted.Close()
	accepted.Close()
	if _, err := accepted.Accept(); err != net.ErrClosed {
		t.Errorf("Accept: %v", err)
	}
	if err := accepted.Handle(t.Context(), nil); err != net.ErrClosed {
		t.Errorf("Handle: %v", err)
	}
}
