package uplink

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"

	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/wire"
	pialertv1 "github.com/pialert/pialert/proto/pialert/v1"
)

// memorySpool is a Spool in memory for one display.
type memorySpool struct {
	mu      sync.Mutex
	epoch   uint64
	strange bool              // the display is not paired
	base    uint64            // numbers up to this one are not for the display
	events  map[uint64][]byte // as fields of a Batch
	next    uint64
	acked   uint64
	ahead   uint64 // by how much a reader went beyond what was acknowledged
	dropped uint64
	changed chan struct{}
}

func newSpool() *memorySpool {
	return &memorySpool{epoch: 7, events: map[uint64][]byte{}, next: 1, changed: make(chan struct{})}
}

// add commits n events.
func (s *memorySpool) add(t *testing.T, n int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		message := wire.Encode(s.next, "web", &attack.Event{
			Kind: attack.SSHLogin, Severity: attack.Medium, Observed: time.Unix(1_700_000_000, 0),
			User: fmt.Sprint("user-", s.next), Count: 1,
		})
		batch, err := proto.Marshal(&pialertv1.Batch{Events: []*pialertv1.Event{message}})
		if err != nil {
			t.Fatal(err)
		}
		s.events[s.next] = batch
		s.next++
	}
	close(s.changed)
	s.changed = make(chan struct{})
}

// pair makes the display known.
func (s *memorySpool) pair() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.strange = false
	close(s.changed)
	s.changed = make(chan struct{})
}

// drop loses the events numbered first to last, one attempt each.
func (s *memorySpool) drop(first, last uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := first; n <= last; n++ {
		delete(s.events, n)
		s.dropped++
	}
}

func (s *memorySpool) Numbering(string) (epoch, first, next uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.strange {
		return 0, 0, 0, errors.New("the display is not paired")
	}
	return s.epoch, s.base + 1, s.next, nil
}

func (s *memorySpool) Resume(_ string, _, committed uint64) (after uint64, again bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if committed >= s.next {
		s.epoch++
		return 0, true, nil
	}
	return max(committed, s.base), false, nil
}

func (s *memorySpool) Read(after uint64, maxBytes int) (first uint64, count int, batch []byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if after > s.acked {
		s.ahead = max(s.ahead, after-s.acked)
	}
	for n := after + 1; n < s.next; n++ {
		event, ok := s.events[n]
		switch {
		case !ok && count == 0:
			continue
		case !ok || count > 0 && len(batch)+len(event) > maxBytes:
			return first, count, batch, nil
		case count == 0:
			first = n
		}
		batch = append(batch, event...)
		count++
	}
	return first, count, batch, nil
}

func (s *memorySpool) Lost(after, through uint64) uint64 {
	if through <= s.base {
		return 0
	}
	return through - after
}

func (s *memorySpool) Dropped() (events, attempts uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dropped, s.dropped
}

func (s *memorySpool) Ack(_ string, _, committed uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if committed >= s.next {
		return errors.New("the number was never given")
	}
	s.acked = max(s.acked, committed)
	return nil
}

func (s *memorySpool) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

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
