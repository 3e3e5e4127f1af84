package fleet

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/packaging/demo/program"
)

// faults is how often one of the three servers is killed, in turn, and now and then the agent or the display
// with it.
var faults = flag.Int("faults", 3, "rounds of kills in the test of a cluster")

// A cluster of three as fleet init writes it goes on while any one of its servers, the agent or the display
// is killed: nothing is lost, and nothing counted twice.
func TestACluster(t *testing.T) {
	s := newStage(t, "nats://127.0.0.1:1", "")
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(*faults+1)*time.Minute)
	t.Cleanup(cancel)
	s.ctx = ctx
	port := freePort(t)
	folder := filepath.Join(s.Dir, "nats")
	base := withoutLink(t, s.DisplayConfig)
	hosts := []string{"127.0.0.1", "127.0.0.2", "127.0.0.3"}
	init := []string{"fleet", "init", "--config", s.DisplayConfig, "--out", folder, "--folder", "PLACE", "--store", "STORE"}
	for _, host := range hosts {
		init = append(init, "--server", fmt.Sprintf("tls://%s:%d", host, port))
	}
	said, err := program.Start(s.Command(programs.Display, init...))
	s.must(err)
	_, err = said.Wait(s.ctx)
	s.must(err)
	_, link, _ := strings.Cut(said.Stderr.String(), "\nlink:\n")
	link, _, _ = strings.Cut(link, "\n\n")
	s.must(os.WriteFile(s.DisplayConfig, []byte(base+"link:\n"+link+"\n"), 0o644))
	s.must(os.WriteFile(s.AgentConfig, []byte(withoutLink(t, s.AgentConfig)), 0o644))

	var servers []*debian
	for _, host := range hosts {
		place := filepath.Join(folder, host)
		path := filepath.Join(place, "nats-server.conf")
		text, err := os.ReadFile(path)
		s.must(err)
		// The three are on one machine here.
		changed := strings.NewReplacer("PLACE", place, "STORE", filepath.Join(place, "store"), "0.0.0.0", host).Replace(string(text))
		s.must(os.WriteFile(path, []byte(changed), 0o640))
		server := &debian{config: path}
		server.start(t)
		t.Cleanup(func() {
			server.Kill()
			if t.Failed() {
				t.Logf("the server at %s wrote:\n%s", host, server.Stderr)
			}
		})
		servers = append(servers, server)
	}

	s.startDisplay()
	line, err := s.Display(s.ctx, "fleet", "add", "web1")
	s.must(err)
	_, err = s.Agent(s.ctx, "join", strings.Fields(line)[3])
	s.must(err)
	s.startAgent()
	s.attack(1)
	s.counted() // the stream is on three servers
	for fault := range *faults {
		s.attack(200)
		if fault%5 == 3 {
			s.agent.Kill()
			s.attack(50)
			s.startAgent()
		}
		if fault%5 == 4 {
			s.display.Kill()
			s.attack(50)
			s.startDisplay()
		}
		server := servers[fault%len(servers)]
		server.Kill()
		s.attack(50)
		s.counted() // two of three go on
		server.start(t)
	}
	s.attack(1)
	s.counted()
}
