package nats

import (
	"context"
	"errors"
	"path"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"

	"github.com/pialert/pialert/display/internal/receive"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/backoff"
	"github.com/pialert/pialert/pkg/broker"
	"github.com/pialert/pialert/pkg/pairing"
	"github.com/pialert/pialert/pkg/wire"
	pialertv1 "github.com/pialert/pialert/proto/pialert/v1"
)

// storePause is between tries to hand over what the history does not take now. After storeTries it may be
// this agent only that it does not take, so the others go on, and the agent's messages come again
// after storeLater.
const (
	storePause = time.Second
	storeTries = 5
	storeLater = 30 * time.Second
)

// errHole is what taking a message ends with if numbers before it are missing.
var errHole = errors.New("numbers are missing")

// take takes one message of the stream. It returns an error only when ctx ends.
func (s *Server) take(ctx context.Context, message jetstream.Msg) error {
	subject := message.Subject()
	from, raw, err := s.options.Keyring.Unseal(subject, message.Data())
	if err != nil {
		s.drop(message, &s.status.Dropped.Sealed, err.Error(), "subject", subject)
		return nil
	}
	peer, err := s.options.Keyring.Holder(from)
	if err != nil || peer.Role != pairing.Agent {
		s.drop(message, &s.status.Dropped.Unpaired, "its sender is not paired", "key", from.Fingerprint())
		return nil
	}
	var parcel pialertv1.Parcel
	damaged := proto.Unmarshal(raw, &parcel)
	a := s.agent(peer.Name)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.id, a.key = broker.Sender(subject), from
	if damaged == nil {
		a.session = parcel.GetSession()
	}
	if !Takes(s.options.Agents, peer.Name) {
		s.drop(message, &s.status.Dropped.Unwanted, "another display takes this agent", "agent", peer.Name)
		a.epoch = parcel.GetEpoch()
		s.tell(a, &pialertv1.Receipt{Refusal: "the setting link.nats.agents of display " + s.options.Keyring.Name() +
			" leaves this agent out: unpair it, or change that setting"}, time.Now())
		return nil
	}
	if late := time.Until(a.stalled); late > 0 {
		message.NakWithDelay(late)
		return nil
	}
	for try := 1; ; try++ {
		err := damaged
		if err != nil {
			err = &receive.Refusal{Reason: receive.Invalid, Text: "it sent what is no parcel"}
		} else if err = s.admit(ctx, a, &parcel); err == nil {
			err = s.hand(a, message, from.Fingerprint(), &parcel)
		}
		var refusal *receive.Refusal
		var later *receive.Later
		switch {
		case err == nil:
			return nil
		case errors.Is(err, errHole):
			return nil
		case errors.As(err, &refusal), errors.As(err, &later):
			a.close(err)
			a.epoch = parcel.GetEpoch()
			s.drop(message, &s.status.Dropped.Refused, err.Error(), "agent", peer.Name)
			s.tell(a, &pialertv1.Receipt{Refusal: err.Error()}, time.Now())
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		}
		// The history cannot be written, or the agent came another way: the message waits, and all others
		// with it for a while, since none could be stored.
		a.close(err)
		if try == storeTries {
			a.stalled = time.Now().Add(storeLater)
			a.epoch = parcel.GetEpoch()
			s.options.Logger.Warn("the events of an agent cannot be stored, trying again later", "agent", peer.Name, "error", err)
			s.tell(a, &pialertv1.Receipt{Refusal: err.Error()}, time.Now())
			message.NakWithDelay(storeLater)
			return nil
		}
		a.mu.Unlock()
		backoff.Wait(ctx, storePause, nil)
		a.mu.Lock()
	}
}

// hand hands a parcel that a key has signed to the admission. The caller holds a.mu.
func (s *Server) hand(a *agent, message jetstream.Msg, key pairing.Fingerprint, parcel *pialertv1.Parcel) error {
	switch m := parcel.GetMessage().GetMessage().(type) {
	case *pialertv1.FromAgent_Hello:
		if a.hole != 0 && a.holeIn == s.reading.Load() {
			return errHole // the stream is about to be read again: it comes behind what is missing
		}
		a.admitted.Runs(parcel.GetVersion())
		a.await(message, a.last, &hello{key, s.announced(a, key, parcel)})
		s.settle(a, time.Now())
		return nil
	case *pialertv1.FromAgent_Batch:
		events := m.Batch.GetEvents()
		if len(events) == 0 {
			message.Ack()
			return nil
		}
		first := events[0].GetSequence()
		last := first + uint64(len(events)) - 1
		switch {
		case first == 0 || last < first:
			return &receive.Refusal{Reason: receive.Invalid, Text: "its numbers make no sense"}
		case first > a.last+1:
			return s.missing(a, message)
		case last > a.last:
			known := int(a.last + 1 - first)
			err := a.admitted.Batch(len(events)-known, func(i int) (uint64, attack.Event, error) { return wire.Decode(events[known+i]) })
			if err != nil {
				return err
			}
			a.advance(last)
		}
		a.await(message, last, nil)
		return nil
	case *pialertv1.FromAgent_Gap:
		through := m.Gap.GetThrough()
		if through > a.last {
			if err := a.admitted.Gap(through, m.Gap.GetAttempts()); err != nil {
				return err
			}
			a.advance(through)
		}
		a.await(message, through, nil)
		return nil
	}
	message.Ack() // of a newer agent
	return a.admitted.Unknown()
}

// await has a message acknowledged when numbers are committed.
func (a *agent) await(message jetstream.Msg, through uint64, hello *hello) {
	a.pending = append(a.pending, pending{message, through, hello})
}

func (a *agent) advance(last uint64) { a.last, a.hole = last, 0 }

// missing deals with a message before which numbers are missing. The first time the stream is read
// again, since what was handed out to a connection that broke comes later than what was not. If they are
// missing there too, the agent is asked for them, and sends all that follows again.
func (s *Server) missing(a *agent, message jetstream.Msg) error {
	reading := s.reading.Load()
	if a.hole != a.last+1 {
		a.hole, a.holeIn = a.last+1, reading
		s.count(&s.status.Resyncs)
		s.resync()
		return errHole
	}
	if a.holeIn == reading { // the stream is about to be read again
		return errHole
	}
	message.Term()
	if now := time.Now(); now.Sub(a.againAt) >= againEvery {
		a.againAt = now
		s.options.Logger.Warn("numbers are missing in what the broker has: asking the agent again", "agent", a.name, "first", a.last+1)
		s.tell(a, &pialertv1.Receipt{Again: true}, now)
	}
	return errHole
}

// Takes says whether a display whose configuration lists these patterns takes an agent.
func Takes(patterns []string, name string) bool {
	for _, pattern := range patterns {
		if ok, _ := path.Match(pattern, name); ok {
			return true
		}
	}
	return len(patterns) == 0
}
