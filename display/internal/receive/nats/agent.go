package nats

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"

	"github.com/pialert/pialert/display/internal/receive"
	"github.com/pialert/pialert/pkg/broker"
	"github.com/pialert/pialert/pkg/pairing"
	pialertv1 "github.com/pialert/pialert/proto/pialert/v1"
)

// tickEvery is how often agents are asked for a heartbeat.
const tickEvery = 30 * time.Second

// flushEvery is how often receipts that are due later are looked at.
const flushEvery = time.Second

const (
	// receiptEvery is how often an agent is told what is committed, unless it sent receiptEvents since.
	receiptEvery  = 5 * time.Second
	receiptEvents = 1 << 13
	// againEvery is how often an agent may be asked to send again.
	againEvery = 2 * time.Second
	// silentAfter is how long an agent without a heartbeat counts as connected.
	silentAfter = 3 * tickEvery
)

// agent is what is known of an agent that comes through the broker.
type agent struct {
	name string

	mu        sync.Mutex
	id        broker.ID         // in subjects
	key       pairing.PublicKey // that receipts are sealed for
	session   []byte            // of the newest parcel
	admitted  *receive.Session  // nil while none is open
	epoch     uint64            // of admitted
	last      uint64            // last number that was handed to it
	committed uint64
	pending   []pending // in the order in which they came
	receipted uint64    // last number in a receipt to the agent
	receiptAt time.Time
	hole      uint64 // first number that is missing; 0 if none is
	holeIn    uint64 // the reading of the stream in which that was found
	againAt   time.Time
	heard     time.Time // last heartbeat
	stalled   time.Time // until when its messages are put back, since they cannot be stored
}

// pending is a message of the stream that waits until its numbers are committed.
type pending struct {
	message jetstream.Msg
	through uint64
	hello   *hello // nil if it is none
}

// hello is answered with a welcome when everything before it is committed.
type hello struct {
	key      pairing.Fingerprint // that it is signed with: a former one is of no use any more then
	greeting *pialertv1.Greeting // the answer to what it says of keys, or nil
}

// agent returns what is known of a peer.
func (s *Server) agent(name string) *agent {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.agents[name]
	if a == nil {
		a = &agent{name: name}
		s.agents[name] = a
	}
	return a
}

// admit opens the admission's session for a parcel, unless it is open. The caller holds a.mu.
func (s *Server) admit(ctx context.Context, a *agent, parcel *pialertv1.Parcel) error {
	if a.admitted != nil && a.admitted.Context().Err() != nil { // the agent came another way
		a.close(context.Cause(a.admitted.Context()))
	}
	if a.admitted != nil && a.epoch == parcel.GetEpoch() {
		return nil
	}
	a.close(nil)
	session, err := s.options.Admission.OpenKept(ctx, a.name, s.bell)
	if err != nil {
		return err
	}
	committed, err := session.Hello(receive.Hello{Protocol: parcel.GetProtocol(), Version: parcel.GetVersion(), Epoch: parcel.GetEpoch()})
	if err != nil {
		session.Close(err)
		return err
	}
	a.admitted, a.epoch = session, parcel.GetEpoch()
	a.last, a.committed, a.receipted, a.hole = committed, committed, committed, 0
	if s.options.Paired != nil {
		s.options.Paired()
	}
	return nil
}

// close ends the admission's session. What it had not committed comes again. The caller holds a.mu.
func (a *agent) close(reason error) {
	if a.admitted == nil {
		return
	}
	a.admitted.Close(reason)
	a.admitted, a.pending = nil, nil
}

func (s *Server) all() []*agent {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*agent, 0, len(s.agents))
	for _, a := range s.agents {
		all = append(all, a)
	}
	return all
}

func (s *Server) closeAll() {
	for _, a := range s.all() {
		a.mu.Lock()
		a.close(receive.ErrStopping)
		a.mu.Unlock()
	}
}

