// Package uplink delivers the events of a spool to one display, over one gRPC stream on a
// connection that is open already.
//
// It says hello, learns what the display has committed, sends what follows as soon as it is
// committed to the spool, and passes the display's acknowledgements on to the spool. A bounded
// number of events is under way without acknowledgement. What it promises is that each event is
// sent in the order of the numbers, from the first that the display has not committed, and that
// numbers that will never come are sent as a gap.
//
// It opens no connection and keeps none alive: pkg/link does, and calls [Uplink.Run] anew for each.
// Nothing that a display says is trusted: a number that was never sent ends the stream.
package uplink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/pialert/pialert/pkg/wake"
	pialertv1 "github.com/pialert/pialert/proto/pialert/v1"
)

const (
	// Protocol is the version of the protocol that is spoken.
	Protocol = 1
	// maxBatch is about how many bytes of events one message carries: far below gRPC's limit of
	// 4 MiB for a receiver, enough to make what a message costs beside its bytes not count.
	maxBatch = 128 << 10
	// window is how many events may be under way without acknowledgement. The display commits in
	// groups, so the window has to hold what it takes meanwhile.
	window = 1 << 16
	// heartbeat is how often the agent says that it lives.
	heartbeat = 10 * time.Second
	// welcomeTimeout is how long the display may take to welcome.
	welcomeTimeout = 30 * time.Second
	// pairingTimeout is how long the spool may take to hear of a display that was just paired.
	pairingTimeout = 5 * time.Second
)

// Errors that Run may wrap.
var (
	// ErrNewEpoch: the display knew more than the spool; connect again, in a new epoch.
	ErrNewEpoch = errors.New("the numbering of events began anew")
	// ErrMisbehaved: the display broke the protocol.
	ErrMisbehaved = errors.New("the display broke the protocol")
)

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

// Uplink delivers to one display. One Run may go on at a time.
type Uplink struct{ options Options }

// New returns an Uplink that does nothing before Run.
func New(options Options) *Uplink { return &Uplink{options: options.WithDefaults()} }

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

// Run delivers over client until the stream or ctx ends, and returns why. The client stays open.
func (u *Uplink) Run(ctx context.Context, client grpc.ClientConnInterface) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	hello, err := u.options.Hello(ctx)
	if err != nil {
		return u.explain(ctx, err)
	}
	stream, err := pialertv1.NewDisplayClient(client).Deliver(ctx, grpc.ForceCodecV2(codec{}))
	if err != nil {
		return u.explain(ctx, err)
	}
	s := &session{Uplink: u, stream: stream, progress: wake.New()}
	if err := s.greet(hello, cancel); err != nil {
		return u.explain(ctx, err)
	}
	var received sync.WaitGroup
	received.Go(func() { cancel(s.receive()) })
	if err = s.send(ctx); !errors.Is(err, io.EOF) { // else the stream broke, and receive learns why
		cancel(err)
	}
	received.Wait()
	return u.explain(ctx, err)
}

// explain returns why the stream ended, given what its last call returned: what ctx was cancelled
// for says more.
func (u *Uplink) explain(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	why, ok := status.FromError(err)
	switch {
	case errors.Is(err, io.EOF):
		return fmt.Errorf("display %q ended the stream", u.options.Display)
	case !ok:
		return fmt.Errorf("cannot deliver to display %q: %w", u.options.Display, err)
	}
	switch why.Code() {
	case codes.Unavailable:
		return fmt.Errorf("lost the connection to display %q: %s", u.options.Display, why.Message())
	case codes.PermissionDenied, codes.Unauthenticated:
		return fmt.Errorf("display %q does not let this agent in: %s; pair them anew", u.options.Display, why.Message())
	case codes.InvalidArgument, codes.FailedPrecondition, codes.ResourceExhausted:
		return fmt.Errorf("display %q cut this agent off: %s", u.options.Display, why.Message())
	default:
		return fmt.Errorf("display %q ended the stream: %s", u.options.Display, why.Message())
	}
}

// misbehaved returns an error for what a display should not have said.
func misbehaved(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMisbehaved, fmt.Sprintf(format, args...))
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
