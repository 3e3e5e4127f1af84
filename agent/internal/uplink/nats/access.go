package nats

import (
	"context"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/pialert/pialert/agent/internal/uplink"
	"github.com/pialert/pialert/pkg/broker"
	"github.com/pialert/pialert/pkg/pairing"
)

// Options say what is delivered, and how.
type Options struct {
	Uplink  uplink.Options // for any display: Display is not looked at
	Keyring *pairing.Keyring
	Broker  broker.Config
	Stored  bool // the spool forgets what the broker has, rather than what the display has
}

// access is how deliveries reach the broker: the same for all of them. Run sets it before the first.
type access struct {
	options Options
	own     broker.ID // in subjects
	conn    carrier
	js      keeper
}

// carrier is the connection to the broker: a [broker.Conn].
type carrier interface {
	Await(ctx context.Context) error
	IsConnected() bool
	ConnectedUrlRedacted() string
	Fault() error
	PublicKey(ctx context.Context, display broker.ID) (pairing.PublicKey, error)
	Publish(subject string, data []byte) error
}

// keeper stores what is published in the stream: a [jetstream.JetStream].
type keeper interface {
	Publish(ctx context.Context, subject string, data []byte, options ...jetstream.PublishOpt) (*jetstream.PubAck, error)
	PublishAsync(subject string, data []byte, options ...jetstream.PublishOpt) (jetstream.PubAckFuture, error)
}
