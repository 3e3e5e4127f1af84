package nats

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"

	client "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"

	"github.com/pialert/pialert/agent/internal/uplink"
	"github.com/pialert/pialert/agent/internal/uplink/uplinktest"
	"github.com/pialert/pialert/pkg/broker"
	"github.com/pialert/pialert/pkg/pairing"
	pialertv1 "github.com/pialert/pialert/proto/pialert/v1"
)

// kept is a message that was published.
type kept struct {
	subject string
	data    []byte
}

// post is a broker in memory: what is stored is in stream, what is not in beats.
type post struct {
	mu            sync.Mutex
	stream, beats []kept
	refuses       error // what is to be stored
	cut           bool
	key           func(broker.ID) (pairing.PublicKey, error)
}

func (p *post) Await(context.Context) error  { return nil }
func (p *post) ConnectedUrlRedacted() string { return "nats://broker" }
func (p *post) Fault() error                 { return nil }

func (p *post) IsConnected() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.cut
}

func (p *post) PublicKey(_ context.Context, display broker.ID) (pairing.PublicKey, error) {
	return p.key(display)
}

func (p *post) Publish(subject string, data []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.beats = append(p.beats, kept{subject, data})
	return nil
}

// stored is what becomes of a message that is published to the stream.
type stored struct {
	ok  chan *jetstream.PubAck
	err chan error
}

func (s stored) Ok() <-chan *jetstream.PubAck { return s.ok }
func (s stored) Err() <-chan error            { return s.err }
func (s stored) Msg() *client.Msg             { return nil }

func (p *post) store(subject string, data []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuses != nil {
		return p.refuses
	}
	p.stream = append(p.stream, kept{subject, data})
	return nil
}

// js is the post's JetStream.
type js struct{ *post }

func (j js) Publish(_ context.Context, subject string, data []byte, _ ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	return &jetstream.PubAck{}, j.store(subject, data)
}

func (j js) PublishAsync(subject string, data []byte, _ ...jetstream.PublishOpt) (jetstream.PubAckFuture, error) {
	s := stored{make(chan *jetstream.PubAck, 1), make(chan error, 1)}
	if err := j.store(subject, data); err != nil {
		s.err <- err
	} else {
		s.ok <- &jetstream.PubAck{}
	}
	return s, nil
}

// stage is an agent at a post, and a display that the test plays.
type stage struct {
	t              *testing.T
	agent, display *pairing.Keyring
	spool          *uplinktest.Spool
	post           *post
	up             *Uplink

	read      int // messages of the stream
	session   []byte
	committed uint64
}

const own broker.ID = "UAGENT"

// newStage makes a stage, in a bubble of synctest, of which nothing runs yet.
func newStage(t *testing.T, onStored bool) *stage {
	t.Helper()
	s := &stage{t: t, spool: uplinktest.New(), post: &post{}}
	var err error
	s.agent, err = pairing.Open(t.TempDir(), pairing.Agent, "web1")
	s.must(err)
	s.display, err = pairing.Open(t.TempDir(), pairing.Display, "desk")
	s.must(err)
	s.must(s.display.Add(pairing.Peer{Name: "web1", Role: pairing.Agent, Key: s.agent.Key()}))
	s.must(s.agent.Add(pairing.Peer{Name: "desk", Role: pairing.Display, Key: s.display.Key()}))
	s.post.key = func(broker.ID) (pairing.PublicKey, error) { return s.display.Public(), nil }
	s.up = New(Options{Uplink: uplink.Options{Version: "1.0", Spool: s.spool}, Keyring: s.agent, Stored: onStored})
	s.up.conn, s.up.js, s.up.own = s.post, js{s.post}, own
	return s
}

func (s *stage) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// start has the agent deliver until the test ends.
func (s *stage) start() {
	go s.up.deliver(s.t.Context())
	synctest.Wait()
}

