// Package nats receives events through a NATS broker, which keeps them while the display is away.
//
// Agents publish messages that are signed by them and sealed for this display. A durable consumer of
// the broker's stream hands them over, the admission of display/internal/receive takes them, and a message
// is acknowledged to the broker only when its events are committed. The agent is told so with a
// receipt, signed and sealed as well.
//
// The broker is trusted with nothing. What it altered, made up or took from elsewhere does not open, and is
// counted and dropped. What it says twice is known by its numbers. What it leaves out or says too early
// leaves a hole in the numbers: then the stream is read again from the first message that was not
// acknowledged, and if the hole is still there, the agent is asked to send again. That an agent lives is
// believed only if it answers a tick of this display, which nobody could know before.
package nats

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	client "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/pialert/pialert/display/internal/receive"
	"github.com/pialert/pialert/pkg/backoff"
	"github.com/pialert/pialert/pkg/broker"
	"github.com/pialert/pialert/pkg/pairing"
	"github.com/pialert/pialert/pkg/wake"
)

const (
	// ackWait is how long the broker waits for an acknowledgement before it says a message again.
	ackWait = time.Minute
	// maxAckPending is how many messages may be on their way into the history.
	maxAckPending = 8192
	// Messages are pulled in groups of this size.
	pullMessages = 256
	pullBytes    = 8 << 20
	// resyncEvery bounds how often the stream is read again.
	resyncEvery = 2 * time.Second
	// maxJoins is how many tokens may be being redeemed at a time.
	maxJoins = 64
	// apiTimeout bounds requests to the broker.
	apiTimeout = 10 * time.Second
)

// Options say what a Server receives, and for whom.
type Options struct {
	Admission *receive.Admission
	Keyring   *pairing.Keyring
	Broker    broker.Config
	Room      broker.Room // for the stream, where this display makes it
	Agents    []string    // patterns of the agents' names that this display takes; none takes all
	System    string      // file with the credentials of the broker's system account; empty where they are not here
	Version   string      // of this program
	Logger    *slog.Logger
	Paired    func() // called when an agent that is new here came

	// Joins answers a request, on a subject, to redeem a token; what it returns is sent back, unless it is nil. The
	// error says why it was refused. It is called in goroutines of their own, maxJoins at the most.
	Joins func(ctx context.Context, subject string, request []byte) (answer []byte, err error)
}

// Server receives from any number of agents.
type Server struct {
	options Options
	id      broker.ID
	conn    *broker.Conn
	publish func(subject string, data []byte) error // on the connection
	js      jetstream.JetStream
	bell    wake.Bell     // rings when there may be something to acknowledge
	again   wake.Bell     // rings when the stream is to be read again
	reading atomic.Uint64 // how many times the stream was read from the beginning
	joining chan struct{} // holds a token for each join that is being answered
	frail   atomic.Pointer[string]
	syncs   []broker.Sync // how the servers keep their files, as they said at asked
	asked   time.Time
	ticks   ticks
	beating senders // heartbeats
	asking  senders // to pair

	mu     sync.Mutex
	agents map[string]*agent // by name
	status Status
}

// New returns a Server that does nothing before Run.
func New(options Options) *Server {
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		options: options, id: broker.DisplayID(options.Keyring.Key()), bell: wake.New(), again: wake.New(), joining: make(chan struct{}, maxJoins), agents: map[string]*agent{},
	}
	s.frail.Store(new(string))
	return s
}

// Run receives until ctx ends. It returns an error if the configuration's files cannot be used.
func (s *Server) Run(ctx context.Context) (err error) {
	s.conn, err = broker.Connect(s.options.Broker, broker.Options{Keyring: s.options.Keyring, Log: s.options.Logger, Changed: s.resync})
	if err != nil {
		return err
	}
	defer s.conn.Close()
	s.publish = s.conn.Publish
	if s.js, err = jetstream.New(s.conn.Conn); err != nil {
		return err
	}
	if err := s.listen(ctx); err != nil {
		return err
	}
	var all sync.WaitGroup
	defer all.Wait()
	defer s.closeAll()
	all.Go(func() { s.acknowledge(ctx) })
	all.Go(func() { s.tick(ctx) })
	pause := backoff.Backoff{First: time.Second, Last: 30 * time.Second, Least: 0.5}
	for ctx.Err() == nil {
		began := time.Now()
		err := s.consume(ctx)
		if ctx.Err() != nil {
			break
		}
		s.fail(err)
		if time.Since(began) > resyncEvery {
			pause.Reset()
		}
		backoff.Wait(ctx, pause.Next(), nil)
	}
	return nil
}

