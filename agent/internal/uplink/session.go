package uplink

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"github.com/pialert/pialert/pkg/wake"
	pialertv1 "github.com/pialert/pialert/proto/pialert/v1"
)

const (
	// maxBatch is about how many bytes of events one message carries: far below gRPC's limit of
	// 4 MiB for a receiver, enough to make what a message costs beside its bytes not count.
	maxBatch = 128 << 10
	// window is how many events may be under way without acknowledgement. The display commits in
	// groups, so the window has to hold what it takes meanwhile.
	window = 1 << 16
	// heartbeat is how often the agent says that it lives.
	heartbeat = 10 * time.Second
	// welcomeTimeout is how long the display may take to welcome.
	welcomeTimeout = 30 * time.Second
)

// Errors that Run may wrap.
var (
	// ErrNewEpoch: the display knew more than the spool; connect again, in a new epoch.
	ErrNewEpoch = errors.New("the numbering of events began anew")
	// ErrMisbehaved: the display broke the protocol.
	ErrMisbehaved = errors.New("the display broke the protocol")
)

// session is one stream.
type session struct {
	options *Options
	stream  grpc.BidiStreamingClient[pialertv1.FromAgent, pialertv1.FromDisplay]

	epoch    uint64        // of its numbers
	lastSeq  uint64        // last number that the display has heard of, by event or gap; of send only
	sent     atomic.Uint64 // last number that is sent, or is not to be sent
	acked    atomic.Uint64 // last number that the display has committed
	progress wake.Bell     // rings when acked has grown
}

// greet says hello and takes the welcome.
func (s *session) greet(hello *pialertv1.Hello, cancel context.CancelCauseFunc) error {
	o := s.options
	late := time.AfterFunc(welcomeTimeout, func() { cancel(fmt.Errorf("no welcome within %v", welcomeTimeout)) })
	defer late.Stop()
	// A failed Send returns io.EOF; Recv tells the reason.
	s.stream.Send(&pialertv1.FromAgent{Message: &pialertv1.FromAgent_Hello{Hello: hello}})
	message, err := s.stream.Recv()
	if err != nil {
		return err
	}
	welcome := message.GetWelcome()
	switch {
	case welcome == nil:
		return misbehaved("it did not begin with a welcome")
	case welcome.GetProtocol() != Protocol:
		return misbehaved("it speaks protocol %d, this agent %d: update the older of the two", welcome.GetProtocol(), Protocol)
	}
	after, again, err := o.Spool.Resume(o.Display, hello.GetEpoch(), welcome.GetCommitted())
	if err != nil {
		return err
	}
	if again {
		return ErrNewEpoch
	}
	s.epoch, s.lastSeq = hello.GetEpoch(), welcome.GetCommitted()
	s.sent.Store(after)
	s.acked.Store(after)
	o.Logger.Info("delivering", "display", o.Display, "version", welcome.GetVersion(), "committed", welcome.GetCommitted())
	return nil
}

// receive takes acknowledgements until the stream ends.
func (s *session) receive() error {
	for {
		message, err := s.stream.Recv()
		if err != nil {
			return err
		}
		ack := message.GetAck()
		if ack == nil {
			if message.GetMessage() == nil && len(message.ProtoReflect().GetUnknown()) > 0 {
				continue // of a newer display
			}
			return misbehaved("it sent something else than an acknowledgement")
		}
		committed := ack.GetCommitted()
		if sent := s.sent.Load(); committed > sent {
			return misbehaved("it acknowledged event %d, the last one sent is %d", committed, sent)
		}
		if committed <= s.acked.Load() {
			continue
		}
		if err := s.options.Spool.Ack(s.options.Display, s.epoch, committed); err != nil {
			return err
		}
		s.acked.Store(committed)
		s.progress.Ring()
	}
}

// send sends events as they come, and heartbeats between them, until the stream ends.
func (s *session) send(ctx context.Context) error {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	if err := s.stream.Send(s.options.Beat(s.acked.Load())); err != nil {
		return err
	}
	for {
		changed := s.options.Spool.Changed()
		sent, err := s.sendEvents()
		if err != nil {
			return err
		}
		if !sent {
			select {
			case <-changed:
			case <-s.progress:
			case <-beat.C:
				err = s.stream.Send(s.options.Beat(s.acked.Load()))
			case <-ctx.Done():
				return ctx.Err()
			}
		} else {
			select {
			case <-beat.C:
				err = s.stream.Send(s.options.Beat(s.acked.Load()))
			default:
			}
		}
		if err != nil {
			return err
		}
	}
}

// sendEvents sends one batch, unless there is none or too much is under way.
func (s *session) sendEvents() (sent bool, err error) {
	after := s.sent.Load()
	if after-s.acked.Load() >= window {
		return false, nil
	}
	first, count, batch, err := s.options.Spool.Read(after, maxBatch)
	if err != nil || count == 0 {
		return false, err
	}
	if first > s.lastSeq+1 {
		gap := &pialertv1.Gap{Through: first - 1, Attempts: s.options.Spool.Lost(s.lastSeq, first-1)}
		if err := s.stream.Send(&pialertv1.FromAgent{Message: &pialertv1.FromAgent_Gap{Gap: gap}}); err != nil {
			return false, err
		}
	}
	// The acknowledgement may be here before SendMsg returns.
	s.lastSeq = first + uint64(count) - 1
	s.sent.Store(s.lastSeq)
	err = s.stream.SendMsg(encodedBatch(batch))
	return err == nil, err
}

// misbehaved returns an error for what a display should not have said.
func misbehaved(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMisbehaved, fmt.Sprintf(format, args...))
}
