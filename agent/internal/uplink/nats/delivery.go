package nats

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/pialert/pialert/agent/internal/uplink"
	"github.com/pialert/pialert/pkg/backoff"
	"github.com/pialert/pialert/pkg/broker"
	"github.com/pialert/pialert/pkg/escape"
	"github.com/pialert/pialert/pkg/link"
	"github.com/pialert/pialert/pkg/pairing"
	"github.com/pialert/pialert/pkg/wake"
	pialertv1 "github.com/pialert/pialert/proto/pialert/v1"
)

const (
	// firstPause and lastPause are between sessions that ended with an error.
	firstPause = time.Second
	lastPause  = 30 * time.Second
	// firstTimeout is how long no word of a display means nothing; it doubles up to lastTimeout, since the
	// question, too, is kept until the display comes back.
	firstTimeout = time.Minute
	lastTimeout  = 10 * time.Minute
	// welcomeTimeout is how long a session that the broker's word is enough for waits for a display's.
	welcomeTimeout = 10 * time.Second
)

// Why sessions end.
var (
	errAgain     = errors.New("the display misses events that the broker had")
	errSilent    = errors.New("the display has not answered yet: events wait")
	errKeys      = errors.New("this agent's key changes")
	errCut       = errors.New("the connection to the broker is cut")
	errForbidden = errors.New("the display does not take this agent")
)

// delivery is what goes to one display, in one session after another.
type delivery struct {
	*Uplink
	options    uplink.Options // with the display's name
	key        pairing.Fingerprint
	id         broker.ID
	receipts   chan []byte
	ticks      chan []byte // the newest only
	connection wake.Bell   // rings when the connection came or went
	keys       wake.Bell   // rings when a key of this agent came or went
	end        context.CancelFunc
	failures   failures
	timeout    time.Duration

	mu    sync.Mutex
	state link.State
}

func newDelivery(u *Uplink, peer pairing.Peer) *delivery {
	d := &delivery{
		Uplink: u, options: u.options.Uplink, key: peer.Key, id: broker.DisplayID(peer.Key),
		receipts: make(chan []byte, 16), ticks: make(chan []byte, 1), connection: wake.New(), keys: wake.New(), timeout: firstTimeout, state: link.State{Peer: peer.Name},
	}
	d.options.Display = peer.Name
	d.failures.log = d.options.Logger.With("display", peer.Name)
	return d
}

// run delivers until ctx ends.
func (d *delivery) run(ctx context.Context) {
	pause := backoff.Backoff{First: firstPause, Last: lastPause, Least: 0.5}
	for ctx.Err() == nil {
		err := d.conn.Await(ctx)
		if err == nil {
			err = d.session(ctx)
		}
		if ctx.Err() != nil {
			return
		}
		if d.down(err) {
			pause.Reset()
		}
		switch {
		case errors.Is(err, uplink.ErrNewEpoch), errors.Is(err, errCut), errors.Is(err, errKeys):
			continue
		case errors.Is(err, errSilent):
			d.timeout = min(2*d.timeout, lastTimeout)
			d.failures.note(err, d.options.Now())
			continue
		}
		d.failures.note(err, d.options.Now())
		backoff.Wait(ctx, pause.Next(), nil)
	}
}

// display returns the display's public key. One that was paired by another way is asked for it; only the
// pinned key is taken.
func (d *delivery) display(ctx context.Context) (pairing.PublicKey, error) {
	keyring := d.Uplink.options.Keyring
	peer, err := keyring.Peer(d.options.Display)
	if err != nil || !peer.Public.IsZero() {
		return peer.Public, err
	}
	key, err := d.conn.PublicKey(ctx, d.id)
	if err != nil {
		return key, err
	}
	return key, keyring.Learn(key)
}

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
	if s.Uplink.options.Stored {
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
			if !s.Uplink.options.Stored {
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

func refused(receipt *pialertv1.Receipt) error {
	return fmt.Errorf("%w: %s", errForbidden, escape.Text(receipt.GetRefusal()))
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
	if !s.Uplink.options.Stored {
		return
	}
	if !s.welcomed {
		s.state.Note = "the display has not answered yet; the broker keeps what it is sent"
	} else if frail := receipt.GetFrail(); frail != "" {
		s.state.Note = "the broker may lose what this agent has forgotten: " + escape.Text(frail)
		s.options.Logger.Warn("acknowledged: stored is not safe with this broker", "reason", escape.Text(frail))
	}
}

// down notes why it does not, and says whether it did before.
func (d *delivery) down(err error) (wasUp bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if wasUp = d.state.Up; wasUp {
		d.state.Up, d.state.Since = false, d.options.Now()
	}
	d.state.Tries++
	d.state.Error, d.state.Note = err.Error(), ""
	return wasUp
}

func (d *delivery) snapshot() link.State {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state
}
