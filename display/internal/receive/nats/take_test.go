package nats

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"

	"github.com/pialert/pialert/display/internal/receive"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/broker"
	"github.com/pialert/pialert/pkg/pairing"
	"github.com/pialert/pialert/pkg/wire"
	pialertv1 "github.com/pialert/pialert/proto/pialert/v1"
)

// message is one of the stream, as the broker hands it over.
type message struct {
	jetstream.Msg // none of whose other methods is called
	subject       string
	data          []byte
	acked, termed bool
	later         time.Duration
}

func (m *message) Subject() string { return m.subject }
func (m *message) Data() []byte    { return m.data }
func (m *message) Ack() error      { m.acked = true; return nil }
func (m *message) Term() error     { m.termed = true; return nil }
func (m *message) NakWithDelay(d time.Duration) error {
	m.later = d
	return nil
}
func (m *message) gone() bool { return m.acked || m.termed }

// store commits at once, and keeps the users of what it was given.
type store struct {
	refuses   string // an agent
	users     []string
	committed map[uint64]uint64 // by epoch
}

func (s *store) Committed(_ context.Context, _ string, epoch uint64) (uint64, error) {
	return s.committed[epoch], nil
}

func (s *store) Append(_ context.Context, agent string, epoch, first uint64, events []attack.Event, done func(uint64, error)) error {
	if agent == s.refuses {
		return errors.New("no room")
	}
	if first != s.committed[epoch]+1 {
		return fmt.Errorf("event %d comes after %d", first, s.committed[epoch])
	}
	for _, e := range events {
		s.users = append(s.users, agent+"/"+e.User)
	}
	s.committed[epoch] += uint64(len(events))
	done(s.committed[epoch], nil)
	return nil
}

func (s *store) Skip(_ context.Context, _ string, epoch, through, _ uint64, done func(uint64, error)) error {
	s.committed[epoch] = through
	done(through, nil)
	return nil
}

func (s *store) Heard(string, time.Time)     {}
func (s *store) Show(string, []attack.Event) {}

// bench is a display at a broker that the test plays, and an agent that is paired with it.
type bench struct {
	t        *testing.T
	agent    *pairing.Keyring
	id       broker.ID
	server   *Server
	store    *store
	receipts []*pialertv1.Receipt
	session  []byte
}

