package uplink

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/pialert/pialert/agent/internal/uplink/uplinktest"
	pialertv1 "github.com/pialert/pialert/proto/pialert/v1"
)

// run runs an uplink until its stream ends.
func run(t *testing.T, s Spool, client grpc.ClientConnInterface) error {
	t.Helper()
	return New(Options{Display: "desk", Version: "1.0", Spool: s}).Run(t.Context(), client)
}

// start runs an uplink until the returned function stops it.
func start(t *testing.T, u *Uplink, client grpc.ClientConnInterface) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- u.Run(ctx, client) }()
	return sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
}

func TestDelivery(t *testing.T) {
	t.Parallel()
	s := uplinktest.New()
	s.Add(t, 5)
	hellos := make(chan *pialertv1.Hello, 1)
	lasts := make(chan uint64)
	client := dial(t, func(stream displayStream) error {
		hello, err := greeted(stream, 2)
		if err != nil {
			return err
		}
		hellos <- hello
		b := book{last: 2, users: map[uint64]string{}}
		for {
			message, err := stream.Recv()
			if err != nil {
				return nil
			}
			if err := b.take(message); err != nil {
				t.Error(err)
				return err
			}
			if message.GetBatch() != nil {
				stream.Send(ack(b.last))
				lasts <- b.last
			}
		}
	})
	u := New(Options{Display: "desk", Version: "1.0", Spool: s})
	stop := start(t, u, client)
	if hello := <-hellos; hello.GetProtocol() != 1 || hello.GetVersion() != "1.0" || hello.GetEpoch() != 7 ||
		hello.GetFirstSequence() != 1 || hello.GetNextSequence() != 6 {
		t.Errorf("hello %v", hello)
	}
	if last := <-lasts; last != 5 {
		t.Errorf("the first batch ended with %d, want 5", last)
	}
	s.Add(t, 1)
	if last := <-lasts; last != 6 {
		t.Errorf("after one more event %d, want 6", last)
	}
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped with %v", err)
	}
}

// Numbers that never come are sent as a gap, with what they stood for, before the events after them.
func TestGaps(t *testing.T) {
	t.Parallel()
	s := uplinktest.New()
	s.Base = 2
	s.Add(t, 9)
	s.Drop(4, 6)
	s.Drop(8, 8)
	done := make(chan book, 1)
	client := dial(t, func(stream displayStream) error {
		hello, err := greeted(stream, 0)
		if err != nil {
			return err
		}
		if hello.GetFirstSequence() != 3 {
			t.Errorf("first is %d, want 3", hello.GetFirstSequence())
		}
		b := book{users: map[uint64]string{}}
		for b.last < 9 {
			message, err := stream.Recv()
			if err != nil {
				return err
			}
			if beat := message.GetHeartbeat(); beat != nil && beat.GetDroppedAttempts() != 4 {
				t.Errorf("a heartbeat tells of %d dropped attempts, want 4", beat.GetDroppedAttempts())
			}
			if err := b.take(message); err != nil {
				return err
			}
		}
		done <- b
		return nil
	})
	if err := run(t, s, client); !strings.Contains(err.Error(), "ended the stream") {
		t.Error(err)
	}
	b := <-done
	if !slices.Equal(b.gaps, []uint64{2, 6, 8}) || b.attempts != 4 || len(b.users) != 3 {
		t.Errorf("gaps %v with %d attempts, events %v", b.gaps, b.attempts, b.users)
	}
}

// However often the stream breaks, and wherever, every event is committed once and in order.
func TestBreaksEverywhere(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { breaks(t, rand.New(rand.NewPCG(seed, 3))) })
		})
	}
}

