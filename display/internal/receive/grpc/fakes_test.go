package grpc_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/pialert/pialert/display/internal/history"
	"github.com/pialert/pialert/display/internal/receive"
	receivegrpc "github.com/pialert/pialert/display/internal/receive/grpc"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/wire"
	pialertv1 "github.com/pialert/pialert/proto/pialert/v1"
)

var observed = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// event returns the event with a number; its user says the number again.
func event(sequence uint64) *pialertv1.Event {
	return wire.Encode(sequence, "somebody else", &attack.Event{
		Kind: attack.SSHLogin, Severity: attack.Medium, Rule: "sshd-failed-password", Observed: observed,
		SourceIP: netip.AddrFrom4([4]byte{192, 0, 2, byte(sequence)}), SourcePort: 40022,
		User: fmt.Sprint("user", sequence), Count: 1, Log: "/var/log/auth.log", Detail: attack.SSH{Method: "password"},
	})
}

func hello(epoch uint64) *pialertv1.FromAgent {
	return &pialertv1.FromAgent{Message: &pialertv1.FromAgent_Hello{Hello: &pialertv1.Hello{
		Protocol: 1, Version: "v1.2.3", Epoch: epoch, FirstSequence: 1, NextSequence: 1,
	}}}
}

func batch(events ...*pialertv1.Event) *pialertv1.FromAgent {
	return &pialertv1.FromAgent{Message: &pialertv1.FromAgent_Batch{Batch: &pialertv1.Batch{Events: events}}}
}

// numbered is a batch of the events numbered first to last.
func numbered(first, last uint64) *pialertv1.FromAgent {
	var events []*pialertv1.Event
	for n := first; n <= last; n++ {
		events = append(events, event(n))
	}
	return batch(events...)
}

func gap(through, attempts uint64) *pialertv1.FromAgent {
	return &pialertv1.FromAgent{Message: &pialertv1.FromAgent_Gap{Gap: &pialertv1.Gap{Through: through, Attempts: attempts}}}
}

func heartbeat(events, attempts uint64) *pialertv1.FromAgent {
	return &pialertv1.FromAgent{Message: &pialertv1.FromAgent_Heartbeat{Heartbeat: &pialertv1.Heartbeat{
		DroppedEvents: events, DroppedAttempts: attempts,
		Logs: []*pialertv1.Log{{Name: []byte("auth.log\x1b"), LastLine: timestamppb.New(time.Unix(1_700_000_000, 0)), Error: []byte("permission denied")}},
	}}}
}

// gallery is a Show that remembers who showed what.
type gallery struct {
	mu    sync.Mutex
	shown map[string][]string // users by agent
}

func (g *gallery) Show(agent string, events []attack.Event) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shown == nil {
		g.shown = make(map[string][]string)
	}
	for i := range events {
		g.shown[agent] = append(g.shown[agent], events[i].User)
	}
}

func (g *gallery) of(agent string) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.shown[agent]
}

// logBook collects what is logged.
type logBook struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *logBook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBook) count(text string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Count(b.text.String(), text)
}

// nameHeader carries the agent's name in place of a paired connection.
const nameHeader = "test-agent"

func nameOf(ctx context.Context) (string, bool) {
	headers, _ := metadata.FromIncomingContext(ctx)
	names := headers.Get(nameHeader)
	return strings.Join(names, ""), len(names) == 1
}

// display is a receiver with a real history.
type display struct {
	t       testing.TB
	path    string
	agents  *receive.Admission
	server  *receivegrpc.Server
	history *history.History
	gallery *gallery
	log     *logBook
	pipe    *bufconn.Listener
	stop    func()
}

func startDisplay(t testing.TB) *display {
	return reopenDisplay(t, filepath.Join(t.TempDir(), "history.db"))
}

