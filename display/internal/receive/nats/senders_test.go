package nats

import (
	"fmt"
	"testing"

	"github.com/pialert/pialert/pkg/broker"
)

// One that sends heartbeats without end is not looked at after a while, and nobody else falls silent.
func TestAFloodOfHeartbeats(t *testing.T) {
	b := newBench(t)
	tick := b.server.ticks.next()
	flood := broker.Subject(broker.Beats, b.server.id, "UFLOOD")
	for range 3 * perSender {
		b.server.beat(t.Context(), flood, []byte("noise"))
	}
	if dropped := b.server.Status().Dropped; dropped.Sealed != perSender || dropped.Stale != 2*perSender {
		t.Errorf("dropped are %+v; want %d that were looked at, and %d that were not", dropped, perSender, 2*perSender)
	}
	subject := broker.Subject(broker.Beats, b.server.id, b.id)
	b.server.beat(t.Context(), subject, b.beat(subject, tick))
	if status := b.server.options.Admission.Status(); len(status) != 1 || !status[0].Connected {
		t.Errorf("beside a flood the agents are %+v", status)
	}
	b.server.beating.forgive()
	b.server.beat(t.Context(), flood, []byte("noise"))
	if n := b.server.Status().Dropped.Sealed; n != perSender+1 {
		t.Errorf("at the next tick it is not looked at: %d", n)
	}
}

// Senders are told apart up to a bound, so that who has many IDs costs no more memory.
func TestSendersAreBounded(t *testing.T) {
	var s senders
	for n := range maxSenders {
		if !s.allow(broker.ID(fmt.Sprint(n))) {
			t.Fatalf("sender %d is refused", n)
		}
	}
	if s.allow("another") || len(s.heard) != maxSenders {
		t.Errorf("%d senders are told apart, want %d", len(s.heard), maxSenders)
	}
	if !s.allow("7") {
		t.Error("one that is known is refused")
	}
}