func breaks(t *testing.T, random *rand.Rand) {
	const all = 2000
	s := uplinktest.New()
	committed := uint64(0)
	b := book{users: map[uint64]string{}}
	client := dial(t, func(stream displayStream) error {
		messages := random.IntN(8)
		if messages == 0 {
			return status.Error(codes.Unavailable, "not now")
		}
		b.last = committed // the rest was not committed and is lost with the stream
		if _, err := greeted(stream, committed); err != nil {
			return err
		}
		for range messages {
			message, err := stream.Recv()
			if err != nil {
				return err
			}
			if err := b.take(message); err != nil {
				t.Error(err)
				return err
			}
			if random.IntN(2) == 0 {
				committed = b.last
				if random.IntN(2) == 0 { // or the acknowledgement gets lost
					stream.Send(ack(committed))
				}
			}
		}
		return nil
	})
	for committed < all {
		if s.Next <= all {
			s.Add(t, min(1+random.IntN(100), int(all+1-s.Next)))
		}
		if err := run(t, s, client); errors.Is(err, ErrMisbehaved) {
			t.Fatal(err)
		}
	}
	if len(b.users) != all || s.Acked > committed {
		t.Errorf("%d events arrived, %d are acknowledged", len(b.users), s.Acked)
	}
}

// No more than a window is under way; acknowledgements that come late let it go on.
func TestWindow(t *testing.T) {
	t.Parallel()
	s := uplinktest.New()
	const all = 2*window + 100
	s.Add(t, all)
	client := dial(t, func(stream displayStream) error {
		if _, err := greeted(stream, 0); err != nil {
			return err
		}
		b := book{users: map[uint64]string{}}
		for acked := uint64(0); acked < all; {
			// Nothing is acknowledged before the window is full, or all is there.
			for b.last < min(acked+window, all) {
				message, err := stream.Recv()
				if err != nil {
					return err
				}
				if err := b.take(message); err != nil {
					t.Error(err)
					return err
				}
			}
			acked = b.last
			if err := stream.Send(ack(acked)); err != nil {
				return err
			}
		}
		return nil
	})
	u := New(Options{Display: "desk", Spool: s})
	if err := u.Run(t.Context(), client); !strings.Contains(err.Error(), "ended the stream") {
		t.Error(err)
	}
	if s.Ahead == 0 || s.Ahead >= window {
		t.Errorf("more was sent when %d events were under way, the window is %d", s.Ahead, window)
	}
	if s.Acked != all {
		t.Errorf("the spool knows that %d are committed, want %d", s.Acked, all)
	}
}

// What a display must not say ends the stream, with an error that says what it was.
func TestMisbehaviour(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		deliver func(stream displayStream) error
		is      error
		says    string
	}{
		{"acknowledges what was never sent", func(stream displayStream) error {
			greeted(stream, 0)
			stream.Send(ack(1 << 40))
			return wait(stream)
		}, ErrMisbehaved, "acknowledged event 1099511627776"},
		{"acknowledges one event more than it got", func(stream displayStream) error {
			greeted(stream, 0)
			for got := 0; got < 3; {
				message, err := stream.Recv()
				if err != nil {
					return err
				}
				got += len(message.GetBatch().GetEvents())
			}
			stream.Send(ack(4))
			return wait(stream)
		}, ErrMisbehaved, "acknowledged event 4, the last one sent is 3"},
		{"knows the future", func(stream displayStream) error {
			greeted(stream, 1<<63)
			return wait(stream)
		}, ErrNewEpoch, "began anew"},
		{"welcomes twice", func(stream displayStream) error {
			greeted(stream, 0)
			stream.Send(welcome(0))
			return wait(stream)
		}, ErrMisbehaved, "something else"},
		{"does not welcome", func(stream displayStream) error {
			stream.Send(ack(0))
			return wait(stream)
		}, ErrMisbehaved, "welcome"},
		{"says nothing at all", func(stream displayStream) error {
			stream.Send(&pialertv1.FromDisplay{})
			return wait(stream)
		}, ErrMisbehaved, "welcome"},
		{"speaks another protocol", func(stream displayStream) error {
			m := welcome(0)
			m.GetWelcome().Protocol = 2
			stream.Send(m)
			return wait(stream)
		}, ErrMisbehaved, "speaks protocol 2"},
		{"hangs up", func(displayStream) error { return nil }, nil, "ended the stream"},
		{"is too busy", func(displayStream) error { return status.Error(codes.Unavailable, "busy") }, nil, "busy"},
		{"does not know us", func(displayStream) error {
			return status.Error(codes.PermissionDenied, "not paired")
		}, nil, "pair them anew"},
		{"finds us misbehaving", func(stream displayStream) error {
			greeted(stream, 0)
			return status.Error(codes.InvalidArgument, "count 9 is absurd")
		}, nil, "cut this agent off: count 9 is absurd"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := uplinktest.New()
			s.Add(t, 3)
			err := run(t, s, dial(t, test.deliver))
			if test.is != nil && !errors.Is(err, test.is) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v", err)
			}
			if s.Acked > 3 {
				t.Errorf("the spool took %d for committed", s.Acked)
			}
		})
	}
}

