package nats

import (
	"context"
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
	*access
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

func newDelivery(to *access, peer pairing.Peer) *delivery {
	d := &delivery{
		access: to, options: to.options.Uplink, key: peer.Key, id: broker.DisplayID(peer.Key),
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
	keyring := d.access.options.Keyring
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

func refused(receipt *pialertv1.Receipt) error {
	return fmt.Errorf("%w: %s", errForbidden, escape.Text(receipt.GetRefusal()))
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

// snapshot returns how the way to the display stands. Where there is no connection, that says why.
func (d *delivery) snapshot() link.State {
	d.mu.Lock()
	defer d.mu.Unlock()
	state := d.state
	if fault := d.conn.Fault(); fault != nil && !d.conn.IsConnected() {
		state.Up, state.Error, state.Note = false, "no connection to the broker: "+fault.Error(), ""
	}
	return state
}
