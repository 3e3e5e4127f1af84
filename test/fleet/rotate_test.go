package fleet

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

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

// A display whose key was stolen begins anew with another authority, as docs/fleet.md says: what the thief has lets nobody
// in, and all that was attempted is counted once.
func TestADisplayBeginsAnew(t *testing.T) {
	s, broker := owned(t)
	s.startDisplay()
	s.joinFleet()
	s.attack(50)
	s.counted()
	state := filepath.Join(s.Dir, "display")
	stolen := filepath.Join(s.Dir, "stolen")
	s.must(os.Rename(filepath.Join(state, "fleet"), stolen))
	s.must(s.display.Stop(s.ctx))
	s.attack(30)
	for _, name := range []string{"identity.key", "peers.json"} {
		s.must(os.Remove(filepath.Join(state, name)))
	}
	folder := filepath.Dir(broker.config)
	_, err := s.Display(s.ctx, "fleet", "init", "--server", s.setting("servers"), "--out", folder, "--folder", folder, "--store", filepath.Join(s.Dir, "store"))
	s.must(err)
	broker.Kill()
	broker.start(t)
	s.startDisplay()
	line, err := s.Display(s.ctx, "fleet", "add", "web1")
	s.must(err)
	_, err = s.Agent(s.ctx, "unpair", program.DisplayName)
	s.must(err)
	_, err = s.Agent(s.ctx, "join", strings.Fields(line)[3])
	s.must(err)
	s.must(s.agent.Stop(s.ctx))
	s.startAgent()
	s.attack(20)
	s.counted()
	for _, credentials := range []string{"display.creds", "system.creds"} {
		conn, err := nats.Connect(s.setting("servers"), nats.UserCredentials(filepath.Join(stolen, credentials)), nats.RootCAs(s.setting("ca")))
		if !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("with the stolen %s: %v", credentials, err)
		}
		if conn != nil {
			conn.Close()
		}
	}
}
