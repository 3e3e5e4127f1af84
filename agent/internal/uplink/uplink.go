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
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/pialert/pialert/pkg/wake"
	pialertv1 "github.com/pialert/pialert/proto/pialert/v1"
)

// Uplink delivers to one display. One Run may go on at a time.
type Uplink struct{ options Options }

// New returns an Uplink that does nothing before Run.
func New(options Options) *Uplink { return &Uplink{options: options.WithDefaults()} }

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
	s := &session{options: &u.options, stream: stream, progress: wake.New()}
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
