package grpc

import (
	"context"
	"errors"
	"io"
	"time"

	rpc "google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/pialert/pialert/display/internal/receive"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/wire"
	pialertv1 "github.com/pialert/pialert/proto/pialert/v1"
)

// stream is a Deliver stream.
type stream = rpc.BidiStreamingServer[pialertv1.FromAgent, pialertv1.FromDisplay]

// delivery is one stream of an agent, and the session that it carries.
type delivery struct {
	*Server
	*receive.Session
	stream stream
}

// Deliver implements the service. It ends with a status that tells an agent why it is cut off.
func (s *Server) Deliver(stream stream) error {
	name, ok := s.options.Peer(stream.Context())
	if !ok {
		return status.Error(codes.Unauthenticated, "not paired")
	}
	session, err := s.options.Admission.Open(stream.Context(), name)
	if err != nil {
		return statusOf(err)
	}
	d := &delivery{s, session, stream}
	err = d.serve(session.Context())
	session.Close(err)
	return statusOf(err)
}

// serve takes messages until the stream or ctx ends. It alone hands events on, so that none is
// under way any more when it returns.
func (d *delivery) serve(ctx context.Context) error {
	messages := make(chan *pialertv1.FromAgent)
	failed := make(chan error, 1)
	go func() { // ends with the stream, which ends when serve returns
		for {
			message, err := d.stream.Recv()
			if err != nil {
				failed <- err
				return
			}
			select {
			case messages <- message:
			case <-ctx.Done():
				failed <- context.Cause(ctx)
				return
			}
		}
	}()
	late := time.NewTimer(helloTimeout)
	defer late.Stop()
	for {
		select {
		case <-ctx.Done():
			if d.stream.Context().Err() == nil {
				return context.Cause(ctx) // this end ended it
			}
			return ending(<-failed) // gRPC ends the stream before Recv says why
		case err := <-failed:
			return ending(err)
		case <-late.C:
			return &receive.Refusal{Reason: receive.OutOfTurn, Text: "it did not say hello in time"}
		case message := <-messages:
			if err := d.take(ctx, message); err != nil {
				return err
			}
			late.Stop() // nothing but a hello is taken first
		}
	}
}

// ending turns what Recv failed with into what serve returns.
func ending(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	// What gRPC itself refuses: a message above the limit, or one that is no FromAgent.
	switch s, _ := status.FromError(err); s.Code() {
	case codes.ResourceExhausted:
		return &receive.Refusal{Reason: receive.TooMuch, Text: s.Message()}
	case codes.Internal:
		return &receive.Refusal{Reason: receive.Invalid, Text: s.Message()}
	}
	return err
}

// take hands one message on.
func (d *delivery) take(ctx context.Context, message *pialertv1.FromAgent) error {
	switch m := message.GetMessage().(type) {
	case *pialertv1.FromAgent_Hello:
		return d.greet(ctx, m.Hello)
	case *pialertv1.FromAgent_Batch:
		events := m.Batch.GetEvents()
		return d.Batch(len(events), func(i int) (uint64, attack.Event, error) { return wire.Decode(events[i]) })
	case *pialertv1.FromAgent_Gap:
		return d.Gap(m.Gap.GetThrough(), m.Gap.GetAttempts())
	case *pialertv1.FromAgent_Heartbeat:
		return d.Heartbeat(receive.BeatOf(m.Heartbeat))
	default:
		if err := d.Unknown(); err != nil || len(message.ProtoReflect().GetUnknown()) > 0 {
			return err
		}
		return &receive.Refusal{Reason: receive.Invalid, Text: "it sent an empty message"}
	}
}

// greet takes the hello and answers it.
func (d *delivery) greet(ctx context.Context, hello *pialertv1.Hello) error {
	committed, err := d.Hello(receive.Hello{Protocol: hello.GetProtocol(), Version: hello.GetVersion(), Epoch: hello.GetEpoch()})
	if err != nil {
		return err
	}
	err = d.stream.Send(&pialertv1.FromDisplay{Message: &pialertv1.FromDisplay_Welcome{
		Welcome: &pialertv1.Welcome{Protocol: receive.Protocol, Version: d.options.Version, Committed: committed},
	}})
	if err == nil {
		go d.acknowledge(ctx)
	}
	return err
}

// acknowledge tells the agent what is committed, as it grows.
func (d *delivery) acknowledge(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.Progress():
		}
		if committed, ok := d.Acknowledgement(); ok {
			if d.stream.Send(&pialertv1.FromDisplay{Message: &pialertv1.FromDisplay_Ack{Ack: &pialertv1.Ack{Committed: committed}}}) != nil {
				return // Recv fails too, and says why
			}
		}
	}
}

// statusOf makes the status that the agent gets of why its stream ended.
func statusOf(err error) error {
	var refusal *receive.Refusal
	var later *receive.Later
	switch {
	case errors.As(err, &refusal):
		code := map[receive.Reason]codes.Code{
			receive.Invalid: codes.InvalidArgument, receive.OutOfTurn: codes.FailedPrecondition, receive.TooMuch: codes.ResourceExhausted,
		}[refusal.Reason]
		return status.Error(code, refusal.Text)
	case errors.As(err, &later):
		return status.Error(codes.ResourceExhausted, later.Text)
	case errors.Is(err, receive.ErrReplaced):
		return status.Error(codes.Aborted, err.Error())
	case errors.Is(err, receive.ErrUnavailable), errors.Is(err, receive.ErrStopping):
		return status.Error(codes.Unavailable, err.Error())
	}
	return err
}
