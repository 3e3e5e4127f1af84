package notice

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pialert/pialert/display/internal/notice/channel"
	"github.com/pialert/pialert/pkg/attack"
)

// ErrNoChannel says that a name is of no configured channel.
var ErrNoChannel = errors.New("there is no such channel in notices.channels")

// Tested is what a service answered to a test message.
type Tested struct {
	Answer string        `json:"answer"`
	Took   time.Duration `json:"took"` // in nanoseconds
}

// Test sends a message by a channel, past the outbox, and returns what the service answered.
func (s *Service) Test(ctx context.Context, name, display string) (Tested, error) {
	one, ok := s.options.Channels[name]
	if !ok {
		if slices.Contains(s.names, name) {
			return Tested{}, fmt.Errorf("cannot test %q: it could not be opened; pialert-display status says why", name)
		}
		return Tested{}, fmt.Errorf("cannot test %q: %w: it has %s", name, ErrNoChannel, cmp.Or(strings.Join(s.names, ", "), "none"))
	}
	begun := s.options.Now()
	answer, err := one.Send(ctx, &channel.Message{
		ID: fmt.Sprintf("test%d", begun.UnixNano()), At: begun, Severity: attack.Info, Link: s.options.Config.Link,
		Subject: "PiAlert can reach you",
		Lines:   []string{fmt.Sprintf("This is a test of the channel %s, asked for on %s.", name, display)},
	})
	return Tested{answer, s.options.Now().Sub(begun)}, err
}

// List returns the newest messages of the outbox, the newest last.
func (s *Service) List(ctx context.Context, limit int) ([]Entry, error) {
	if !s.opened.Load() {
		return nil, nil
	}
	all, err := s.outbox.read(ctx, `ORDER BY id DESC LIMIT ?`, limit)
	slices.Reverse(all)
	return all, err
}

// Retry sends a message again that failed, or that waits, now.
func (s *Service) Retry(ctx context.Context, id int64) error {
	if !s.opened.Load() {
		return errNoEntry
	}
	err := s.outbox.retry(ctx, id, s.options.Now())
	s.wake()
	return err
}

// Preview writes the digest of the last day, without sending it.
func (s *Service) Preview(ctx context.Context) (channel.Message, error) {
	return preview(ctx, s.options.Config, s.options.Around, s.options.Zone, s.options.Now())
}

// Status says how each channel fares.
type Status struct {
	Counts
	Capped int `json:"capped"` // messages that the daily bound kept out since the start
}

// Failing returns the channels that have failed for an hour, by name.
func (s *Service) Failing() (names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(s.health)) {
		if s.health[name] == fails {
			names = append(names, name)
		}
	}
	return names
}

// Status returns the channels by name.
func (s *Service) Status(ctx context.Context) ([]Status, error) {
	if !s.opened.Load() {
		return nil, nil
	}
	counts, err := s.outbox.counts(ctx, slices.Sorted(slices.Values(s.names)))
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Status
	for _, c := range counts {
		all = append(all, Status{c, s.capped[c.Channel]})
	}
	return all, nil
}
