package grpc_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/encoding/protodelim"

	"github.com/pialert/pialert/display/internal/receive"
	receivegrpc "github.com/pialert/pialert/display/internal/receive/grpc"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/link"
	"github.com/pialert/pialert/pkg/pairing"
	pialertv1 "github.com/pialert/pialert/proto/pialert/v1"
)

// memory is a Store that commits at once, unless it is held, and complains about numbers that
// do not follow each other.
type memory struct {
	mu        sync.Mutex
	committed map[string]uint64 // by agent and epoch
	events    map[string][]attack.Event
	held      chan struct{} // Append of the agent "held" waits for it
	err       error
}

func newMemory() *memory {
	return &memory{committed: make(map[string]uint64), events: make(map[string][]attack.Event)}
}

func (m *memory) Committed(_ context.Context, agent string, epoch uint64) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.committed[fmt.Sprint(agent, epoch)], nil
}

func (m *memory) Append(ctx context.Context, agent string, epoch, first uint64, events []attack.Event, done func(uint64, error)) error {
	if agent == "held" {
		select {
		case <-m.held:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	stream := fmt.Sprint(agent, epoch)
	if want := m.committed[stream] + 1; first != want || len(events) == 0 {
		m.err = fmt.Errorf("%d events from %d on, want %d", len(events), first, want)
	}
	for i := range events {
		m.err = errors.Join(m.err, events[i].Check())
	}
	m.committed[stream] += uint64(len(events))
	m.events[agent] = append(m.events[agent], events...)
	go done(m.committed[stream], nil)
	return nil
}

func (m *memory) Skip(_ context.Context, agent string, epoch, through, _ uint64, done func(uint64, error)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	stream := fmt.Sprint(agent, epoch)
	if through <= m.committed[stream] {
		m.err = fmt.Errorf("a gap through %d, committed is %d", through, m.committed[stream])
	}
	m.committed[stream] = through
	go done(through, nil)
	return nil
}

func (m *memory) Heard(string, time.Time) {}

// line is a stream without gRPC.
type line struct {
	pialertv1.Display_DeliverServer // nil: only what is overridden is used
	ctx                             context.Context
	in                              chan *pialertv1.FromAgent // closed at the end
	mu                              sync.Mutex
	out                             []*pialertv1.FromDisplay
}

// newLine returns a stream of the named agent that ends when ctx does.
func newLine(ctx context.Context, name string) *line {
	return &line{ctx: metadata.NewIncomingContext(ctx, metadata.Pairs(nameHeader, name)), in: make(chan *pialertv1.FromAgent, 100)}
}

func (l *line) Context() context.Context { return l.ctx }

func (l *line) Recv() (*pialertv1.FromAgent, error) {
	select {
	case message, ok := <-l.in:
		if !ok {
			return nil, io.EOF
		}
		return message, nil
	case <-l.ctx.Done():
		return nil, l.ctx.Err()
	}
}

func (l *line) Send(message *pialertv1.FromDisplay) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.out = append(l.out, message)
	return nil
}

// acked returns the highest acknowledgement.
func (l *line) acked() (most uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, message := range l.out {
		most = max(most, message.GetAck().GetCommitted())
	}
	return most
}

func newServer(store receive.Store, show receive.Show, log io.Writer) *receivegrpc.Server {
	logger := slog.New(slog.NewTextHandler(log, nil))
	return receivegrpc.New(receivegrpc.Options{Admission: receive.New(receive.Options{Store: store, Show: show, Logger: logger}), Peer: nameOf})
}

// Unless it is told otherwise, a server hears only whom a paired connection names.
func TestStrangersAreRefused(t *testing.T) {
	t.Parallel()
	server := receivegrpc.New(receivegrpc.Options{Admission: receive.New(receive.Options{Store: newMemory(), Show: new(gallery)})})
	if err := server.Deliver(newLine(t.Context(), "web")); status.Code(err) != codes.Unauthenticated {
		t.Errorf("a stream without a paired connection ended with %v", err)
	}
}

// Of paired machines only agents are heard.
func TestOnlyAgentsAreHeard(t *testing.T) {
	t.Parallel()
	server := receivegrpc.New(receivegrpc.Options{Admission: receive.New(receive.Options{Store: newMemory(), Show: new(gallery)})})
	for role, heard := range map[pairing.Role]bool{pairing.Agent: true, pairing.Display: false} {
		conn := &link.Conn{Session: &pairing.Session{Peer: pairing.Peer{Name: "web", Role: role}}}
		_, info, err := link.Credentials().ServerHandshake(conn)
		if err != nil {
			t.Fatal(err)
		}
		l := newLine(peer.NewContext(t.Context(), &peer.Peer{AuthInfo: info}), "web")
		close(l.in) // it has nothing to say
		if err := server.Deliver(l); (status.Code(err) != codes.Unauthenticated) != heard {
			t.Errorf("the stream of a paired %v ended with %v", role, err)
		}
	}
}

// Nor does it speak with anybody but over such a connection: what comes over another one is closed before a
// word of the protocol.
func TestOtherConnectionsAreClosed(t *testing.T) {
	t.Parallel()
	pipe := bufconn.Listen(1 << 20)
	server := receivegrpc.New(receivegrpc.Options{Admission: receive.New(receive.Options{Store: newMemory(), Show: new(gallery)})})
	ended := make(chan error)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { ended <- server.Run(ctx, pipe) }()
	conn, err := pipe.Dial()
	if err != nil {
		t.Fatal(err)
	}
	if said, _ := io.ReadAll(conn); len(said) > 0 {
		t.Errorf("the server said %q", said)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// An agent that says nothing does not hold a stream for long.
func TestHelloIsDue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		begun := time.Now()
		err := newServer(newMemory(), new(gallery), io.Discard).Deliver(newLine(ctx, "web"))
		if code := status.Code(err); code != codes.FailedPrecondition || time.Since(begun) != 10*time.Second {
			t.Errorf("ended with %v after %v", err, time.Since(begun))
		}
	})
}

