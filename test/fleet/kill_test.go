package fleet

import (
	"strings"
	"testing"

	"github.com/pialert/pialert/packaging/demo/program"
)

// Agent, display and Debian's nats-server are killed in turn while attacks go on.
func TestKilledInTurn(t *testing.T) {
	for _, acknowledged := range []string{"shown", "stored"} {
		t.Run(acknowledged, func(t *testing.T) {
			broker := startDebian(t, "")
			s := newStage(t, broker.address, ", acknowledged: "+acknowledged)
			s.start()
			for range 3 {
				s.attack(400)
				s.agent.Kill()
				s.attack(100)
				s.startAgent()
				s.attack(400)
				s.display.Kill()
				s.attack(100)
				s.startDisplay()
				s.attack(400)
				broker.Kill()
				s.attack(100)
				broker.start(t)
			}
			s.attack(1)
			s.counted()
		})
	}
}

// A stream that is full leaves events with the agent, which says so.
func TestAFullStreamLeavesEventsInTheSpool(t *testing.T) {
	address := inProcess(t)
	s := newStage(t, address, "")
	s.start()
	s.attack(10)
	s.counted()
	s.must(s.display.Stop(s.ctx))
	boss := newOwner(t, address)
	config := boss.stream(s.ctx, t).CachedInfo().Config
	config.MaxMsgs = 3
	_, err := boss.UpdateStream(s.ctx, config)
	s.must(err)
	s.attack(1000)
	s.must(program.Poll(s.ctx, func() error {
		said, err := s.Agent(s.ctx, "status")
		if err == nil && !strings.Contains(said, "stream is full, so events wait here") {
			err = &notSaid{said}
		}
		return err
	}))
	config.MaxMsgs = -1
	_, err = boss.UpdateStream(s.ctx, config)
	s.must(err)
	s.startDisplay()
	s.counted()
}

type notSaid struct{ text string }

func (n *notSaid) Error() string { return "status says nothing of a full stream:\n" + n.text }
