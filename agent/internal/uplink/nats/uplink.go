// Package nats delivers the events of a spool to displays through a NATS broker.
//
// For each paired display it says hello, learns what the display has committed, and publishes what
// follows in batches of up to a hundred events, each signed by this agent and sealed for that display.
// The broker keeps them in a JetStream stream until the display has them. What it promises is what the
// spool needs: that each event is published in the order of the numbers, from the first that is not
// acknowledged, again and again until it is.
//
// The spool forgets on the display's own receipt (shown), or as soon as the broker has a message
// (stored), as the owner chose. With the latter the broker's disks are trusted to keep, though still
// not with reading or changing anything.
//
// A broker that is full refuses, and events stay in the spool. One that loses messages is found out
// by the display, which asks for them again. Nothing that a broker says is believed, but that it
// stored something.
package nats

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	client "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/pialert/pialert/pkg/broker"
	"github.com/pialert/pialert/pkg/link"
	"github.com/pialert/pialert/pkg/pairing"
)

// Uplink delivers to all displays that are paired.
type Uplink struct {
	access

	mu         sync.Mutex
	deliveries map[string]*delivery // by the display's name
	keys       ownKeys              // that the deliveries know
}

// ownKeys are this agent's keys: the one that it signs with, and the one that it changes to, if it does.
type ownKeys struct{ present, next pairing.Fingerprint }

// New returns an Uplink that does nothing before Run.
func New(options Options) *Uplink {
	options.Uplink = options.Uplink.WithDefaults()
	return &Uplink{access: access{options: options}, deliveries: map[string]*delivery{}}
}

// Run delivers to the displays that are paired, also to those that are paired while it runs, until
// ctx ends. It returns an error if the configuration's files cannot be used.
func (u *Uplink) Run(ctx context.Context) (err error) {
	o := &u.options
	conn, err := broker.Connect(o.Broker, broker.Options{Keyring: o.Keyring, Log: o.Uplink.Logger, Changed: u.changed})
	if err != nil {
		return err
	}
	defer conn.Close()
	u.conn, u.own = conn, conn.ID
	if u.js, err = jetstream.New(conn.Conn, jetstream.WithPublishAsyncMaxPending(maxOutstanding+1), jetstream.WithPublishAsyncTimeout(publishTimeout)); err != nil {
		return err
	}
	if _, err := conn.Subscribe(broker.Subject(broker.Receipts, u.own, broker.Any), u.dispatch); err != nil {
		return fmt.Errorf("cannot listen to the broker: %w", err)
	}
	if _, err := conn.Subscribe(broker.Of(broker.Ticks, broker.Any), u.dispatch); err != nil {
		return fmt.Errorf("cannot listen to the broker: %w", err)
	}
	u.deliver(ctx)
	return nil
}

// deliver delivers to whoever is paired, until ctx ends.
func (u *Uplink) deliver(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	for {
		changed := u.options.Keyring.Changed()
		u.follow(ctx, &all)
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// follow starts and ends deliveries so that there is one for each display.
func (u *Uplink) follow(ctx context.Context, all *sync.WaitGroup) {
	u.mu.Lock()
	defer u.mu.Unlock()
	keys := ownKeys{present: u.options.Keyring.Key()}
	keys.next, _ = u.options.Keyring.Rotation()
	rekeyed := keys != u.keys
	u.keys = keys
	wanted := map[string]bool{}
	for _, peer := range u.options.Keyring.Peers() {
		wanted[peer.Name] = true
		if former := u.deliveries[peer.Name]; former != nil {
			if former.id == broker.DisplayID(peer.Key) {
				if rekeyed {
					former.keys.Ring()
				}
				continue
			}
			former.end()
		}
		d := newDelivery(&u.access, peer)
		u.deliveries[peer.Name] = d
		running, cancel := context.WithCancel(ctx)
		d.end = cancel
		all.Go(func() { d.run(running) })
	}
	for name, d := range u.deliveries {
		if !wanted[name] {
			d.end()
			delete(u.deliveries, name)
		}
	}
}

// dispatch hands what a display says to the delivery that it is for.
func (u *Uplink) dispatch(message *client.Msg) {
	from := broker.Sender(message.Subject)
	tick := broker.Of(broker.Ticks, from) == message.Subject
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, d := range u.deliveries {
		to := d.receipts
		if tick {
			to = d.ticks
		}
		if d.id == from {
			select {
			case to <- message.Data:
			default: // a later one says more
			}
		}
	}
}

// changed has the deliveries look at the connection.
func (u *Uplink) changed() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, d := range u.deliveries {
		d.connection.Ring()
	}
}

// States returns how the ways to the displays stand, by name.
func (u *Uplink) States() (all []link.State) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, d := range u.deliveries {
		all = append(all, d.snapshot())
	}
	slices.SortFunc(all, func(a, b link.State) int { return strings.Compare(a.Peer, b.Peer) })
	return all
}