// What a newer display says beyond what this agent knows is left unheard.
func TestNewerDisplay(t *testing.T) {
	t.Parallel()
	s := uplinktest.New()
	s.Add(t, 3)
	unheard := &pialertv1.FromDisplay{}
	unheard.ProtoReflect().SetUnknown(protowire.AppendBytes(protowire.AppendTag(nil, 99, protowire.BytesType), []byte("a message")))
	err := run(t, s, dial(t, func(stream displayStream) error {
		greeted(stream, 0)
		for got := 0; got < 3; {
			message, err := stream.Recv()
			if err != nil {
				return err
			}
			got += len(message.GetBatch().GetEvents())
		}
		stream.Send(unheard)
		stream.Send(ack(3))
		return nil
	}))
	if s.Acked != 3 || errors.Is(err, ErrMisbehaved) {
		t.Errorf("%d are committed, the stream ended with %v", s.Acked, err)
	}
}

// wait receives until the agent ends the stream.
func wait(stream displayStream) error {
	for {
		if _, err := stream.Recv(); err != nil {
			return nil
		}
	}
}

// An agent to which nothing happens says every ten seconds that it lives.
func TestHeartbeats(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var beats []time.Time
		client := dial(t, func(stream displayStream) error {
			if _, err := greeted(stream, 0); err != nil {
				return err
			}
			for len(beats) < 5 {
				message, err := stream.Recv()
				if err != nil {
					return err
				}
				if message.GetHeartbeat() == nil {
					t.Errorf("got %v", message)
				}
				beats = append(beats, message.GetHeartbeat().GetNow().AsTime())
			}
			return nil
		})
		run(t, uplinktest.New(), client)
		for i := 1; i < len(beats); i++ {
			if pause := beats[i].Sub(beats[i-1]); pause != heartbeat {
				t.Errorf("heartbeat %d came after %v", i, pause)
			}
		}
		if len(beats) != 5 {
			t.Errorf("%d heartbeats", len(beats))
		}
	})
}

// A heartbeat tells how the agent gets on with its logs, with no more of them than a display takes.
func TestHeartbeatsTellOfLogs(t *testing.T) {
	t.Parallel()
	read := time.Unix(1_700_000_000, 0)
	logs := []Log{{Name: "auth.log", LastLine: read}, {Name: "secure", Error: "permission denied"}}
	for range maxLogs {
		logs = append(logs, Log{Name: "more"})
	}
	u := New(Options{Display: "desk", Spool: uplinktest.New(), Logs: func() []Log { return logs }})
	got := u.options.Beat(0).GetHeartbeat().GetLogs()
	if len(got) != maxLogs {
		t.Fatalf("%d logs, want %d", len(got), maxLogs)
	}
	if string(got[0].GetName()) != "auth.log" || !got[0].GetLastLine().AsTime().Equal(read) || len(got[0].GetError()) > 0 {
		t.Errorf("got %v", got[0])
	}
	if got[1].LastLine != nil || string(got[1].GetError()) != "permission denied" {
		t.Errorf("got %v", got[1])
	}
}

// A display that accepts the stream but never welcomes does not hold the agent for ever.
func TestNoWelcome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		err := run(t, uplinktest.New(), dial(t, wait))
		if !strings.Contains(err.Error(), "no welcome") || time.Since(began) != welcomeTimeout {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}

// A display may connect before the spool has heard that it is paired.
func TestPairedAMomentAgo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := uplinktest.New()
		s.Strange = true
		began := time.Now()
		if err := run(t, s, dial(t, wait)); !strings.Contains(err.Error(), "not paired") || time.Since(began) != pairingTimeout {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		time.AfterFunc(pairingTimeout/2, s.Pair)
		err := run(t, s, dial(t, func(stream displayStream) error {
			greeted(stream, 0)
			return nil
		}))
		if !strings.Contains(err.Error(), "ended the stream") {
			t.Error(err)
		}
	})
}
