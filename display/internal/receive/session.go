package receive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"
	"unicode"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/wire"
	pialertv1 "github.com/pialert/pialert/proto/pialert/v1"
)

// stream is a Deliver stream.
type stream = grpc.BidiStreamingServer[pialertv1.FromAgent, pialertv1.FromDisplay]

// session is one stream of an agent.
type session struct {
	*Server
	*agent
	name     string
	stream   stream
	epoch    uint64
	told     atomic.Uint64 // last number that this stream brought, or said would not come
	acked    atomic.Uint64 // last number that was acknowledged on this stream
	progress chan struct{} // holds a token when there may be something to acknowledge
}

// Deliver implements the service. It ends with a status that tells an agent why it is cut off.
func (s *Server) Deliver(stream stream) error {
	name, ok := s.options.Peer(stream.Context())
	if !ok {
		return status.Error(codes.Unauthenticated, "not paired")
	}
	a, err := s.agents.get(name)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(stream.Context())
	defer cancel(nil)
	one := &session{Server: s, agent: a, name: name, stream: stream, progress: make(chan struct{}, 1)}
	if err := a.begin(ctx, one, cancel, s.options.Now()); err != nil {
		return err
	}
	err = one.serve(ctx)
	a.end(one, s.options.Now())
	if refusal := refusalOf(err); refusal != nil {
		if log, before := a.cutOff(refusal.text, s.options.Now()); log {
			s.options.Logger.Warn("cut an agent off", "agent", name, "reason", refusal.text, "times before, not logged", before)
		}
		return refusal
	}
	s.options.Logger.Debug("an agent's stream ended", "agent", name, "reason", err)
	return err
}

// serve takes messages until the stream or ctx ends. It alone hands events on, so that none is
// under way any more when it returns.
func (s *session) serve(ctx context.Context) error {
	messages := make(chan *pialertv1.FromAgent)
	failed := make(chan error, 1)
	go func() { // ends with the stream, which ends when serve returns
		for {
			message, err := s.stream.Recv()
			if err != nil {
				failed <- err
				return
			}
			select {
			case messages <- message:
			case <-ctx.Done():
				failed <- context.Cause(ctx)
				return
			}
		}
	}()
	late := time.NewTimer(helloTimeout)
	defer late.Stop()
	for greeted := false; ; {
		select {
		case <-ctx.Done():
			if s.stream.Context().Err() == nil {
				return context.Cause(ctx) // this end ended it
			}
			return ending(<-failed) // gRPC ends the stream before Recv says why
		case err := <-failed:
			return ending(err)
		case <-late.C:
			return &refusal{codes.FailedPrecondition, "it did not say hello in time"}
		case message := <-messages:
			if err := s.slowDown(ctx); err != nil {
				return err
			}
			if !greeted {
				if err := s.greet(ctx, message); err != nil {
					return err
				}
				late.Stop()
				greeted = true
				go s.acknowledge(ctx)
				continue
			}
			if err := s.take(ctx, message); err != nil {
				return err
			}
		}
	}
}

// ending turns what Recv failed with into what serve returns.
func ending(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// slowDown waits as long as the agent's messages come too fast.
func (s *session) slowDown(ctx context.Context) error {
	wait := s.messages.take(1, s.options.Now())
	if wait == 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// greet takes the hello and answers it.
func (s *session) greet(ctx context.Context, message *pialertv1.FromAgent) error {
	hello := message.GetHello()
	if hello == nil {
		return &refusal{codes.FailedPrecondition, "it did not say hello first"}
	}
	if hello.GetProtocol() != protocol {
		return &refusal{codes.FailedPrecondition, fmt.Sprintf("it speaks protocol %d, this display %d: update the older of the two",
			hello.GetProtocol(), protocol)}
	}
	s.epoch = hello.GetEpoch()
	committed, err := s.options.Store.Committed(ctx, s.name, s.epoch)
	if err != nil {
		return status.Error(codes.Unavailable, "the display cannot read its history")
	}
	version := printable(hello.GetVersion())
	s.agent.welcome(s.epoch, committed, version, s.progress, s.options.Now())
	s.told.Store(committed)
	s.acked.Store(committed)
	s.options.Logger.Info("receiving from an agent", "agent", s.name, "version", version, "committed", committed)
	return s.stream.Send(&pialertv1.FromDisplay{Message: &pialertv1.FromDisplay_Welcome{
		Welcome: &pialertv1.Welcome{Protocol: protocol, Version: s.options.Version, Committed: committed},
	}})
}

// printable returns the beginning of a text that a peer chose, without what could confuse a
// terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, attack.Clip(text, maxVersion))
}

// acknowledge tells the agent what is committed, as it grows, but never more than what it told
// on this stream: the store may still commit what a former one brought.
func (s *session) acknowledge(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.progress:
		}
		committed := min(s.committedNow(), s.told.Load())
		if committed <= s.acked.Load() {
			continue
		}
		s.acked.Store(committed)
		err := s.stream.Send(&pialertv1.FromDisplay{Message: &pialertv1.FromDisplay_Ack{
			Ack: &pialertv1.Ack{Committed: committed},
		}})
		if err != nil {
			return // Recv fails too, and says why
		}
	}
}

