package main

import (
	"context"
	"log/slog"
	"math"
	"math/rand/v2"
	"net"
	"path/filepath"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/pialert/pialert/packaging/demo/program"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/link"
	"github.com/pialert/pialert/pkg/pairing"
	pialertv1 "github.com/pialert/pialert/proto/pialert/v1"
)

// lyingAgent is paired with the display and tells it what it likes.
type lyingAgent struct {
	name     string
	legal    bool   // it does nothing that is not allowed, but as much of that as it can
	epoch    uint64 // of a legal one
	log      *slog.Logger
	keyring  *pairing.Keyring
	sockets  []net.Listener
	listener *link.Listener

	streams, events, gaps, epochs atomic.Uint64
}

// join has the display join it.
func (l *lyingAgent) join(ctx context.Context, dir string, pair *program.Pair) (err error) {
	if l.keyring, err = pairing.Open(filepath.Join(dir, l.name), pairing.Agent, l.name); err != nil {
		return err
	}
	if l.sockets, err = link.Listen(ctx, "127.0.0.1:0"); err != nil {
		return err
	}
	invitations := &pairing.Invitations{}
	l.listener = &link.Listener{Keyring: l.keyring, Invitations: invitations, Log: l.log}
	invitation, err := invitations.Invite()
	if err != nil {
		return err
	}
	go l.listener.Run(context.WithoutCancel(ctx), l.sockets, l.deliver)
	token := pairing.Token{
		Role: pairing.Agent, Name: l.name, Key: l.keyring.Key(), Secret: invitation.Secret, Addresses: []string{l.sockets[0].Addr().String()},
	}
	_, err = pair.Display(ctx, "join", token.String())
	return err
}

// deliver opens one stream after another over a connection, each a lie of another kind.
func (l *lyingAgent) deliver(ctx context.Context, conn *link.Conn) error {
	client, err := link.ClientConn(conn)
	if err != nil {
		return err
	}
	defer client.Close()
	for ctx.Err() == nil && l.lie(ctx, pialertv1.NewDisplayClient(client)) == nil {
	}
	time.Sleep(100 * time.Millisecond) // the display dials again at its own pace
	return nil
}

