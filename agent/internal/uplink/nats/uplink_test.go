package nats

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	client "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"

	"github.com/pialert/pialert/pkg/broker"
	"github.com/pialert/pialert/pkg/pairing"
	pialertv1 "github.com/pialert/pialert/proto/pialert/v1"
)

// bubble runs a test with an agent whose clock stands still while nothing waits for it.
func bubble(t *testing.T, onStored bool, test func(s *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(newStage(t, onStored)) })
}

// What the display has is forgotten, not what the broker has.
func TestShown(t *testing.T) {
	bubble(t, false, func(s *stage) {
		s.greeted()
		s.spool.Add(s.t, 250)
		var sizes []int
		for _, parcel := range s.news() {
			events := parcel.GetMessage().GetBatch().GetEvents()
			sizes = append(sizes, len(events))
			s.committed = events[len(events)-1].GetSequence()
		}
		if fmt.Sprint(sizes) != "[100 100 50]" || s.committed != 250 {
			s.t.Errorf("messages of %v events through %d", sizes, s.committed)
		}
		s.acknowledged(0)
		s.say(ack(100))
		s.acknowledged(100)
		s.say(ack(250))
		s.acknowledged(250)
		if s.state() != "up " {
			s.t.Errorf("its state is %q", s.state())
		}
	})
}

// What the broker has is forgotten, whether or not the display has ever answered.
func TestStored(t *testing.T) {
	bubble(t, true, func(s *stage) {
		s.spool.Add(s.t, 150)
		s.start()
		s.take()
		if s.committed != 0 {
			s.t.Fatalf("%d events are published before the hello had time to be answered", s.committed)
		}
		time.Sleep(welcomeTimeout)
		s.take()
		s.acknowledged(150)
		if want := "the display has not answered yet"; s.committed != 150 || !strings.Contains(s.state(), want) {
			s.t.Errorf("%d are published, its state is %q", s.committed, s.state())
		}
		welcome := s.welcome()
		welcome.Frail = "one server"
		s.say(welcome)
		if want := "may lose what this agent has forgotten: one server"; !strings.Contains(s.state(), want) {
			s.t.Errorf("its state is %q, want %q", s.state(), want)
		}
	})
}

// A display that commits less than the agent sent, or nothing for long, is asked again, and gets the rest again.
func TestWhatIsNotAnsweredIsSentAgain(t *testing.T) {
	bubble(t, false, func(s *stage) {
		s.greeted()
		s.spool.Add(s.t, 30)
		s.take()
		s.committed = 10 // the rest was lost on the way, and nobody knows
		s.say(ack(10))
		time.Sleep(firstTimeout)
		if news := s.news(); len(news) != 1 || news[0].GetMessage().GetHello() == nil {
			s.t.Fatalf("after a minute without a word it says %v", news)
		}
		s.say(s.welcome())
		s.take()
		s.say(ack(s.committed))
		s.acknowledged(30)
	})
}

// A display that finds a hole says so, and gets what follows again.
func TestAHoleIsFilled(t *testing.T) {
	bubble(t, false, func(s *stage) {
		s.greeted()
		s.spool.Add(s.t, 30)
		s.news()
		s.say(&pialertv1.Receipt{Again: true})
		time.Sleep(lastPause)
		if news := s.news(); len(news) != 1 || news[0].GetMessage().GetHello() == nil {
			s.t.Fatalf("it was asked again, and says %v", news)
		}
		s.say(s.welcome())
		s.take()
		if s.committed != 30 {
			s.t.Errorf("%d of 30 came again", s.committed)
		}
	})
}

// What the spool lost is told before what follows.
func TestAGapIsTold(t *testing.T) {
	bubble(t, false, func(s *stage) {
		s.spool.Add(s.t, 9)
		s.spool.Drop(3, 5)
		s.greeted()
		var told []string
		for _, parcel := range s.news() {
			if gap := parcel.GetMessage().GetGap(); gap != nil {
				told = append(told, fmt.Sprintf("gap through %d of %d", gap.GetThrough(), gap.GetAttempts()))
			}
			for _, event := range parcel.GetMessage().GetBatch().GetEvents() {
				told = append(told, fmt.Sprint(event.GetSequence()))
			}
		}
		if got, want := strings.Join(told, ", "), "1, 2, gap through 5 of 3, 6, 7, 8, 9"; got != want {
			s.t.Errorf("it says %s, want %s", got, want)
		}
	})
}