// reopenDisplay starts a display on the history of a former one.
func reopenDisplay(t testing.TB, path string) *display {
	t.Helper()
	d := &display{t: t, path: path, gallery: new(gallery), log: new(logBook), pipe: bufconn.Listen(1 << 20)}
	logger := slog.New(slog.NewTextHandler(d.log, nil))
	var err error
	if d.history, err = history.Open(history.Options{Path: path, Logger: logger}); err != nil {
		t.Fatal(err)
	}
	d.agents = receive.New(receive.Options{Store: d.history, Show: d.gallery, Logger: logger})
	d.server = receivegrpc.New(receivegrpc.Options{
		Admission: d.agents, Version: "test", Peer: nameOf, Transport: []grpc.ServerOption{grpc.Creds(insecure.NewCredentials())},
	})
	ctx, cancel := context.WithCancel(context.Background())
	storing, stopStoring := context.WithCancel(context.Background())
	var runs, stores sync.WaitGroup
	runs.Go(func() {
		if err := d.server.Run(ctx, d.pipe); err != nil {
			t.Error(err)
		}
	})
	stores.Go(func() { d.history.Run(storing) })
	d.stop = sync.OnceFunc(func() {
		cancel()
		runs.Wait()
		stopStoring()
		stores.Wait()
		if err := d.history.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(d.stop)
	return d
}

// attempts returns what the history counted of an agent.
func (d *display) attempts(agent string) (sum uint64) {
	d.t.Helper()
	totals, err := d.history.Totals(context.Background())
	if err != nil {
		d.t.Fatal(err)
	}
	for _, total := range totals {
		if total.Agent == agent {
			sum += total.Attempts
		}
	}
	return sum
}

// await waits until a condition holds.
func (d *display) await(holds func() bool) {
	d.t.Helper()
	for !holds() {
		if d.t.Context().Err() != nil {
			d.t.Fatal("the condition never held")
		}
		runtime.Gosched()
	}
}

func (d *display) status(agent string) receive.Status {
	for _, status := range d.agents.Status() {
		if status.Agent == agent {
			return status
		}
	}
	return receive.Status{}
}

// client is an agent that does as the test says.
type client struct {
	t      testing.TB
	stream grpc.BidiStreamingClient[pialertv1.FromAgent, pialertv1.FromDisplay]
	conn   *grpc.ClientConn
}

// dial opens a stream as the named agent; an empty name is nobody.
func (d *display) dial(name string) *client {
	d.t.Helper()
	conn, err := grpc.NewClient("passthrough:///display",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return d.pipe.DialContext(ctx) }))
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { conn.Close() })
	return open(d.t, conn, name)
}

func open(t testing.TB, conn *grpc.ClientConn, name string) *client {
	t.Helper()
	ctx := t.Context()
	if name != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, nameHeader, name)
	}
	stream, err := pialertv1.NewDisplayClient(conn).Deliver(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return &client{t, stream, conn}
}

// send sends messages; that the stream has ended is seen by receiving.
func (c *client) send(messages ...*pialertv1.FromAgent) {
	for _, message := range messages {
		if c.stream.Send(message) != nil {
			return
		}
	}
}

// greet says hello and returns what the welcome says is committed.
func (c *client) greet(epoch uint64) (committed uint64) {
	c.t.Helper()
	c.send(hello(epoch))
	message, err := c.stream.Recv()
	if err != nil || message.GetWelcome() == nil {
		c.t.Fatalf("no welcome but %v, error %v", message, err)
	}
	return message.GetWelcome().GetCommitted()
}

// waitAck receives until a number is acknowledged.
func (c *client) waitAck(number uint64) {
	c.t.Helper()
	for {
		message, err := c.stream.Recv()
		if err != nil {
			c.t.Fatalf("no acknowledgement of %d: %v", number, err)
		}
		ack := message.GetAck()
		if ack == nil || ack.GetCommitted() > number {
			c.t.Fatalf("got %v, want an acknowledgement up to %d", message, number)
		}
		if ack.GetCommitted() == number {
			return
		}
	}
}

// waitEnd receives until the stream ends.
func (c *client) waitEnd() error {
	for {
		if _, err := c.stream.Recv(); err != nil {
			return err
		}
	}
}