// forgetUnacknowledged lets go of messages that the stream is about to say again.
func (s *Server) forgetUnacknowledged() {
	for _, a := range s.all() {
		a.mu.Lock()
		a.pending = nil
		a.mu.Unlock()
	}
}

// acknowledge tells broker and agents what is committed, as it grows, until ctx ends.
func (s *Server) acknowledge(ctx context.Context) {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.bell:
		case <-tick.C:
		}
		now := time.Now()
		for _, a := range s.all() {
			a.mu.Lock()
			s.settle(a, now)
			a.mu.Unlock()
		}
	}
}

// settle acknowledges what an agent has committed. The caller holds a.mu.
func (s *Server) settle(a *agent, now time.Time) {
	if a.admitted == nil {
		return
	}
	if a.admitted.Context().Err() != nil {
		a.close(context.Cause(a.admitted.Context()))
		return
	}
	if committed, ok := a.admitted.Acknowledgement(); ok {
		a.committed = committed
	}
	done := 0
	for done < len(a.pending) && a.pending[done].through <= a.committed {
		a.pending[done].message.Ack()
		if hello := a.pending[done].hello; hello != nil {
			if err := s.options.Keyring.Uses(hello.key); err != nil {
				s.options.Logger.Warn("cannot take note of an agent's key", "agent", a.name, "error", err)
			}
			s.welcome(a, hello.greeting)
		}
		done++
	}
	if a.pending = a.pending[done:]; len(a.pending) == 0 {
		a.pending = nil
	}
	if a.committed > a.receipted && (now.Sub(a.receiptAt) >= receiptEvery || a.committed-a.receipted >= receiptEvents) {
		s.tell(a, &pialertv1.Receipt{Message: &pialertv1.FromDisplay{Message: &pialertv1.FromDisplay_Ack{Ack: &pialertv1.Ack{Committed: a.committed}}}}, now)
	}
	if !a.heard.IsZero() && now.Sub(a.heard) > silentAfter {
		a.admitted.Silent()
		a.heard = time.Time{}
	}
}

func (s *Server) welcome(a *agent, greeting *pialertv1.Greeting) {
	s.tell(a, &pialertv1.Receipt{
		Frail: *s.frail.Load(), Greeting: greeting, Tick: s.ticks.newest(),
		Message: &pialertv1.FromDisplay{Message: &pialertv1.FromDisplay_Welcome{
			Welcome: &pialertv1.Welcome{Protocol: receive.Protocol, Version: s.options.Version, Committed: a.committed},
		}},
	}, time.Now())
}

// announced stores the next key that an agent announces in a parcel that a key has signed, and returns the answer, if there
// is one. A key that is not stored is not answered: the agent keeps the present one.
func (s *Server) announced(a *agent, key pairing.Fingerprint, parcel *pialertv1.Parcel) *pialertv1.Greeting {
	answer, err := s.options.Keyring.Announced(key, parcel.GetGreeting())
	if err != nil {
		s.options.Logger.Warn("cannot store the next key of an agent", "agent", a.name, "error", err)
	}
	return answer
}

// tell sends an agent a receipt. It is lost if nobody listens; the agent asks again then. The caller
// holds a.mu.
func (s *Server) tell(a *agent, receipt *pialertv1.Receipt, now time.Time) {
	receipt.Session, receipt.Epoch = a.session, a.epoch
	raw, err := proto.Marshal(receipt)
	if err == nil {
		subject := broker.Subject(broker.Receipts, a.id, s.id)
		if raw, err = s.options.Keyring.Seal(a.key, subject, raw); err == nil {
			err = s.publish(subject, raw)
		}
	}
	if err != nil {
		s.options.Logger.Debug("cannot send a receipt", "agent", a.name, "error", err)
		return
	}
	a.receipted, a.receiptAt = max(a.receipted, receipt.GetMessage().GetAck().GetCommitted()), now
}
