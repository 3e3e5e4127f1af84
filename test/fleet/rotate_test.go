package fleet

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/pialert/pialert/packaging/demo/program"
)

// An agent changes its key by the broker while attacks go on, with a display that was away first, and what waits there
// under the former key counts.
func TestAnAgentChangesItsKey(t *testing.T) {
	for _, acknowledged := range []string{"shown", "stored"} {
		t.Run(acknowledged, func(t *testing.T) {
			s := newStage(t, inProcess(t), ", acknowledged: "+acknowledged)
			s.start()
			s.attack(50)
			s.counted()
			former := s.agentsKey()
			s.must(s.display.Stop(s.ctx))
			s.attack(250)
			_, err := s.Agent(s.ctx, "rotate-key")
			s.must(err)
			s.attack(250)
			s.startDisplay()
			s.must(program.Poll(s.ctx, func() error {
				s.attack(1)
				if s.agentsKey() == former {
					return fmt.Errorf("the agent's key does not change")
				}
				return nil
			}))
			s.counted()
			s.agent.Kill()
			s.startAgent() // where no credentials say who it is, its subjects are others now
			s.attack(250)
			s.counted()
			if _, err := s.Display(s.ctx, "rotate-key"); err == nil {
				t.Error("a display's key changes by a broker")
			}
		})
	}
}

// agentsKey is the key by which the display knows the agent for good.
func (s *stage) agentsKey() string {
	s.t.Helper()
	said, err := s.Display(s.ctx, "peers", "--format", "json")
	s.must(err)
	var known struct{ Peers []struct{ Key string } }
	s.must(json.Unmarshal([]byte(said), &known))
	if len(known.Peers) != 1 {
		s.t.Fatalf("the display is paired with %s", said)
	}
	return known.Peers[0].Key
}
