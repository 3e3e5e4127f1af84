package nats

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/pialert/pialert/agent/internal/uplink"
	"github.com/pialert/pialert/pkg/broker"
	"github.com/pialert/pialert/pkg/escape"
	"github.com/pialert/pialert/pkg/wake"
	pialertv1 "github.com/pialert/pialert/proto/pialert/v1"
)

// session says hello, and delivers until something ends it.
func (d *delivery) session(ctx context.Context) error {
	to, err := d.display(ctx)
	if err != nil {
		return err
	}
	hello, err := d.options.Hello(ctx)
	if err != nil {
		return err
	}
	s := &session{delivery: d, to: to, epoch: hello.GetEpoch(), version: hello.GetVersion()}
	rand.Read(s.id[:]) // never fails
	s.beat = time.NewTimer(time.Hour)
	defer s.beat.Stop()
	for len(d.receipts) > 0 {
		<-d.receipts // of former sessions
	}
	for _, bell := range []wake.Bell{d.connection, d.keys} {
		select {
		case <-bell: // what it rang for is known
		default:
		}
	}
	if !d.conn.IsConnected() {
		return errCut
	}
	if err := s.greet(ctx, hello); err != nil {
		return err
	}
	return s.deliver(ctx)
}

// greet says hello and waits for the welcome.
func (s *session) greet(ctx context.Context, hello *pialertv1.Hello) error {
	if err := s.hello(ctx, hello); err != nil {
		return err
	}
	timeout := s.timeout
	if s.access.options.Stored {
		timeout = welcomeTimeout
	}
	late := time.NewTimer(timeout)
	defer late.Stop()
	for {
		select {
		case data := <-s.receipts:
			receipt := s.open(data)
			switch {
			case receipt == nil:
				continue
			case receipt.GetRefusal() != "":
				return refused(receipt)
			case receipt.GetMessage().GetWelcome() == nil:
				continue
			}
			if err := s.resume(receipt); err != nil {
				return err
			}
			return s.answered(receipt)
		case <-late.C:
			if !s.access.options.Stored {
				return errSilent
			}
			return s.resume(&pialertv1.Receipt{})
		case tick := <-s.ticks:
			s.answer(tick)
		case <-s.beat.C:
			if err := s.beatNow(); err != nil {
				return err
			}
		case <-s.connection:
			return errCut
		case <-s.keys:
			return errKeys
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// resume takes what the display has committed. A receipt without a welcome stands for one that has not
// come: then the spool goes on where the broker's word ended, and the welcome is taken when it comes.
func (s *session) resume(receipt *pialertv1.Receipt) error {
	welcome := receipt.GetMessage().GetWelcome()
	o := &s.options
	if welcome != nil && welcome.GetProtocol() != uplink.Protocol {
		return fmt.Errorf("%w: it speaks protocol %d, this agent %d: update the older of the two", uplink.ErrMisbehaved, welcome.GetProtocol(), uplink.Protocol)
	}
	after, again, err := o.Spool.Resume(o.Display, s.epoch, welcome.GetCommitted())
	switch {
	case err != nil:
		return err
	case again:
		return uplink.ErrNewEpoch
	}
	s.sent, s.acked, s.lastSeq = after, after, after
	if welcome != nil {
		s.lastSeq, s.welcomed = welcome.GetCommitted(), true
		s.timeout = firstTimeout
		o.Logger.Info("delivering by the broker", "display", o.Display, "version", welcome.GetVersion(), "committed", welcome.GetCommitted())
	}
	s.up(receipt)
	if tick := receipt.GetTick(); len(tick) == tickLength {
		s.tick = tick
		s.beat.Reset(0)
	}
	return nil
}

// up notes that the display, or at least the broker, takes events.
func (s *session) up(receipt *pialertv1.Receipt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.state.Up {
		s.state.Up, s.state.Since = true, s.options.Now()
		s.state.Connects++
	}
	s.state.Tries, s.state.Error, s.state.Address, s.state.Note = 0, "", s.conn.ConnectedUrlRedacted(), ""
	if !s.access.options.Stored {
		return
	}
	if !s.welcomed {
		s.state.Note = "the display has not answered yet; the broker keeps what it is sent"
	} else if frail := receipt.GetFrail(); frail != "" {
		s.state.Note = "the broker may lose what this agent has forgotten: " + escape.Text(frail)
		s.options.Logger.Warn("acknowledged: stored is not safe with this broker", "reason", escape.Text(frail))
	}
}

// hello publishes a hello and waits until the broker has it.
func (s *session) hello(ctx context.Context, hello *pialertv1.Hello) error {
	raw, err := of(&pialertv1.FromAgent{Message: &pialertv1.FromAgent_Hello{Hello: hello}})
	if err != nil {
		return err
	}
	parcel, err := s.greeting(s.parcel(raw))
	if err != nil {
		return err
	}
	subject, sealed, err := s.seal(broker.Events, parcel)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	_, err = s.js.Publish(ctx, subject, sealed, jetstream.WithRetryAttempts(0))
	return s.explain(err)
}

// answered takes in what a receipt says of this agent's next key.
func (s *session) answered(receipt *pialertv1.Receipt) error {
	if err := s.access.options.Keyring.Answered(s.key, receipt.GetGreeting()); err != nil {
		return fmt.Errorf("cannot change this agent's key: %w", err)
	}
	return nil
}
