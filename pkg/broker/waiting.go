package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/pialert/pialert/pkg/pairing"
)

// consumerPrefix begins the names of the displays' consumers, and describedAs their descriptions.
const (
	consumerPrefix = "display-"
	describedAs    = "display "
)

// Reader is what a display reads the stream with.
func Reader(id ID, name string) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable: consumerPrefix + string(id), Description: describedAs + name, FilterSubject: Subject(Events, id, Any),
		DeliverPolicy: jetstream.DeliverAllPolicy, AckPolicy: jetstream.AckExplicitPolicy,
	}
}

// Waiting is what the stream keeps for a display.
type Waiting struct {
	Display  ID     `json:"display"`
	Name     string `json:"name"` // as it called itself
	Messages uint64 `json:"messages"`
}

// AllWaiting returns what the stream keeps for each display that has read it, by name.
func AllWaiting(ctx context.Context, stream jetstream.Stream) (all []Waiting, err error) {
	consumers := stream.ListConsumers(ctx)
	for info := range consumers.Info() {
		if id, ok := strings.CutPrefix(info.Name, consumerPrefix); ok {
			name := strings.TrimPrefix(info.Config.Description, describedAs)
			all = append(all, Waiting{ID(id), name, info.NumPending + uint64(info.NumAckPending)})
		}
	}
	slices.SortFunc(all, func(a, b Waiting) int { return strings.Compare(a.Name+string(a.Display), b.Name+string(b.Display)) })
	return all, consumers.Err()
}

// Forget takes all that waits for a display off the stream, which takes no more for it until it comes again. Choose names the
// display, of those that have read the stream. It returns how many messages that were.
func Forget(ctx context.Context, c Config, keyring *pairing.Keyring, choose func([]Waiting) (ID, error)) (n int, err error) {
	conn, err := Connect(c, Options{Keyring: keyring, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if err := conn.Await(ctx); err != nil {
		return 0, fmt.Errorf("cannot reach the broker: %w", err)
	}
	js, err := jetstream.New(conn.Conn)
	if err != nil {
		return 0, err
	}
	stream, err := js.Stream(ctx, c.Stream)
	if err != nil {
		return 0, fmt.Errorf("cannot read the stream %s: %w", c.Stream, err)
	}
	all, err := AllWaiting(ctx, stream)
	if err != nil {
		return 0, fmt.Errorf("cannot read the stream %s: %w", c.Stream, err)
	}
	id, err := choose(all)
	if err != nil {
		return 0, err
	}
	return take(ctx, js, stream, id)
}

// takeAtOnce is how many messages are taken off the stream at a time.
const takeAtOnce = 1000

// take acknowledges all that waits for a display, in its place, and has the stream take no more: it takes no request to
// forget. What came while it was told so is taken, too.
func take(ctx context.Context, js jetstream.JetStream, stream jetstream.Stream, id ID) (n int, err error) {
	reader := Reader(id, "")
	if err := stream.DeleteConsumer(ctx, reader.Durable); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return 0, fmt.Errorf("cannot read in the place of the display: %w", err)
	}
	reader.HeadersOnly, reader.MaxAckPending = true, takeAtOnce
	consumer, err := stream.CreateConsumer(ctx, reader)
	if err != nil {
		return 0, fmt.Errorf("cannot read in the place of the display: %w", err)
	}
	if n, err = acknowledge(ctx, consumer); err != nil {
		return n, err
	}
	config := stream.CachedInfo().Config
	config.Subjects = slices.DeleteFunc(config.Subjects, func(subject string) bool { return subject == reader.FilterSubject })
	if _, err := js.UpdateStream(ctx, config); err != nil {
		return n, fmt.Errorf("cannot have the stream %s take no more for the display: %w", config.Name, err)
	}
	late, err := acknowledge(ctx, consumer)
	if err != nil {
		return n + late, err
	}
	return n + late, stream.DeleteConsumer(ctx, reader.Durable)
}

// acknowledge acknowledges all that a consumer has before it, and returns how much that was.
func acknowledge(ctx context.Context, consumer jetstream.Consumer) (n int, err error) {
	for {
		batch, err := consumer.FetchNoWait(takeAtOnce)
		if err != nil {
			return n, err
		}
		before := n
		for message := range batch.Messages() {
			if err := message.DoubleAck(ctx); err != nil {
				return n, err
			}
			n++
		}
		if err := batch.Error(); err != nil || n == before {
			return n, err
		}
	}
}
