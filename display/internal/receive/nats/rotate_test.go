package nats

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/pialert/pialert/display/internal/receive"
	"github.com/pialert/pialert/pkg/broker"
	"github.com/pialert/pialert/pkg/pairing"
	pialertv1 "github.com/pialert/pialert/proto/pialert/v1"
)

// rotate begins a change of the agent's key.
func (b *bench) rotate() (next pairing.Fingerprint) {
	b.t.Helper()
	b.must(b.agent.Add(pairing.Peer{Name: "desk", Role: pairing.Display, Key: b.server.options.Keyring.Key()}))
	next, err := b.agent.Rotate()
	b.must(err)
	return next
}

// answered hands the newest receipt's word of keys to the agent.
func (b *bench) answered() {
	b.t.Helper()
	b.must(b.agent.Answered(b.server.options.Keyring.Key(), b.receipts[len(b.receipts)-1].GetGreeting()))
}

// holds says whether the display takes a key for the agent's.
func (b *bench) holds(key pairing.PublicKey) bool {
	_, err := b.server.options.Keyring.Holder(key)
	return err == nil
}

// An agent that changes its key is taken by both while what the former one signed may be under way, and by the new one
// alone when all of that is committed.
func TestAnAgentChangesItsKey(t *testing.T) {
	b := newBench(t)
	former := b.agent.Public()
	next := b.rotate()
	b.give(b.hello(7), b.events(7, 1, 10))
	late := b.events(7, 11, 20)
	b.answered()
	if b.agent.Key() != next {
		t.Fatal("the agent was not told that its next key is stored")
	}
	b.give(b.events(7, 11, 15), late) // of either key
	if !b.holds(former) {
		t.Fatal("the former key is refused before the next one has said hello")
	}
	b.give(b.hello(7), b.events(7, 21, 30))
	b.counted(30)
	if b.holds(former) || !b.holds(b.agent.Public()) {
		t.Error("the former key is still taken")
	}
	b.give(late)
	if got := b.server.Status().Dropped.Unpaired; got != 1 {
		t.Errorf("%d messages of the former key were dropped, want 1", got)
	}
	if peer, err := b.server.options.Keyring.Peer("web1"); err != nil || peer.Key != next || !peer.NextKey.IsZero() {
		t.Errorf("the display knows %+v, %v", peer, err)
	}
}

// A hello under the next key that the broker says too early retires nothing: what the former one signed is read first.
func TestAnEarlyHelloRetiresNoKey(t *testing.T) {
	b := newBench(t)
	b.rotate()
	b.give(b.hello(7))
	stream := []*message{b.events(7, 1, 10), b.events(7, 11, 20)}
	b.answered()
	stream = append(stream, b.hello(7), b.events(7, 21, 30))
	b.give(stream[1], stream[2], stream[3])
	if !b.reread(stream) {
		t.Fatal("the stream is not read again")
	}
	b.counted(30)
	for _, receipt := range b.receipts {
		if receipt.GetAgain() {
			t.Error("the agent was asked to send again")
		}
	}
}

// The answer to a hello may be lost: each heartbeat is answered, too. Nobody announces a key that is not its own.
func TestHeartbeatsAnnounceKeys(t *testing.T) {
	b := newBench(t)
	next := b.rotate()
	subject := broker.Subject(broker.Beats, b.server.id, b.id)
	beat := func(greeting *pialertv1.Greeting) (answer *pialertv1.Greeting) {
		t.Helper()
		raw, err := proto.Marshal(&pialertv1.Parcel{
			Session: b.session, Epoch: 7, Protocol: receive.Protocol, Tick: b.server.ticks.next(), Greeting: greeting,
			Message: &pialertv1.FromAgent{Message: &pialertv1.FromAgent_Heartbeat{Heartbeat: &pialertv1.Heartbeat{}}},
		})
		b.must(err)
		sealed, err := b.agent.Seal(b.server.options.Keyring.Public(), subject, raw)
		b.must(err)
		b.receipts = nil
		b.server.beat(t.Context(), subject, sealed)
		for _, receipt := range b.receipts {
			answer = receipt.GetGreeting()
		}
		return answer
	}
	if answer := beat(nil); answer != nil {
		t.Errorf("a heartbeat that says nothing of keys is answered with %v", answer)
	}
	for range 2 { // the first answer is lost
		if answer := beat(b.agent.Announce()); !bytes.Equal(answer.GetStoredKey(), next[:]) {
			t.Fatalf("the answer is %v, want the key %s", answer, next)
		}
	}
	own := b.server.options.Keyring.Key()
	if answer := beat(&pialertv1.Greeting{NextKey: own[:]}); answer != nil {
		t.Errorf("an agent announces the display's key, and is told %v", answer)
	}
	if answer := beat(&pialertv1.Greeting{NextKey: []byte("short")}); answer != nil {
		t.Errorf("nonsense is answered with %v", answer)
	}
}