// One that has said it may be silent for as long as it likes.
func TestAfterTheHelloNothingIsDue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		l := newLine(ctx, "web")
		ended := make(chan error, 1)
		go func() { ended <- newServer(newMemory(), new(gallery), io.Discard).Deliver(l) }()
		l.in <- hello(1)
		time.Sleep(time.Hour)
		l.in <- numbered(1, 1)
		if synctest.Wait(); l.acked() != 1 {
			t.Error("what came after an hour is not acknowledged")
		}
		close(l.in)
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// A listener that fails ends the server, and every stream with it.
func TestListenerFails(t *testing.T) {
	t.Parallel()
	pipe := bufconn.Listen(1 << 20)
	admission := receive.New(receive.Options{Store: newMemory(), Show: new(gallery)})
	server := receivegrpc.New(receivegrpc.Options{
		Admission: admission, Peer: nameOf, Transport: []grpc.ServerOption{grpc.Creds(insecure.NewCredentials())},
	})
	ended := make(chan error)
	go func() { ended <- server.Run(t.Context(), pipe) }()
	(&display{t: t, pipe: pipe}).dial("web").greet(1)
	pipe.Close()
	if err := <-ended; err == nil {
		t.Error("the server ended without an error")
	}
	if web := admission.Status()[0]; web.Connected {
		t.Error("the agent is still connected")
	}
}

// Messages above the rate are taken later, none is lost.
func TestMessagesAreSlowedDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		store, l := newMemory(), newLine(ctx, "web")
		go func() {
			l.in <- hello(1)
			for n := range uint64(9999) {
				l.in <- numbered(n+1, n+1)
			}
			close(l.in)
		}()
		begun := time.Now()
		if err := newServer(store, new(gallery), io.Discard).Deliver(l); err != nil {
			t.Error(err)
		}
		// 4000 at once, the other 6000 at 2000 per second.
		if took := time.Since(begun).Round(time.Millisecond); took != 3*time.Second {
			t.Errorf("10000 messages took %v, want 3s", took)
		}
		if got := len(store.events["web"]); got != 9999 || store.err != nil {
			t.Errorf("%d events, error %v", got, store.err)
		}
	})
}

// An agent that is cut off again and again is refused between its tries and logged once a minute.
func TestPenalty(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		book := new(logBook)
		server := newServer(newMemory(), new(gallery), book)
		tries, served := 0, 0
		for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(time.Second) {
			ctx, cancel := context.WithCancel(t.Context())
			l := newLine(ctx, "bad")
			l.in <- hello(1)
			l.in <- numbered(2, 2)
			if err := server.Deliver(l); err == nil {
				t.Fatal("not cut off")
			}
			tries++
			if len(l.out) > 0 {
				served++
			}
			cancel()
		}
		if tries != 120 || served != 12 || book.count("cut an agent off") != 2 {
			t.Errorf("%d tries, %d served, logged %d times; want 120, 12, 2", tries, served, book.count("cut an agent off"))
		}
	})
}