// open opens a message as the display does.
func (s *stage) open(m kept) *pialertv1.Parcel {
	s.t.Helper()
	from, raw, err := s.display.Unseal(m.subject, m.data)
	s.must(err)
	if _, err := s.display.Holder(from); err != nil {
		s.t.Fatalf("a message on %s is of the key %s", m.subject, from.Fingerprint())
	}
	var parcel pialertv1.Parcel
	s.must(proto.Unmarshal(raw, &parcel))
	return &parcel
}

// news returns what was stored since it was last asked for.
func (s *stage) news() (parcels []*pialertv1.Parcel) {
	s.t.Helper()
	synctest.Wait()
	s.post.mu.Lock()
	defer s.post.mu.Unlock()
	for _, m := range s.post.stream[s.read:] {
		if want := broker.Subject(broker.Events, broker.DisplayID(s.display.Key()), own); m.subject != want {
			s.t.Errorf("a message is on %s, want %s", m.subject, want)
		}
		parcel := s.open(m)
		s.session = parcel.GetSession()
		parcels = append(parcels, parcel)
	}
	s.read = len(s.post.stream)
	return parcels
}

// take commits what was stored, and fails if numbers are missing.
func (s *stage) take() {
	s.t.Helper()
	for _, parcel := range s.news() {
		for _, event := range parcel.GetMessage().GetBatch().GetEvents() {
			if n := event.GetSequence(); n > s.committed+1 {
				s.t.Fatalf("event %d comes behind %d", n, s.committed)
			} else {
				s.committed = max(s.committed, n)
			}
		}
		if gap := parcel.GetMessage().GetGap(); gap != nil {
			s.committed = max(s.committed, gap.GetThrough())
		}
	}
}

// letter seals a receipt, as the display does.
func (s *stage) letter(receipt *pialertv1.Receipt) *client.Msg {
	s.t.Helper()
	if receipt.Session == nil {
		receipt.Session = s.session
	}
	if receipt.Epoch == 0 {
		receipt.Epoch = s.spool.Epoch
	}
	raw, err := proto.Marshal(receipt)
	s.must(err)
	subject := broker.Subject(broker.Receipts, own, broker.DisplayID(s.display.Key()))
	sealed, err := s.display.Seal(s.agent.Public(), subject, raw)
	s.must(err)
	return &client.Msg{Subject: subject, Data: sealed}
}

func (s *stage) say(receipt *pialertv1.Receipt) {
	s.t.Helper()
	s.up.dispatch(s.letter(receipt))
	synctest.Wait()
}

// welcome answers a hello, and ack says what is committed.
func (s *stage) welcome() *pialertv1.Receipt {
	return &pialertv1.Receipt{Message: &pialertv1.FromDisplay{Message: &pialertv1.FromDisplay_Welcome{
		Welcome: &pialertv1.Welcome{Protocol: uplink.Protocol, Version: "1.0", Committed: s.committed},
	}}}
}

func ack(committed uint64) *pialertv1.Receipt {
	return &pialertv1.Receipt{Message: &pialertv1.FromDisplay{Message: &pialertv1.FromDisplay_Ack{Ack: &pialertv1.Ack{Committed: committed}}}}
}

// greeted starts the agent and welcomes it.
func (s *stage) greeted() {
	s.t.Helper()
	s.start()
	if news := s.news(); len(news) != 1 || news[0].GetMessage().GetHello() == nil {
		s.t.Fatalf("it begins with %v", news)
	}
	s.say(s.welcome())
}

// acknowledged fails the test unless the spool was told so.
func (s *stage) acknowledged(want uint64) {
	s.t.Helper()
	synctest.Wait()
	if s.spool.Acked != want {
		s.t.Fatalf("the spool forgets up to %d, want %d", s.spool.Acked, want)
	}
}

// state is how the way to the display stands.
func (s *stage) state() string {
	s.t.Helper()
	synctest.Wait()
	states := s.up.States()
	if len(states) != 1 {
		s.t.Fatalf("there are %d ways", len(states))
	}
	if states[0].Up {
		return "up " + states[0].Note
	}
	return states[0].Error
}
