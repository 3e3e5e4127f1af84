// Package notice tells people what happens, by the channels below it.
//
// Rules look at every committed event, at who has fallen silent and at what was dropped. What they
// match is gathered into one message for each rule, and no rule sends more than its bound; what is
// held back meanwhile is counted and reported in its next message. Messages wait in an outbox until
// their channel has taken them.
//
// # What it promises
//
//   - The cursor over the events, what the rules remember and the messages change in one
//     transaction: a crash neither loses nor repeats a message.
//   - A message is tried again, with growing pauses, for as long as [Config] keeps it. What a service
//     refuses for good is not repeated. Where a crash or a cut connection leaves open whether a
//     message arrived, it is sent once more under the same id, and that is counted.
//   - A flood of events makes a bounded number of messages, and their numbers are true.
//   - A channel that fails for an hour is reported by the others.
//
// # What it refuses
//
// It sends no more than a set number of messages a day by a channel, whatever happens. It holds
// nothing in memory without a bound: names beyond it are counted together. It knows no service;
// the channels do.
package notice

import (
	"context"
	"database/sql"
	"time"

	"github.com/pialert/pialert/display/internal/notice/channel"
	"github.com/pialert/pialert/pkg/attack"
)

// Channel sends messages. An error is a [channel.Failure].
type Channel interface {
	Send(ctx context.Context, m *channel.Message) (answer string, err error)
}

// Record is a committed event.
type Record struct {
	ID      int64 // rises
	Agent   string
	Arrived time.Time
	Event   attack.Event
}

// History is where events come from, and where the outbox is kept.
type History interface {
	After(ctx context.Context, cursor int64, limit int) ([]Record, error)
	Last() int64
	View(ctx context.Context, do func(ctx context.Context, tx *sql.Tx) error) error
	Update(ctx context.Context, do func(ctx context.Context, tx *sql.Tx) error) error
	Note(ctx context.Context, do func(ctx context.Context, tx *sql.Tx) error) error // outlives the program, maybe not a power cut
}

// Summary is what a digest tells of a span.
type Summary struct {
	Attempts uint64
	Hours    []uint64 // attempts in each hour from the span's start on
	Tables   []channel.Table
	Lines    []string // what else is worth a sentence: successes first
}

// Heard is something whose silence is news.
type Heard struct {
	Name  string    // in words: "web1", "auth.log of web1", "the LED strip"
	State string    // what it is then, such as "could not be read"; empty is "has been silent"
	Since time.Time // when it was last heard, or last worked; or, not Alive, since when that is waited for
	Alive bool      // it was heard, or works, in the life of this program
	Log   string    // name of the log that this is about, whose silence only a rule that names it tells
}

// Dropped says how many attempts an agent had to drop so far.
type Dropped struct {
	Agent    string
	Attempts uint64
}

// Around is what the rules look at besides events.
type Around struct {
	Heard   func() []Heard
	Dropped func() []Dropped
	Lamp    func(agent string, event *attack.Event) string // name of the lamp that shows it; may be empty
	Summary func(ctx context.Context, from, to time.Time) (Summary, error)
}
