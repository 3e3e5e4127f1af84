package fleet

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/pialert/pialert/packaging/demo/program"
)

// kept returns the messages that the broker keeps, and waits until those of a backlog are there.
func kept(s *stage, stream jetstream.Stream, least int) (messages []*jetstream.RawStreamMsg) {
	s.t.Helper()
	s.must(program.Poll(s.ctx, func() error {
		info, err := stream.Info(s.ctx)
		if err == nil && info.State.Msgs < uint64(least) {
			err = fmt.Errorf("the broker keeps %d messages, not %d", info.State.Msgs, least)
		}
		return err
	}))
	info, err := stream.Info(s.ctx)
	s.must(err)
	for n := info.State.FirstSeq; n <= info.State.LastSeq; n++ {
		message, err := stream.GetMsg(s.ctx, n)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		s.must(err)
		messages = append(messages, message)
	}
	return messages
}

// lose makes the broker forget messages in the display's place: it takes no request to forget them.
func lose(s *stage, stream jetstream.Stream, lost map[uint64]bool) {
	s.t.Helper()
	for name := range stream.ConsumerNames(s.ctx).Name() {
		s.must(stream.DeleteConsumer(s.ctx, name))
	}
	consumer, err := stream.CreateConsumer(s.ctx, jetstream.ConsumerConfig{AckPolicy: jetstream.AckExplicitPolicy, MaxAckPending: -1})
	s.must(err)
	info, err := stream.Info(s.ctx)
	s.must(err)
	messages, err := consumer.FetchNoWait(int(info.State.Msgs))
	s.must(err)
	left := info.State.Msgs
	for message := range messages.Messages() {
		about, err := message.Metadata()
		s.must(err)
		if lost[about.Sequence.Stream] {
			s.must(message.DoubleAck(s.ctx))
			left--
		}
	}
	s.must(stream.DeleteConsumer(s.ctx, consumer.CachedInfo().Name))
	if info, err = stream.Info(s.ctx); err != nil || info.State.Msgs != left {
		s.t.Fatalf("the broker keeps %d messages, not %d: %v", info.State.Msgs, left, err)
	}
}

// Whoever runs the broker reads, alters, repeats, loses and reorders what it keeps while the display is
// away. The count stays true.
func TestABrokerThatMeansHarm(t *testing.T) {
	address := inProcess(t)
	s := newStage(t, address, "")
	s.start()
	s.attack(50)
	s.counted()
	s.must(s.display.Stop(s.ctx))
	boss := newOwner(t, address)
	stream := boss.stream(s.ctx, t)

	s.attack(1000)
	messages := kept(s, stream, 10)
	for _, m := range messages {
		for _, secret := range []string{"u100", "203.0.113", "auth.log", "sshd", "vps"} {
			if bytes.Contains(m.Data, []byte(secret)) {
				t.Errorf("the broker reads %q in a message", secret)
			}
		}
		if strings.Contains(m.Subject, "vps") || strings.Contains(m.Subject, "desk") {
			t.Errorf("the subject %s names a machine", m.Subject)
		}
	}
	publish := func(subject string, data []byte) {
		t.Helper()
		_, err := boss.PublishMsg(s.ctx, &nats.Msg{Subject: subject, Data: data})
		s.must(err)
	}
	lost := map[uint64]bool{}
	for i, m := range messages {
		switch i % 5 {
		case 0: // repeat it
			publish(m.Subject, m.Data)
		case 1: // put an altered one in its place
			altered := bytes.Clone(m.Data)
			altered[len(altered)-20] ^= 4
			lost[m.Sequence] = true
			publish(m.Subject, altered)
		case 2: // lose it
			lost[m.Sequence] = true
		case 3: // let it come later
			lost[m.Sequence] = true
			publish(m.Subject, m.Data)
		case 4: // say that it is another agent's
			publish(m.Subject+"X", m.Data)
		}
	}
	lose(s, stream, lost)
	publish(messages[0].Subject, []byte("noise"))
	s.startDisplay()
	s.attack(50)
	s.counted()

	status, err := s.Display(s.ctx, "fleet", "status")
	s.must(err)
	if !strings.Contains(status, "that did not open") {
		t.Errorf("nothing is said of what the broker altered:\n%s", status)
	}
}

// What the broker takes and loses before any display has seen it is sent again.
func TestABrokerThatSwallows(t *testing.T) {
	address := inProcess(t)
	s := newStage(t, address, "")
	s.start()
	s.attack(10)
	s.counted()
	s.must(s.display.Stop(s.ctx))
	stream := newOwner(t, address).stream(s.ctx, t)
	s.attack(500)
	lost := map[uint64]bool{}
	for _, m := range kept(s, stream, 5) {
		lost[m.Sequence] = true
	}
	lose(s, stream, lost)
	s.startDisplay()
	s.attack(10) // whose numbers show that others are missing
	s.counted()
}