func newBench(t *testing.T, patterns ...string) *bench {
	t.Helper()
	b := &bench{t: t, id: "UAGENT", store: &store{committed: map[uint64]uint64{}}, session: bytes.Repeat([]byte{1}, 16)}
	display, err := pairing.Open(t.TempDir(), pairing.Display, "desk")
	b.must(err)
	b.agent, err = pairing.Open(t.TempDir(), pairing.Agent, "web1")
	b.must(err)
	b.must(display.Add(pairing.Peer{Name: "web1", Role: pairing.Agent, Key: b.agent.Key()}))
	b.server = New(Options{
		Admission: receive.New(receive.Options{Store: b.store, Show: b.store}), Keyring: display, Agents: patterns, Version: "v1",
	})
	b.server.publish = func(subject string, data []byte) error {
		from, raw, err := b.agent.Unseal(subject, data)
		b.must(err)
		if from != display.Public() || subject != broker.Subject(broker.Receipts, b.id, b.server.id) {
			t.Errorf("a receipt of %s came on %s", from.Fingerprint(), subject)
		}
		var receipt pialertv1.Receipt
		b.must(proto.Unmarshal(raw, &receipt))
		b.receipts = append(b.receipts, &receipt)
		return nil
	}
	t.Cleanup(b.server.closeAll)
	return b
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// seal makes a message of an agent.
func (b *bench) seal(agent *pairing.Keyring, subject string, epoch uint64, m *pialertv1.FromAgent) *message {
	b.t.Helper()
	raw, err := proto.Marshal(&pialertv1.Parcel{Session: b.session, Epoch: epoch, Message: m, Protocol: receive.Protocol, Version: "v1", Greeting: agent.Announce()})
	b.must(err)
	sealed, err := agent.Seal(b.server.options.Keyring.Public(), subject, raw)
	b.must(err)
	return &message{subject: subject, data: sealed}
}

func (b *bench) subject() string { return broker.Subject(broker.Events, b.server.id, b.id) }

// events is a batch of the events numbered first to last; the user of each says its number.
func (b *bench) events(epoch, first, last uint64) *message {
	b.t.Helper()
	batch := &pialertv1.Batch{}
	for n := first; n <= last; n++ {
		batch.Events = append(batch.Events, wire.Encode(n, "x", &attack.Event{
			Kind: attack.SSHLogin, Severity: attack.Medium, Rule: "r", Observed: time.Unix(1e9, 0), User: fmt.Sprint(n), Count: 1, Detail: attack.SSH{Method: "password"},
		}))
	}
	return b.seal(b.agent, b.subject(), epoch, &pialertv1.FromAgent{Message: &pialertv1.FromAgent_Batch{Batch: batch}})
}

func (b *bench) hello(epoch uint64) *message {
	return b.seal(b.agent, b.subject(), epoch, &pialertv1.FromAgent{Message: &pialertv1.FromAgent_Hello{Hello: &pialertv1.Hello{Protocol: 1, Epoch: epoch}}})
}

// give hands messages over, and looks at what is committed.
func (b *bench) give(messages ...*message) {
	b.t.Helper()
	for _, m := range messages {
		b.must(b.server.take(b.t.Context(), m))
	}
	for _, a := range b.server.all() {
		a.mu.Lock()
		b.server.settle(a, time.Now())
		a.mu.Unlock()
	}
}

// reread hands over again what was not acknowledged, if the server asked for it.
func (b *bench) reread(stream []*message) (asked bool) {
	b.t.Helper()
	select {
	case <-b.server.again:
	default:
		return false
	}
	b.server.forgetUnacknowledged()
	b.server.reading.Add(1)
	for _, m := range stream {
		if !m.gone() {
			b.give(m)
		}
	}
	return true
}

// counted fails the test unless each number up to last was stored once.
func (b *bench) counted(last int) {
	b.t.Helper()
	var want []string
	for n := 1; n <= last; n++ {
		want = append(want, fmt.Sprintf("web1/%d", n))
	}
	if !slices.Equal(b.store.users, want) {
		b.t.Fatalf("%d events are stored, want %d: %v", len(b.store.users), last, b.store.users)
	}
}

func TestTakesWhatAnAgentPublishes(t *testing.T) {
	b := newBench(t)
	b.server.ticks.next()
	hello, first, second := b.hello(7), b.events(7, 1, 100), b.events(7, 101, 130)
	b.give(hello, first, second)
	b.counted(130)
	if !hello.acked || !first.acked || !second.acked {
		t.Error("what is committed is not acknowledged to the broker")
	}
	if tick := b.receipts[0].GetTick(); !b.server.ticks.has(tick) {
		t.Errorf("the welcome has the tick %x, which is none", tick)
	}
	if welcome := b.receipts[0].GetMessage().GetWelcome(); welcome == nil || welcome.GetCommitted() != 0 || !bytes.Equal(b.receipts[0].GetSession(), b.session) {
		t.Errorf("the first receipt is %v", b.receipts[0])
	}
}

func TestRepeatedMessagesCountOnce(t *testing.T) {
	b := newBench(t)
	first := b.events(7, 1, 100)
	b.give(first, first, b.events(7, 1, 100), b.events(7, 51, 150), first)
	b.counted(150)
}

func TestAlteredAndForeignMessagesAreDropped(t *testing.T) {
	b := newBench(t)
	stranger, err := pairing.Open(t.TempDir(), pairing.Agent, "web1")
	b.must(err)
	altered := b.events(7, 1, 10)
	altered.data = bytes.Clone(altered.data)
	altered.data[len(altered.data)/2] ^= 1
	moved := b.events(7, 1, 10)
	moved.subject = broker.Subject(broker.Events, b.server.id, "UOTHER")
	forged := b.seal(stranger, b.subject(), 7, &pialertv1.FromAgent{Message: &pialertv1.FromAgent_Gap{Gap: &pialertv1.Gap{Through: 1000}}})
	noise := &message{subject: b.subject(), data: []byte("noise")}
	b.give(altered, moved, forged, noise)
	b.counted(0)
	for name, m := range map[string]*message{"altered": altered, "moved": moved, "forged": forged, "noise": noise} {
		if !m.termed || m.acked {
			t.Errorf("what is %s stays in the stream", name)
		}
	}
	if got, want := b.server.Status().Dropped, (Dropped{Sealed: 3, Unpaired: 1}); got != want {
		t.Errorf("it counts %+v, want %+v", got, want)
	}
	b.give(b.events(7, 1, 10))
	b.counted(10)
}

// The broker says a later message first, as it does after a connection broke: the stream is read again,
// and nobody is asked anything.
func TestReorderedMessagesAreReadAgain(t *testing.T) {
	b := newBench(t)
	stream := []*message{b.events(7, 1, 10), b.events(7, 11, 20), b.events(7, 21, 30)}
	b.give(stream[1], stream[2])
	b.counted(0)
	if !b.reread(stream) {
		t.Fatal("the stream is not read again")
	}
	b.counted(30)
	if len(b.receipts) > 0 && b.receipts[len(b.receipts)-1].GetAgain() {
		t.Error("the agent was asked to send again")
	}
}

// The broker lost a message that it had stored: the agent is asked, and sends what follows again.
func TestLostMessagesAreAskedFor(t *testing.T) {
	b := newBench(t)
	left := b.events(7, 21, 30)
	b.give(b.events(7, 1, 10))
	b.give(left)
	b.reread([]*message{left})
	b.counted(10)
	if last := b.receipts[len(b.receipts)-1]; !last.GetAgain() {
		t.Fatalf("the agent is told %v", last)
	}
	b.give(b.hello(7), b.events(7, 11, 20), b.events(7, 21, 30))
	b.counted(30)
}

// An agent whose events cannot be stored keeps nobody else waiting for long, and loses nothing.
func TestAnAgentThatCannotBeStoredWaitsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.store.refuses = "web1"
		first, second := b.events(7, 1, 10), b.events(7, 11, 20)
		b.give(first, second)
		if first.gone() || second.gone() || first.later == 0 || second.later == 0 {
			t.Fatalf("its messages are not put back: %+v %+v", first, second)
		}
		if last := b.receipts[len(b.receipts)-1]; last.GetRefusal() == "" {
			t.Errorf("the agent is told %v", last)
		}
		b.store.refuses = ""
		time.Sleep(storeLater)
		b.give(first, second)
		b.counted(20)
	})
}

