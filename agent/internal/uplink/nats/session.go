package nats

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/pialert/pialert/agent/internal/uplink"
	"github.com/pialert/pialert/pkg/broker"
	"github.com/pialert/pialert/pkg/pairing"
	pialertv1 "github.com/pialert/pialert/proto/pialert/v1"
)

const (
	// maxOutstanding is how many messages may be under way to the broker.
	maxOutstanding = 32
	publishTimeout = 30 * time.Second
	// window is how many events may be in the broker that the display has not acknowledged. It stays
	// below what the stream takes of one agent.
	window = 1 << 16
	// maxBatch is about how many bytes of events one message carries.
	maxBatch = 64 << 10
	// beatWithin is how soon a display's tick is answered, at random, so that a fleet does not speak at once.
	beatWithin = 15 * time.Second
	tickLength = 16
)

// session is from one hello to whatever ends what follows it. It is for one goroutine.
type session struct {
	*delivery
	id      [16]byte
	to      pairing.PublicKey
	epoch   uint64
	version string

	welcomed bool
	lastSeq  uint64 // last number that the display will have heard of, by event or gap
	sent     uint64 // last number that is published, or is not to be
	acked    uint64 // last number that the display has acknowledged
	under    []publish

	beat *time.Timer // until the tick is answered
	tick []byte      // the newest
}

// publish is a message under way to the broker.
type publish struct {
	last   uint64 // number that it carries
	stored jetstream.PubAckFuture
}

// deliver publishes events as they come, and heartbeats between them.
func (s *session) deliver(ctx context.Context) error {
	stalled := time.NewTimer(s.timeout)
	defer stalled.Stop()
	for {
		changed := s.options.Spool.Changed()
		more, err := s.publishEvents()
		if err != nil {
			return err
		}
		if more {
			changed = nil
		}
		var stored <-chan *jetstream.PubAck
		var failed <-chan error
		if len(s.under) > 0 {
			stored, failed = s.under[0].stored.Ok(), s.under[0].stored.Err()
		}
		select {
		case <-stored:
			err = s.stored()
		case err = <-failed:
			err = s.explain(err)
		case data := <-s.receipts:
			progress := s.acked
			if err = s.take(data); s.acked > progress {
				stalled.Reset(firstTimeout)
			}
		case <-stalled.C:
			if s.sent > s.acked && !s.access.options.Stored {
				return errSilent
			}
			stalled.Reset(s.timeout)
		case tick := <-s.ticks:
			s.answer(tick)
		case <-s.beat.C:
			err = s.beatNow()
		case <-changed:
		case <-s.connection:
			return errCut
		case <-s.keys:
			return errKeys
		case <-ctx.Done():
			return ctx.Err()
		}
		if err != nil {
			return err
		}
	}
}

// publishEvents publishes batches until there is nothing more, which it says, or too much is under way.
func (s *session) publishEvents() (more bool, err error) {
	for len(s.under) < maxOutstanding {
		if !s.access.options.Stored && s.sent-s.acked >= window {
			return true, nil
		}
		first, count, batch, err := s.options.Spool.Read(s.sent, maxBatch)
		if err != nil || count == 0 {
			return false, err
		}
		if first > s.lastSeq+1 {
			gap := &pialertv1.Gap{Through: first - 1, Attempts: s.options.Spool.Lost(s.lastSeq, first-1)}
			message, err := of(&pialertv1.FromAgent{Message: &pialertv1.FromAgent_Gap{Gap: gap}})
			if err != nil {
				return false, err
			}
			if err := s.publish(message, first-1); err != nil {
				return false, err
			}
		}
		batch, count = cut(batch, count)
		if err := s.publish(ofBatch(batch), first+uint64(count)-1); err != nil {
			return false, err
		}
	}
	return true, nil
}

// publish begins to publish a message that carries numbers up to last.
func (s *session) publish(message []byte, last uint64) error {
	subject, sealed, err := s.seal(broker.Events, s.parcel(message))
	if err != nil {
		return err
	}
	stored, err := s.js.PublishAsync(subject, sealed)
	if err != nil {
		return s.explain(err)
	}
	s.under = append(s.under, publish{last, stored})
	s.lastSeq, s.sent = last, last
	return nil
}