// take handles one message after the hello.
func (s *session) take(ctx context.Context, message *pialertv1.FromAgent) (err error) {
	now := s.options.Now()
	s.note(func(status *Status) { status.LastHeard = now })
	switch m := message.GetMessage().(type) {
	case *pialertv1.FromAgent_Batch:
		err = s.takeBatch(ctx, m.Batch.GetEvents(), now)
	case *pialertv1.FromAgent_Gap:
		err = s.takeGap(ctx, m.Gap)
	case *pialertv1.FromAgent_Heartbeat:
		s.note(func(status *Status) {
			status.Dropped = Dropped{m.Heartbeat.GetDroppedEvents(), m.Heartbeat.GetDroppedAttempts()}
		})
		s.options.Store.Heard(s.name, now)
	case *pialertv1.FromAgent_Hello:
		err = &refusal{codes.FailedPrecondition, "it said hello twice"}
	default:
		// What a newer agent says, on top of what it must say, may be left unheard.
		if len(message.ProtoReflect().GetUnknown()) == 0 {
			err = &refusal{codes.InvalidArgument, "it sent an empty message"}
		}
	}
	if err == nil && s.committedNow() > s.acked.Load() {
		offer(s.progress) // told has grown up to what a former stream's events have committed
	}
	return err
}

// takeBatch shows and stores the events that are new.
func (s *session) takeBatch(ctx context.Context, messages []*pialertv1.Event, now time.Time) error {
	if len(messages) == 0 {
		return nil
	}
	if len(messages) > maxEvents {
		return &refusal{codes.ResourceExhausted, fmt.Sprintf("a batch has %d events, at most %d are allowed", len(messages), maxEvents)}
	}
	told := s.told.Load()
	events := make([]attack.Event, len(messages))
	attempts := 0.0
	for i, message := range messages {
		sequence, event, err := wire.Decode(message)
		if err != nil {
			return &refusal{codes.InvalidArgument, fmt.Sprintf("event %d: %v", told+1, err)}
		}
		if told++; sequence != told {
			return &refusal{codes.FailedPrecondition, fmt.Sprintf("event %d came where %d was due", sequence, told)}
		}
		events[i] = event
		attempts += float64(event.Count)
	}
	if !s.attempts.allow(attempts, now) {
		return &refusal{codes.ResourceExhausted, "its events stand for more attempts than servers can suffer"}
	}
	first := told - uint64(len(events)) + 1
	s.told.Store(told)
	if fresh := after(events, first, s.shown); len(fresh) > 0 {
		s.shown = told
		s.options.Show.Show(s.name, fresh)
		s.note(func(status *Status) { status.Events += uint64(len(fresh)) })
	}
	fresh := after(events, first, s.queued)
	if len(fresh) == 0 {
		return nil
	}
	return s.handOver(told, func(done func(uint64, error)) error {
		return s.options.Store.Append(ctx, s.name, s.epoch, told-uint64(len(fresh))+1, fresh, done)
	})
}

// after returns the events with numbers above mark; the first one has the number first.
func after(events []attack.Event, first, mark uint64) []attack.Event {
	if mark < first {
		return events
	}
	return events[min(mark-first+1, uint64(len(events))):]
}

// handOver hands numbers up to last to the store.
func (s *session) handOver(last uint64, store func(done func(uint64, error)) error) error {
	epoch, agent := s.epoch, s.agent // what outlives the session
	err := store(func(committed uint64, err error) { agent.settled(epoch, committed, err) })
	if err != nil {
		// The numbers stay above queued, so they are stored when another stream brings them.
		return status.Error(codes.Unavailable, "the display cannot store events now")
	}
	s.queued = last
	return nil
}

// takeGap notes that numbers will not come.
func (s *session) takeGap(ctx context.Context, gap *pialertv1.Gap) error {
	through, attempts := gap.GetThrough(), gap.GetAttempts()
	switch told := s.told.Load(); {
	case through <= told:
		return &refusal{codes.FailedPrecondition, fmt.Sprintf("a gap through %d came after %d", through, told)}
	case through > maxSequence || attempts > maxLost:
		return &refusal{codes.InvalidArgument, fmt.Sprintf("a gap through %d with %d attempts is absurd", through, attempts)}
	}
	s.told.Store(through)
	s.shown = max(s.shown, through)
	if through <= s.queued {
		return nil
	}
	return s.handOver(through, func(done func(uint64, error)) error {
		return s.options.Store.Skip(ctx, s.name, s.epoch, through, attempts, done)
	})
}