// Nothing moves an agent but its own display's word on this session: not what somebody else signed, what was
// altered, what is for another agent, of another epoch or of a session before.
func TestForgedReceiptsMoveNothing(t *testing.T) {
	bubble(t, false, func(s *stage) {
		s.greeted()
		s.spool.Add(s.t, 50)
		s.take()
		stranger, err := pairing.Open(s.t.TempDir(), pairing.Display, "desk")
		s.must(err)
		true50 := s.letter(ack(50))
		forged := *s
		forged.display = stranger
		raw, err := proto.Marshal(&pialertv1.Receipt{Session: s.session, Epoch: s.spool.Epoch, Message: ack(50).GetMessage()})
		s.must(err)
		elsewhere, err := s.display.Seal(s.agent.Public(), broker.Subject(broker.Receipts, "UOTHER", broker.DisplayID(s.display.Key())), raw)
		s.must(err)
		signed, err := stranger.Seal(s.agent.Public(), true50.Subject, raw)
		s.must(err)
		for name, m := range map[string]*client.Msg{
			"a stranger's":        {Subject: true50.Subject, Data: signed},
			"a stranger's own":    forged.letter(ack(50)),
			"for another":         {Subject: true50.Subject, Data: elsewhere},
			"of another session":  s.letter(&pialertv1.Receipt{Session: bytes.Repeat([]byte{9}, 16), Message: ack(50).GetMessage()}),
			"of another epoch":    s.letter(&pialertv1.Receipt{Epoch: s.spool.Epoch + 1, Message: ack(50).GetMessage()}),
			"noise":               {Subject: true50.Subject, Data: []byte("noise")},
			"empty":               {Subject: true50.Subject},
			"a refusal of nobody": {Subject: true50.Subject, Data: bytes.Repeat([]byte{0}, 300)},
		} {
			s.up.dispatch(m)
			synctest.Wait()
			if s.spool.Acked != 0 || s.state() != "up " {
				s.t.Fatalf("a receipt %s moves it: %d, %q", name, s.spool.Acked, s.state())
			}
		}
		for i := range true50.Data {
			altered := bytes.Clone(true50.Data)
			altered[i] ^= 1
			s.up.dispatch(&client.Msg{Subject: true50.Subject, Data: altered})
			synctest.Wait()
		}
		s.acknowledged(0)
		s.up.dispatch(true50)
		s.acknowledged(50)
	})
}

// A display that acknowledges what was never sent ends the session, and the spool keeps what it has.
func TestADisplayThatKnowsTooMuch(t *testing.T) {
	bubble(t, false, func(s *stage) {
		s.greeted()
		s.spool.Add(s.t, 5)
		s.take()
		s.say(ack(6))
		s.acknowledged(0)
		if want := "it acknowledged event 6, the last one sent is 5"; !strings.Contains(s.state(), want) {
			s.t.Errorf("its state is %q, want %q", s.state(), want)
		}
	})
}

func TestARefusalIsTold(t *testing.T) {
	bubble(t, false, func(s *stage) {
		s.greeted()
		s.say(&pialertv1.Receipt{Refusal: "no \x1b[31m more"})
		if got, want := s.state(), `the display does not take this agent: no \x1b[31m more`; got != want {
			s.t.Errorf("its state is %q, want %q", got, want)
		}
		time.Sleep(lastPause)
		if news := s.news(); len(news) == 0 || news[0].GetMessage().GetHello() == nil {
			s.t.Errorf("it does not try again: %v", news)
		}
	})
}

// A broker that has no room leaves events in the spool, says so, and gets them later.
func TestAFullBroker(t *testing.T) {
	for _, onStored := range []bool{false, true} {
		bubble(t, onStored, func(s *stage) {
			s.greeted()
			s.post.mu.Lock()
			s.post.refuses = &jetstream.APIError{ErrorCode: 10077, Description: "maximum messages exceeded"}
			s.post.mu.Unlock()
			s.spool.Add(s.t, 50)
			s.acknowledged(0)
			if want := "the broker's stream is full, so events wait here"; !strings.HasPrefix(s.state(), want) {
				s.t.Errorf("its state is %q, want %q", s.state(), want)
			}
			s.post.mu.Lock()
			s.post.refuses = nil
			s.post.mu.Unlock()
			time.Sleep(lastPause)
			s.take()
			s.say(s.welcome())
			s.take()
			if s.committed != 50 {
				s.t.Errorf("%d of 50 come when there is room", s.committed)
			}
		})
	}
}

// A tick is answered within a while, and only with what was asked.
func TestTicksAreAnswered(t *testing.T) {
	bubble(t, false, func(s *stage) {
		s.greeted()
		s.spool.Add(s.t, 3)
		tick := bytes.Repeat([]byte{5}, 16)
		display := broker.DisplayID(s.display.Key())
		for _, m := range []client.Msg{
			{Subject: broker.Of(broker.Ticks, display), Data: []byte("short")},
			{Subject: broker.Of(broker.Ticks, "ANOTHER"), Data: tick},
		} {
			s.up.dispatch(&m)
			time.Sleep(beatWithin)
		}
		if len(s.post.beats) > 0 {
			s.t.Fatalf("%d heartbeats that nobody asked for", len(s.post.beats))
		}
		s.up.dispatch(&client.Msg{Subject: broker.Of(broker.Ticks, display), Data: tick})
		time.Sleep(beatWithin)
		synctest.Wait()
		if len(s.post.beats) != 1 || s.post.beats[0].subject != broker.Subject(broker.Beats, display, own) {
			s.t.Fatalf("the answers are %v", s.post.beats)
		}
		parcel := s.open(s.post.beats[0])
		if beat := parcel.GetMessage().GetHeartbeat(); beat == nil || !bytes.Equal(parcel.GetTick(), tick) || beat.GetWaiting() != 3 {
			s.t.Errorf("the answer is %v", parcel)
		}
	})
}