// listen answers what is not kept: questions for the key, heartbeats and tokens.
func (s *Server) listen(ctx context.Context) error {
	public := s.options.Keyring.Public()
	_, keys := s.conn.Subscribe(broker.Of(broker.Key, s.id), func(m *client.Msg) { respond(m, public[:]) })
	beats, err := s.conn.Subscribe(broker.Subject(broker.Beats, s.id, broker.Any), func(m *client.Msg) { s.beat(ctx, m.Subject, m.Data) })
	if err == nil {
		err = beats.SetPendingLimits(1<<14, 16<<20) // those above are not heard
	}
	_, joins := s.conn.Subscribe(broker.Subject(broker.Join, s.id, broker.Any), func(m *client.Msg) {
		s.join(ctx, m.Subject, m.Data, func(answer []byte) { respond(m, answer) })
	})
	if err := errors.Join(keys, err, joins); err != nil {
		return fmt.Errorf("cannot listen to the broker: %w", err)
	}
	return nil
}

// join answers a request to redeem a token in a goroutine of its own, since it may wait for the owner.
func (s *Server) join(ctx context.Context, subject string, request []byte, respond func(answer []byte)) {
	refused := func(why error) {
		s.dropped(&s.status.Dropped.Joins, "refused to pair by the broker", why.Error(), "subject", subject)
	}
	if !s.asking.allow(broker.Sender(subject)) {
		refused(errManyJoins)
		return
	}
	select {
	case s.joining <- struct{}{}:
	default:
		refused(errManyJoins)
		return
	}
	go func() {
		defer func() { <-s.joining }()
		answer, err := s.options.Joins(ctx, subject, request)
		if err != nil {
			refused(err)
		}
		if answer != nil {
			respond(answer)
		}
	}()
}

var errManyJoins = errors.New("too many ask to pair now, or one too often")

// respond answers a question where answers are waited for. This display may publish more than who asks may, who is
// not to say where.
func respond(question *client.Msg, answer []byte) {
	if strings.HasPrefix(question.Reply, broker.Inbox("")) {
		question.Respond(answer)
	}
}

// consume takes what the stream has, from the first message that was not acknowledged, until the
// stream has to be read again or ctx ends.
func (s *Server) consume(ctx context.Context) error {
	if err := s.conn.Await(ctx); err != nil {
		return err
	}
	select {
	case <-s.again: // what it asks for begins here
	default:
	}
	stream, messages, err := s.open(ctx)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, messages.Stop)
	defer stop()
	done := make(chan struct{})
	defer close(done)
	go func() {
		every := time.NewTicker(weighEach)
		defer every.Stop()
		for {
			select {
			case <-s.again:
				messages.Stop()
				return
			case <-done:
				return
			case <-every.C:
				s.weigh(ctx, stream)
			}
		}
	}()
	defer messages.Stop()
	s.fail(nil)
	for {
		message, err := messages.Next()
		switch {
		case errors.Is(err, jetstream.ErrMsgIteratorClosed):
			return nil
		case err != nil:
			return err
		}
		if err := s.take(ctx, message); err != nil {
			return err
		}
	}
}

// open makes the display's durable consumer anew, so that it begins with the first message that was not
// acknowledged. One that goes on says what is under way only after its time, and what came later first.
func (s *Server) open(ctx context.Context) (jetstream.Stream, jetstream.MessagesContext, error) {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	stream, err := broker.EnsureStream(ctx, s.js, s.options.Broker.Stream, s.options.Room, s.id)
	if err != nil {
		return nil, nil, err
	}
	switch changed, err := broker.Fit(ctx, s.js, stream, s.options.Room, s.id); {
	case err != nil:
		s.options.Logger.Warn("the stream stays as it is", "error", err)
	case changed:
		s.options.Logger.Info("the stream holds another number of bytes now", "max_bytes", s.options.Room.MaxBytes)
	}
	reader := broker.Reader(s.id, s.options.Keyring.Name())
	if err := stream.DeleteConsumer(ctx, reader.Durable); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return nil, nil, fmt.Errorf("cannot read the stream anew: %w", err)
	}
	s.forgetUnacknowledged()
	s.reading.Add(1)
	reader.AckWait, reader.MaxAckPending = ackWait, maxAckPending
	consumer, err := stream.CreateConsumer(ctx, reader)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read the stream: %w", err)
	}
	s.look(ctx, stream)
	messages, err := consumer.Messages(jetstream.PullMaxMessagesWithBytesLimit(pullMessages, pullBytes))
	return stream, messages, err
}

// resync has the stream read again from the first message that was not acknowledged.
func (s *Server) resync() { s.again.Ring() }
