package broker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Bounds of the stream.
const (
	// MaxWaiting is how many messages of one agent may wait for one display.
	MaxWaiting = 4096
	// MaxMessage is the most bytes of one message: a hundred events of the largest size, sealed.
	MaxMessage = 1 << 20
	// DefaultRoom is how many bytes a stream may hold if nobody said so.
	DefaultRoom = 1 << 30
)

// Room says how much a stream may keep.
type Room struct {
	// Replicas are on how many servers of a cluster each message is kept: 1, 3 or 5.
	Replicas int `yaml:"replicas"`
	// MaxBytes is the most that the stream may hold on a server; when it is full, events stay with
	// the agents. 0 leaves a stream as it is, and makes one of [DefaultRoom].
	MaxBytes int64
}

// EnsureStream makes the stream for a display, unless it is there. It takes events for displays that have come to it alone:
// what nobody reads would take room for ever. It removes a message when its display has
// acknowledged it, and never else: it refuses new ones rather than forget old ones, and takes no request to
// forget. A server answers a publish at whatever subject its sender names, with an answer that passes for a request
// to purge: so who may publish one message could have everybody's forgotten.
func EnsureStream(ctx context.Context, js jetstream.JetStream, name string, room Room, display ID) (jetstream.Stream, error) {
	stream, err := js.Stream(ctx, name)
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrNoResponders), errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return nil, fmt.Errorf("the broker says nothing of its streams: its JetStream is off, or has no leader now (%w)", err)
	case !errors.Is(err, jetstream.ErrStreamNotFound):
		return stream, err
	}
	stream, err = js.CreateStream(ctx, jetstream.StreamConfig{
		Name: name, Description: "events of PiAlert's agents, sealed for their displays",
		Subjects:  []string{Subject(Events, display, Any)},
		Retention: jetstream.WorkQueuePolicy, Storage: jetstream.FileStorage, Replicas: room.Replicas,
		Discard: jetstream.DiscardNew, DiscardNewPerSubject: true, MaxMsgsPerSubject: MaxWaiting,
		MaxBytes: cmp.Or(room.MaxBytes, DefaultRoom), MaxMsgSize: MaxMessage, Duplicates: time.Second,
		DenyDelete: true, DenyPurge: true,
	})
	if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // by another display, this moment
		return js.Stream(ctx, name)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot make the stream %s: %w", name, err)
	}
	return stream, nil
}

// Fit has a stream that was there take what is for a display and hold as much as it should, and says whether it held more or
// less before. It forgets nothing: what is too much stays until its displays have acknowledged it.
func Fit(ctx context.Context, js jetstream.JetStream, stream jetstream.Stream, room Room, display ID) (changed bool, err error) {
	config := stream.CachedInfo().Config
	held := config.MaxBytes
	config.MaxBytes = cmp.Or(room.MaxBytes, held)
	changed = config.MaxBytes != held
	if !changed && config.DenyDelete && config.DenyPurge && Takes(config, display) {
		return false, nil
	}
	config.DenyDelete, config.DenyPurge = true, true
	if config.Subjects, err = subjects(ctx, stream, display); err != nil {
		return false, err
	}
	if _, err := js.UpdateStream(ctx, config); err != nil {
		return false, fmt.Errorf("cannot have the stream %s take events for this display, in %d bytes in place of %d: %w", config.Name, config.MaxBytes, held, err)
	}
	return changed, nil
}

// Takes says whether a stream takes events for a display by its name. Displays that come at the same moment can each write
// a configuration without the other.
func Takes(config jetstream.StreamConfig, display ID) bool {
	return slices.Contains(config.Subjects, Subject(Events, display, Any))
}

// subjects are what a stream is to take when a display has come. Earlier versions had it take events for anybody: then it
// is for those who read it.
func subjects(ctx context.Context, stream jetstream.Stream, display ID) ([]string, error) {
	all := slices.Clone(stream.CachedInfo().Config.Subjects)
	if i := slices.Index(all, Subject(Events, Any, Any)); i >= 0 {
		all = slices.Delete(all, i, i+1)
		readers, err := AllWaiting(ctx, stream)
		if err != nil {
			return nil, fmt.Errorf("cannot find out who reads the stream: %w", err)
		}
		for _, one := range readers {
			all = append(all, Subject(Events, one.Display, Any))
		}
	}
	if own := Subject(Events, display, Any); !slices.Contains(all, own) {
		all = append(all, own)
	}
	return all, nil
}

// IsFull says whether a publish was refused since the stream has no room, be it of this agent or of all.
func IsFull(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && (api.ErrorCode == storeFailed || api.ErrorCode == noRoom || api.ErrorCode == noAccountRoom)
}

// Error codes of nats-server (server/errors.json): the stream's limits, the server's, and the account's.
const (
	storeFailed   = 10077
	noRoom        = 10047
	noAccountRoom = 10002
)

// IsAway says whether a publish failed since the broker could not be reached, or did not answer.
func IsAway(err error) bool {
	return errors.Is(err, nats.ErrConnectionClosed) || errors.Is(err, nats.ErrNoResponders) || errors.Is(err, nats.ErrTimeout) ||
		errors.Is(err, nats.ErrDisconnected) || errors.Is(err, nats.ErrReconnectBufExceeded) ||
		errors.Is(err, jetstream.ErrNoStreamResponse) || errors.Is(err, jetstream.ErrAsyncPublishTimeout) || errors.Is(err, context.DeadlineExceeded)
}