// A welcome that has a tick in it is answered at once: the display need not wait for its next one to know that an agent
// lives that has just come.
func TestAWelcomeIsAnsweredAtOnce(t *testing.T) {
	bubble(t, false, func(s *stage) {
		s.start()
		s.news()
		welcome := s.welcome()
		welcome.Tick = bytes.Repeat([]byte{6}, tickLength)
		s.say(welcome)
		if len(s.post.beats) != 1 || !bytes.Equal(s.open(s.post.beats[0]).GetTick(), welcome.GetTick()) {
			s.t.Errorf("the answers are %v", s.post.beats)
		}
	})
}

// A broker without a stream says so in words that help.
func TestABrokerWithoutAStream(t *testing.T) {
	bubble(t, false, func(s *stage) {
		s.post.refuses = jetstream.ErrNoStreamResponse
		s.start()
		if want := "the broker has no stream for events: its JetStream is off"; !strings.HasPrefix(s.state(), want) {
			s.t.Errorf("its state is %q", s.state())
		}
	})
}

// An agent asks for a display's key that it only knows the fingerprint of, and takes no other one.
func TestOnlyThePinnedKeyIsSealedFor(t *testing.T) {
	bubble(t, false, func(s *stage) {
		stranger, err := pairing.Open(s.t.TempDir(), pairing.Display, "desk")
		s.must(err)
		s.post.key = func(broker.ID) (pairing.PublicKey, error) { return stranger.Public(), nil }
		s.start()
		if len(s.post.stream) > 0 || !strings.Contains(s.state(), "not paired") {
			s.t.Errorf("%d messages are sealed for a stranger, its state is %q", len(s.post.stream), s.state())
		}
	})
}

// A change of the agent's key begins a new session, which the present key signs; the next one signs when the display
// has stored it.
func TestTheKeyChanges(t *testing.T) {
	bubble(t, false, func(s *stage) {
		s.greeted()
		next, err := s.agent.Rotate()
		s.must(err)
		news := s.news()
		if len(news) != 1 || !bytes.Equal(news[0].GetGreeting().GetNextKey(), next[:]) {
			s.t.Fatalf("it says %v", news)
		}
		welcome := s.welcome()
		welcome.Greeting, err = s.display.Announced(s.agent.Key(), news[0].GetGreeting())
		s.must(err)
		s.say(welcome)
		if s.agent.Key() != next {
			s.t.Fatal("the key does not change")
		}
		if news = s.news(); len(news) != 1 || news[0].GetMessage().GetHello() == nil || news[0].GetGreeting() != nil {
			s.t.Fatalf("under the next key it says %v", news)
		}
		s.must(s.display.Uses(next))
		s.say(s.welcome())
		s.spool.Add(s.t, 20)
		s.take()
		s.say(ack(20))
		s.acknowledged(20)
	})
}

// Whatever a broker does with what the agent stores and with what the display answers, the spool forgets nothing that
// the display has not committed, and everything is committed once the broker behaves.
func TestNoBrokerMakesAnAgentForget(t *testing.T) {
	for seed := range uint64(20) {
		bubble(t, false, func(s *stage) {
			random := rand.New(rand.NewPCG(seed, 23))
			s.start()
			var answers, said []*client.Msg
			const last = 600
			for round := range 400 {
				if s.spool.Next <= last {
					s.spool.Add(s.t, 1+random.IntN(5))
				}
				behaves := round > 200
				for _, parcel := range s.news() {
					if !behaves && random.IntN(4) == 0 {
						continue // lost
					}
					events := parcel.GetMessage().GetBatch().GetEvents()
					switch {
					case parcel.GetMessage().GetHello() != nil:
						answers = append(answers, s.letter(s.welcome()))
					case len(events) == 0:
					case events[0].GetSequence() > s.committed+1:
						answers = append(answers, s.letter(&pialertv1.Receipt{Again: true}))
					default:
						s.committed = max(s.committed, events[len(events)-1].GetSequence())
						answers = append(answers, s.letter(ack(s.committed)))
					}
				}
				if !behaves {
					random.Shuffle(len(answers), func(i, j int) { answers[i], answers[j] = answers[j], answers[i] })
				}
				for _, answer := range answers {
					if behaves || random.IntN(3) > 0 {
						s.up.dispatch(answer)
					}
				}
				said = append(said, answers...)
				if !behaves && len(said) > 0 {
					s.up.dispatch(said[random.IntN(len(said))]) // once more
				}
				if behaves || random.IntN(2) == 0 {
					answers = nil
				}
				time.Sleep(time.Duration(random.IntN(20)) * time.Second)
				synctest.Wait()
				if s.spool.Acked > s.committed {
					s.t.Fatalf("seed %d: %d are committed, the spool forgets up to %d", seed, s.committed, s.spool.Acked)
				}
			}
			if s.committed < last || s.spool.Acked != s.committed {
				s.t.Errorf("seed %d: %d of %d are committed, the spool forgets up to %d", seed, s.committed, s.spool.Next-1, s.spool.Acked)
			}
		})
	}
}