// seal signs and seals a parcel for the display, and returns the subject that it is good for.
func (s *session) seal(sort string, parcel []byte) (subject string, sealed []byte, err error) {
	subject = broker.Subject(sort, s.delivery.id, s.own)
	sealed, err = s.access.options.Keyring.Seal(s.to, subject, parcel)
	return subject, sealed, err
}

// stored takes note that the broker has the oldest message under way.
func (s *session) stored() error {
	last := s.under[0].last
	s.under = s.under[1:]
	if len(s.under) == 0 {
		s.under = nil
	}
	if !s.access.options.Stored {
		return nil
	}
	return s.options.Spool.Ack(s.options.Display, s.epoch, last)
}

// take takes a receipt.
func (s *session) take(data []byte) error {
	receipt := s.open(data)
	switch {
	case receipt == nil:
		return nil
	case receipt.GetRefusal() != "":
		return refused(receipt)
	case receipt.GetAgain():
		return errAgain
	}
	if err := s.answered(receipt); err != nil {
		return err
	}
	committed := receipt.GetMessage().GetAck().GetCommitted()
	if welcome := receipt.GetMessage().GetWelcome(); welcome != nil && !s.welcomed {
		// It comes late: the display was away when this session began on the broker's word.
		_, again, err := s.options.Spool.Resume(s.options.Display, s.epoch, welcome.GetCommitted())
		switch {
		case err != nil:
			return err
		case again:
			return uplink.ErrNewEpoch
		}
		s.welcomed = true
		s.up(receipt)
		committed = welcome.GetCommitted()
	}
	switch {
	case committed > s.sent && !s.access.options.Stored:
		return fmt.Errorf("%w: it acknowledged event %d, the last one sent is %d", uplink.ErrMisbehaved, committed, s.sent)
	case committed <= s.acked:
		return nil
	}
	s.acked = committed
	if committed > s.sent {
		return nil // of a session before; the spool knows better what was given
	}
	return s.options.Spool.Ack(s.options.Display, s.epoch, committed)
}

// open returns what a receipt says if it is the display's own, and about this session; else nil.
func (s *session) open(data []byte) *pialertv1.Receipt {
	from, raw, err := s.access.options.Keyring.Unseal(broker.Subject(broker.Receipts, s.own, s.delivery.id), data)
	var receipt pialertv1.Receipt
	if err != nil || from != s.to || proto.Unmarshal(raw, &receipt) != nil {
		return nil
	}
	if string(receipt.GetSession()) != string(s.id[:]) || receipt.GetEpoch() != s.epoch {
		return nil
	}
	return &receipt
}

// answer has a tick answered soon.
func (s *session) answer(tick []byte) {
	if len(tick) != tickLength {
		return
	}
	s.tick = tick
	s.beat.Reset(rand.N(beatWithin))
}

// beatNow says that the agent lived after the newest tick. Whether anybody hears it stays unknown.
func (s *session) beatNow() error {
	if s.tick == nil {
		return nil
	}
	raw, err := of(s.options.Beat(s.acked))
	if err != nil {
		return err
	}
	parcel := protowire.AppendTag(s.parcel(raw), parcelTick, protowire.BytesType)
	if parcel, err = s.greeting(protowire.AppendBytes(parcel, s.tick)); err != nil {
		return err
	}
	subject, sealed, err := s.seal(broker.Beats, parcel)
	if err != nil {
		return err
	}
	return s.explain(s.conn.Publish(subject, sealed))
}

// explain says what a failed publish means.
func (s *session) explain(err error) error {
	switch {
	case err == nil || errors.Is(err, context.Canceled):
		return err
	case broker.IsFull(err):
		return fmt.Errorf("the broker's stream is full, so events wait here: let the display catch up, or give it more room (%w)", err)
	case errors.Is(err, jetstream.ErrNoStreamResponse):
		return errors.New("the broker has no stream for events: its JetStream is off or has no leader now, or no display has come there yet")
	case broker.IsAway(err):
		return fmt.Errorf("the broker does not take events: %w", errors.Join(err, s.conn.Fault())) // such as a forbidden publish
	}
	return fmt.Errorf("cannot publish: %w", err)
}