// What one agent has to wait for holds up no other one, and events are shown before they are
// stored.
func TestSlowStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		store, shown := newMemory(), new(gallery)
		store.held = make(chan struct{})
		server := newServer(store, shown, io.Discard)
		held, free := newLine(ctx, "held"), newLine(ctx, "free")
		var served sync.WaitGroup
		for _, l := range []*line{held, free} {
			served.Go(func() { server.Deliver(l) })
			l.in <- hello(1)
			l.in <- numbered(1, 3)
		}
		synctest.Wait()
		if held.acked() != 0 || free.acked() != 3 || len(shown.of("held")) != 3 {
			t.Errorf("acknowledged %d and %d, %d shown; want 0, 3 and 3", held.acked(), free.acked(), len(shown.of("held")))
		}
		// The stream breaks meanwhile, and the agent sends again.
		again := newLine(ctx, "held")
		served.Go(func() { server.Deliver(again) })
		again.in <- hello(1)
		synctest.Wait()
		again.in <- numbered(1, 3)
		close(store.held)
		synctest.Wait()
		if again.acked() != 3 || len(shown.of("held")) != 3 || len(store.events["held"]) != 3 || store.err != nil {
			t.Errorf("acknowledged %d, %d shown, %d stored, error %v; want 3 of each", again.acked(),
				len(shown.of("held")), len(store.events["held"]), store.err)
		}
		cancel()
		served.Wait()
	})
}

// lateStore is a Store that commits what it was given when it is told to.
type lateStore struct {
	*memory
	commit chan func() // one for each Append
}

func (s *lateStore) Append(_ context.Context, _ string, _, first uint64, events []attack.Event, done func(uint64, error)) error {
	s.commit <- func() { done(first+uint64(len(events))-1, nil) }
	return nil
}

// What a former stream brought and the store commits later is no news to an agent that has not sent it again: it
// may have lost it, and have other events under those numbers.
func TestNothingIsAcknowledgedThatDidNotCome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		store := &lateStore{newMemory(), make(chan func(), 1)}
		server := newServer(store, new(gallery), io.Discard)
		first, second := newLine(ctx, "web"), newLine(ctx, "web")
		var served sync.WaitGroup
		for _, l := range []*line{first, second} { // the second one takes over
			served.Go(func() { server.Deliver(l) })
			l.in <- hello(1)
			synctest.Wait()
			if l == first {
				l.in <- numbered(1, 3)
				synctest.Wait()
			}
		}
		(<-store.commit)()
		synctest.Wait()
		if len(first.out) != 1 || len(second.out) != 1 {
			t.Errorf("before anything was sent again: %v and %v, want welcomes alone", first.out, second.out)
		}
		second.in <- numbered(1, 2)
		synctest.Wait()
		if len(second.out) != 2 || second.acked() != 2 {
			t.Errorf("after two were sent again: %v, want one acknowledgement of 2", second.out)
		}
		cancel()
		served.Wait()
	})
}

// FuzzMessages holds that no sequence of messages panics, that what reaches the store follows in
// number and is within bounds, that each number is shown once, and that no more is acknowledged
// than was stored.
func FuzzMessages(f *testing.F) {
	seeds := [][]*pialertv1.FromAgent{
		{hello(1), numbered(1, 3), heartbeat(1, 2), numbered(4, 4)},
		{hello(1), gap(5, 9), numbered(6, 7), gap(10, 0), numbered(11, 11)},
		{hello(2), numbered(2, 2)},
		{numbered(1, 1)},
		{hello(1), {}, hello(1)},
		{hello(1), changed(func(e *pialertv1.Event) { e.Sequence, e.Detail = 1, &pialertv1.Event_Http{} })},
	}
	for _, seed := range seeds {
		var raw bytes.Buffer
		for _, message := range seed {
			if _, err := protodelim.MarshalTo(&raw, message); err != nil {
				f.Fatal(err)
			}
		}
		f.Add(raw.Bytes())
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		store, shown := newMemory(), new(gallery)
		server := newServer(store, shown, io.Discard)
		for range 2 { // the second time the agent sends what is committed again
			l := newLine(ctx, "web")
			go func() {
				defer close(l.in)
				for rest := bytes.NewReader(raw); ; {
					var message pialertv1.FromAgent
					if err := protodelim.UnmarshalFrom(rest, &message); err != nil {
						return
					}
					select {
					case l.in <- &message:
					case <-ctx.Done():
						return
					}
				}
			}()
			server.Deliver(l)
			store.mu.Lock()
			most := uint64(0)
			for _, committed := range store.committed {
				most = max(most, committed)
			}
			if l.acked() > most {
				t.Errorf("acknowledged %d, committed %d", l.acked(), most)
			}
			store.mu.Unlock()
		}
		if store.err != nil {
			t.Error(store.err)
		}
		if stored := len(store.events["web"]); len(shown.of("web")) != stored {
			t.Errorf("%d events shown, %d stored", len(shown.of("web")), stored)
		}
	})
}
