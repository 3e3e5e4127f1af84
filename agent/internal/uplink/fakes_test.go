package uplink

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/pialert/pialert/pkg/wire"
	pialertv1 "github.com/pialert/pialert/proto/pialert/v1"
)

// display is a Display server whose handler each test writes.
type display struct {
	pialertv1.UnimplementedDisplayServer
	deliver func(stream displayStream) error
}

type displayStream = grpc.BidiStreamingServer[pialertv1.FromAgent, pialertv1.FromDisplay]

func (d *display) Deliver(stream displayStream) error { return d.deliver(stream) }

// dial serves a display in memory and returns a client of it.
func dial(t *testing.T, deliver func(stream displayStream) error) *grpc.ClientConn {
	t.Helper()
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer()
	pialertv1.RegisterDisplayServer(server, &display{deliver: deliver})
	var served sync.WaitGroup
	served.Go(func() {
		if err := server.Serve(listener); err != nil {
			t.Error(err)
		}
	})
	client, err := grpc.NewClient("passthrough:///display",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		server.Stop()
		served.Wait()
	})
	return client
}

func welcome(committed uint64) *pialertv1.FromDisplay {
	return &pialertv1.FromDisplay{Message: &pialertv1.FromDisplay_Welcome{
		Welcome: &pialertv1.Welcome{Protocol: 1, Version: "test", Committed: committed},
	}}
}

func ack(committed uint64) *pialertv1.FromDisplay {
	return &pialertv1.FromDisplay{Message: &pialertv1.FromDisplay_Ack{Ack: &pialertv1.Ack{Committed: committed}}}
}

// greeted receives the hello and welcomes.
func greeted(stream displayStream, committed uint64) (*pialertv1.Hello, error) {
	message, err := stream.Recv()
	if err != nil {
		return nil, err
	}
	if message.GetHello() == nil {
		return nil, fmt.Errorf("the stream began with %v", message)
	}
	return message.GetHello(), stream.Send(welcome(committed))
}

// book is what a display has of one epoch.
type book struct {
	last     uint64 // last number seen, by event or gap
	gaps     []uint64
	attempts uint64
	users    map[uint64]string
}

// take takes one message and complains about numbers that do not follow.
func (b *book) take(message *pialertv1.FromAgent) error {
	if gap := message.GetGap(); gap != nil {
		if gap.GetThrough() <= b.last {
			return fmt.Errorf("gap through %d after %d", gap.GetThrough(), b.last)
		}
		b.last = gap.GetThrough()
		b.gaps = append(b.gaps, gap.GetThrough())
		b.attempts += gap.GetAttempts()
	}
	for _, m := range message.GetBatch().GetEvents() {
		sequence, e, err := wire.Decode(m)
		if err != nil {
			return err
		}
		if sequence != b.last+1 || e.User != fmt.Sprint("user-", sequence) {
			return fmt.Errorf("event %d of %s after %d", sequence, e.User, b.last)
		}
		b.last = sequence
		b.users[sequence] = e.User
	}
	return nil
}