func (l *lyingAgent) lie(ctx context.Context, client pialertv1.DisplayClient) error {
	if l.legal {
		return l.flood(ctx, client)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	stream, err := client.Deliver(ctx)
	if err != nil {
		return err
	}
	l.streams.Add(1)
	l.epochs.Add(1)
	hello := &pialertv1.Hello{Protocol: 1, Version: "\x1b[2J\u202e", Epoch: rand.Uint64(), FirstSequence: 1, NextSequence: 1}
	if err := stream.Send(&pialertv1.FromAgent{Message: &pialertv1.FromAgent_Hello{Hello: hello}}); err != nil {
		return nil
	}
	if _, err := stream.Recv(); err != nil {
		return nil
	}
	switch rand.IntN(6) {
	case 0: // nothing more: the next stream has another epoch
	case 1:
		l.gaps.Add(1)
		stream.Send(&pialertv1.FromAgent{Message: &pialertv1.FromAgent_Gap{Gap: &pialertv1.Gap{Through: 1, Attempts: math.MaxUint32}}})
	case 2: // the largest events that are allowed, and no acknowledgement is read
		for sequence := uint64(1); sequence < 20_000; {
			batch := &pialertv1.Batch{}
			for range 100 {
				batch.Events = append(batch.Events, largest(sequence))
				sequence++
			}
			if stream.Send(&pialertv1.FromAgent{Message: &pialertv1.FromAgent_Batch{Batch: batch}}) != nil {
				break
			}
			l.events.Add(100)
		}
	case 3: // kinds that nobody knows
		for sequence := uint64(1); sequence < 3000; sequence++ {
			event := largest(sequence)
			event.Kind, event.Family, event.Attempt = pialertv1.Kind(100+rand.IntN(60_000)), pialertv1.Family(rand.IntN(6)), rand.IntN(2) == 0
			if stream.Send(&pialertv1.FromAgent{Message: &pialertv1.FromAgent_Batch{Batch: &pialertv1.Batch{Events: []*pialertv1.Event{event}}}}) != nil {
				break
			}
			l.events.Add(1)
		}
	case 4: // numbers that jump
		stream.Send(&pialertv1.FromAgent{Message: &pialertv1.FromAgent_Batch{Batch: &pialertv1.Batch{Events: []*pialertv1.Event{largest(1 << 61)}}}})
	case 5: // heartbeats without end
		for range 100_000 {
			beat := &pialertv1.Heartbeat{Now: timestamppb.Now(), DroppedEvents: math.MaxUint64, DroppedAttempts: math.MaxUint64}
			if stream.Send(&pialertv1.FromAgent{Message: &pialertv1.FromAgent_Heartbeat{Heartbeat: beat}}) != nil {
				break
			}
		}
	}
	stream.CloseSend()
	for {
		if _, err := stream.Recv(); err != nil {
			return nil
		}
	}
}

// flood sends the largest events that are allowed, numbered as they must be, as fast as the display takes them.
func (l *lyingAgent) flood(ctx context.Context, client pialertv1.DisplayClient) error {
	stream, err := client.Deliver(ctx)
	if err != nil {
		return err
	}
	l.streams.Add(1)
	hello := &pialertv1.Hello{Protocol: 1, Version: "legal", Epoch: l.epoch, FirstSequence: 1, NextSequence: math.MaxInt32}
	if err := stream.Send(&pialertv1.FromAgent{Message: &pialertv1.FromAgent_Hello{Hello: hello}}); err != nil {
		return nil
	}
	answer, err := stream.Recv()
	if err != nil {
		return nil
	}
	go func() {
		for {
			if _, err := stream.Recv(); err != nil {
				return
			}
		}
	}()
	for sequence := answer.GetWelcome().GetCommitted() + 1; ; {
		batch := &pialertv1.Batch{}
		for range 30 { // about as many bytes as an agent of ours sends at a time
			batch.Events = append(batch.Events, largest(sequence))
			sequence++
		}
		if stream.Send(&pialertv1.FromAgent{Message: &pialertv1.FromAgent_Batch{Batch: batch}}) != nil {
			return nil
		}
		l.events.Add(30)
	}
}

// largest is an event at every bound.
func largest(sequence uint64) *pialertv1.Event {
	text := func(n int) []byte { b := make([]byte, n); b[0] = byte(sequence); return b }
	return &pialertv1.Event{
		Sequence: sequence, Observed: timestamppb.Now(), Logged: timestamppb.Now(), Kind: pialertv1.Kind_KIND_HTTP_EXPLOIT,
		Severity: pialertv1.Severity_SEVERITY_HIGH, Rule: "lie", SourceIp: []byte{198, 51, byte(sequence >> 8), byte(sequence)},
		SourceHost: text(attack.MaxName), User: text(attack.MaxUser), Log: text(attack.MaxName), Host: text(attack.MaxName), Count: 1,
		Detail: &pialertv1.Event_Http{Http: &pialertv1.HTTPDetail{
			Method: text(attack.MaxWord), Target: text(attack.MaxText), UserAgent: text(attack.MaxText), Host: text(attack.MaxName), Status: 404,
		}},
	}
}

// lyingDisplay is paired with the agent and answers it what it likes.
type lyingDisplay struct {
	pialertv1.UnimplementedDisplayServer
	keyring *pairing.Keyring
	log     *slog.Logger

	streams, lies atomic.Uint64
}

func (d *lyingDisplay) run(ctx context.Context) {
	accepted := link.NewAccepted()
	server := grpc.NewServer(link.ServerOptions()...)
	pialertv1.RegisterDisplayServer(server, d)
	go server.Serve(accepted)
	defer server.Stop()
	dialer := link.Dialer{Keyring: d.keyring, Log: d.log}
	dialer.Run(ctx, accepted.Handle)
}

// Deliver implements the service.
func (d *lyingDisplay) Deliver(stream grpc.BidiStreamingServer[pialertv1.FromAgent, pialertv1.FromDisplay]) error {
	d.streams.Add(1)
	if _, err := stream.Recv(); err != nil {
		return err
	}
	d.lies.Add(1)
	lie := rand.IntN(5)
	committed := uint64(0)
	if lie == 0 {
		committed = math.MaxUint64 // more than was ever sent
	}
	welcome := &pialertv1.Welcome{Protocol: 1, Version: "\x1b[2J", Committed: committed}
	if err := stream.Send(&pialertv1.FromDisplay{Message: &pialertv1.FromDisplay_Welcome{Welcome: welcome}}); err != nil {
		return err
	}
	switch lie {
	case 1: // acknowledges what was never sent
		stream.Send(&pialertv1.FromDisplay{Message: &pialertv1.FromDisplay_Ack{Ack: &pialertv1.Ack{Committed: 1 << 40}}})
	case 2: // takes nothing and acknowledges nothing
		select {
		case <-stream.Context().Done():
		case <-time.After(20 * time.Second):
		}
		return nil
	case 3: // acknowledges and takes back, without end
		for i := range uint64(100_000) {
			if stream.Send(&pialertv1.FromDisplay{Message: &pialertv1.FromDisplay_Ack{Ack: &pialertv1.Ack{Committed: i % 2}}}) != nil {
				return nil
			}
		}
	case 4: // welcomes again and again
		for range 1000 {
			if stream.Send(&pialertv1.FromDisplay{Message: &pialertv1.FromDisplay_Welcome{Welcome: welcome}}) != nil {
				return nil
			}
		}
	}
	until := time.After(time.Second)
	for {
		select {
		case <-until:
			return nil
		case <-stream.Context().Done():
			return nil
		default:
			if _, err := stream.Recv(); err != nil {
				return err
			}
		}
	}
}