func TestAgentsOfOtherDisplaysAreRefused(t *testing.T) {
	b := newBench(t, "db-*", "mail")
	m := b.events(7, 1, 10)
	b.give(m)
	b.counted(0)
	if !m.termed || !strings.Contains(b.receipts[0].GetRefusal(), "leaves this agent out") {
		t.Errorf("it is told %v", b.receipts)
	}
}

// beat is a heartbeat that answers a tick.
func (b *bench) beat(subject string, tick []byte) []byte {
	b.t.Helper()
	raw, err := proto.Marshal(&pialertv1.Parcel{
		Session: b.session, Epoch: 7, Protocol: receive.Protocol, Tick: tick,
		Message: &pialertv1.FromAgent{Message: &pialertv1.FromAgent_Heartbeat{Heartbeat: &pialertv1.Heartbeat{Waiting: 12}}},
	})
	b.must(err)
	sealed, err := b.agent.Seal(b.server.options.Keyring.Public(), subject, raw)
	b.must(err)
	return sealed
}

// A heartbeat shows that an agent lives only if it answers a tick that was just made.
func TestOnlyAnswersToTicksAreHeard(t *testing.T) {
	b := newBench(t)
	subject := broker.Subject(broker.Beats, b.server.id, b.id)
	beat := func(tick []byte) []byte { return b.beat(subject, tick) }
	up := func() bool {
		status := b.server.options.Admission.Status()
		return len(status) == 1 && status[0].Connected && status[0].Waiting == 12
	}
	kept := beat(b.server.ticks.next())
	b.server.beat(t.Context(), subject, beat(bytes.Repeat([]byte{9}, 16)))
	b.server.beat(t.Context(), subject, beat(nil))
	b.give(b.hello(7), b.events(7, 1, 10)) // which may have been kept for days
	if up() {
		t.Fatal("an agent counts as alive that answered no tick")
	}
	b.server.beat(t.Context(), subject, kept)
	if !up() {
		t.Error("an agent that answers a tick does not count as alive")
	}
	for range keptTicks {
		b.server.ticks.next()
	}
	before := b.server.Status().Dropped.Stale
	b.server.beat(t.Context(), subject, kept)
	if b.server.Status().Dropped.Stale != before+1 {
		t.Error("a heartbeat that was kept is heard later")
	}
}

// Whatever a broker does with the messages that it has, each event counts once and in order as soon as
// it lets through what the agent sends.
func TestNoBrokerCanMakeCountsWrong(t *testing.T) {
	for seed := range uint64(30) {
		random := rand.New(rand.NewPCG(seed, 17))
		b := newBench(t)
		const last = 400
		var stream, all []*message
		publish := func(from uint64) {
			stream = append(stream, b.hello(7))
			for from <= last {
				through := min(from+random.Uint64N(60), last)
				stream = append(stream, b.events(7, from, through))
				from = through + 1
			}
			all = append(all, stream...)
		}
		publish(1)
		for range 80 {
			switch at := random.IntN(len(all)); random.IntN(6) {
			case 0: // repeat anything
				b.give(&message{subject: all[at].subject, data: all[at].data})
			case 1: // alter it
				data := bytes.Clone(all[at].data)
				data[random.IntN(len(data))] ^= 1 << random.IntN(8)
				b.give(&message{subject: all[at].subject, data: data})
			case 2: // lose it
				if i := slices.Index(stream, all[at]); i >= 0 {
					stream = slices.Delete(stream, i, i+1)
				}
			case 3: // say it early
				b.give(all[at])
			case 4:
				random.Shuffle(len(stream), func(i, j int) { stream[i], stream[j] = stream[j], stream[i] })
			case 5:
				b.reread(stream)
			}
		}
		for try := 0; len(b.store.users) < last; try++ { // the agent begins a new session, and the broker loses nothing
			if try == 10 {
				t.Fatalf("seed %d: the agent sent everything ten times, and %d events are stored", seed, len(b.store.users))
			}
			stream = nil
			publish(b.store.committed[7] + 1)
			b.give(stream...)
			b.reread(stream)
		}
		b.counted(last)
	}
}
