// Package receive admits what agents send: each event once, from whom the transport says.
//
// How messages arrive, and who sends them, is a transport's business: it opens a [Session] for the
// agent whose identity it has proved, and hands it what comes. On a session the agent says hello
// and is told the last number that is committed; it goes on after that one with batches, gaps and
// heartbeats. Events are shown when they arrive, stored, and acknowledged when they are committed.
//
// # What it promises
//
//   - An event is shown once in the life of the process and stored once for ever, however often
//     connections break: numbers that were accepted before are skipped.
//   - Nothing that draws or stores holds up another agent. An agent that sends more than can be
//     stored waits alone.
//   - An agent has one session. A new one ends the former.
//   - No more is acknowledged on a session than came on it.
//
// # What it refuses
//
// An agent that sends what no conforming agent can send is cut off: the session ends with a
// [Refusal] that says why, one line is logged (at a limited rate), and for a while its new
// sessions are refused. That is: events that the transport cannot decode, numbers that go
// backwards or jump without a gap being announced, more attempts than servers can suffer, new
// epochs again and again, and batches above the limits in limits.go. What it sent before stays
// counted, under its own name; no other agent notices.
package receive

import (
	"context"
	"log/slog"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// Protocol is the version of the protocol that sessions speak.
const Protocol = 1

// Store keeps events. Append and Skip may wait; they call done once, from any goroutine, when
// the numbers are committed, unless they return an error. Numbers that are committed already are
// skipped.
type Store interface {
	Committed(ctx context.Context, agent string, epoch uint64) (uint64, error)
	Append(ctx context.Context, agent string, epoch, first uint64, events []attack.Event, done func(committed uint64, err error)) error
	Skip(ctx context.Context, agent string, epoch, through, attempts uint64, done func(committed uint64, err error)) error
	Heard(agent string, at time.Time)
}

// Show shows events as they arrive, each once. It must not wait, nor change the events, nor keep
// the slice.
type Show interface {
	Show(agent string, events []attack.Event)
}

// Options says what an Admission hands events to.
type Options struct {
	Store  Store
	Show   Show
	Now    func() time.Time
	Logger *slog.Logger
}

// Admission admits the events of any number of agents. It is safe for concurrent use.
type Admission struct {
	options Options
	agents  agents
}

// New returns an Admission that has heard of nobody yet.
func New(options Options) *Admission {
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	return &Admission{options: options}
}
