package uplink

import (
	"context"
	"log/slog"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	pialertv1 "github.com/pialert/pialert/proto/pialert/v1"
)

// Protocol is the version of the protocol that is spoken.
const Protocol = 1

// pairingTimeout is how long the spool may take to hear of a display that was just paired.
const pairingTimeout = 5 * time.Second

// Spool is where the events come from, numbered without gaps. Its methods are called from several
// goroutines.
type Spool interface {
	// Numbering returns the epoch, the lowest number to be had and the next to be given, or an error
	// while the display is not paired.
	Numbering(display string) (epoch, first, next uint64, err error)
	// Resume takes what the display has committed of an epoch and returns the number to go on
	// after; again says that its epoch is another now.
	Resume(display string, epoch, committed uint64) (after uint64, again bool, err error)
	// Read returns events that follow a number, as a marshalled Batch; a count of 0 says that there
	// are none yet. A first greater than after+1 says that the events between were lost.
	Read(after uint64, maxBytes int) (first uint64, count int, batch []byte, err error)
	// Lost returns how many attempts the lost events among these numbers stood for.
	Lost(after, through uint64) (attempts uint64)
	// Dropped returns what was lost altogether.
	Dropped() (events, attempts uint64)
	// Ack takes what the display has committed of an epoch.
	Ack(display string, epoch, committed uint64) error
	// Changed returns a channel that is closed when there may be more to read.
	Changed() <-chan struct{}
}

// Options say what is delivered to whom.
type Options struct {
	Display string // the name that the display is paired under
	Version string // of this program, for people
	Spool   Spool
	Logs    func() []Log // what the agent follows; nil says nothing of it
	Now     func() time.Time
	Logger  *slog.Logger
}

// Log is how the agent gets on with one log.
type Log struct {
	Name     string
	LastLine time.Time // zero if none was read
	Error    string    // why it cannot be read now
}

// maxLogs bounds the logs that a heartbeat tells of.
const maxLogs = 64

// WithDefaults returns the options with what may be left out.
func (o Options) WithDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Hello returns what to say first. A display that was paired a moment ago may not be known to the
// spool yet, so that is waited for.
func (o *Options) Hello(ctx context.Context) (*pialertv1.Hello, error) {
	late := time.NewTimer(pairingTimeout)
	defer late.Stop()
	for {
		changed := o.Spool.Changed()
		epoch, first, next, err := o.Spool.Numbering(o.Display)
		if err == nil {
			return &pialertv1.Hello{
				Protocol: Protocol, Version: o.Version, Epoch: epoch, FirstSequence: first, NextSequence: next,
			}, nil
		}
		select {
		case <-changed:
		case <-late.C:
			return nil, err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Beat returns a heartbeat, given the last number that the display has acknowledged.
func (o *Options) Beat(acked uint64) *pialertv1.FromAgent {
	events, attempts := o.Spool.Dropped()
	beat := &pialertv1.Heartbeat{Now: timestamppb.New(o.Now()), DroppedEvents: events, DroppedAttempts: attempts, Logs: o.logs()}
	if _, first, next, err := o.Spool.Numbering(o.Display); err == nil {
		beat.Waiting = next - min(next, max(first, acked+1))
	}
	return &pialertv1.FromAgent{Message: &pialertv1.FromAgent_Heartbeat{Heartbeat: beat}}
}

func (o *Options) logs() (all []*pialertv1.Log) {
	if o.Logs == nil {
		return nil
	}
	logs := o.Logs()
	for _, log := range logs[:min(len(logs), maxLogs)] {
		one := &pialertv1.Log{Name: []byte(log.Name), Error: []byte(log.Error)}
		if !log.LastLine.IsZero() {
			one.LastLine = timestamppb.New(log.LastLine)
		}
		all = append(all, one)
	}
	return all
}
