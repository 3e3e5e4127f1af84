package nats

import (
	"context"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/pialert/pialert/pkg/broker"
)

// look finds out how safe the broker keeps what it has, and how much that is.
func (s *Server) look(ctx context.Context, stream jetstream.Stream) {
	frail := ""
	if info := stream.CachedInfo(); info != nil {
		frail = broker.Frail(info.Config.Replicas, s.askSyncs(ctx))
	}
	s.frail.Store(&frail)
	s.mu.Lock()
	s.status.Frail = frail
	s.mu.Unlock()
	s.weigh(ctx, stream)
}

// weigh finds out how much the broker keeps, for this display and for others, and whether it still takes events for this one.
func (s *Server) weigh(ctx context.Context, stream jetstream.Stream) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	if info, err := stream.Info(ctx); err == nil && !broker.Takes(info.Config, s.id) {
		s.options.Logger.Warn("the stream takes no events for this display any more: another one has changed it; it is told again")
		s.resync()
	}
	all, err := broker.AllWaiting(ctx, stream)
	if err != nil {
		s.options.Logger.Debug("cannot ask the broker how much it keeps", "error", err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.Others = nil
	for _, one := range all {
		if one.Display == s.id {
			s.status.Waiting = one.Messages
		} else if one.Messages > 0 {
			s.status.Others = append(s.status.Others, one)
		}
	}
}

const (
	// askEach is how often the servers are asked how they keep their files.
	askEach = 5 * time.Minute
	// weighEach is how often the broker is asked how much it keeps.
	weighEach = time.Minute
	// askTimeout bounds both.
	askTimeout = 3 * time.Second
)

// askSyncs asks the servers how they keep their files, where that can be asked; nil is not known.
func (s *Server) askSyncs(ctx context.Context) []broker.Sync {
	if s.options.System == "" || time.Since(s.asked) < askEach {
		return s.syncs
	}
	s.asked = time.Now()
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	system, err := broker.ReadCredentials(s.options.System)
	if err == nil {
		s.syncs, err = broker.Syncs(ctx, s.options.Broker, s.options.Keyring, system)
	}
	if err != nil && ctx.Err() == nil {
		s.options.Logger.Warn("cannot ask the broker how it keeps its files", "error", err)
	}
	return s.syncs
}
