package fleet

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/packaging/demo/program"
)

// rounds is how often a server of the cluster is killed or cut off, and the agent or the display killed with it.
var rounds = flag.Int("rounds", 3, "rounds of faults in the test of a cluster")

// A cluster of three as fleet init writes it goes on while any one of its servers is killed or cut off from all
// others, and the agent or the display is killed: nothing is lost, and nothing counted twice.
func TestACluster(t *testing.T) {
	net := newNetwork(t)
	s := newStage(t, "nats://127.0.0.1:1", "")
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(*rounds+1)*time.Minute)
	t.Cleanup(cancel)
	s.ctx = ctx
	port := freePort(t)
	folder := filepath.Join(s.Dir, "nats")
	base := withoutLink(t, s.DisplayConfig)
	init := []string{"fleet", "init", "--config", s.DisplayConfig, "--out", folder, "--folder", "PLACE", "--store", "STORE"}
	for _, host := range net.hosts {
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
	for _, host := range net.hosts {
		place := filepath.Join(folder, host)
		path := filepath.Join(place, "nats-server.conf")
		text, err := os.ReadFile(path)
		s.must(err)
		// The three share one file system here.
		changed := strings.NewReplacer("PLACE", place, "STORE", filepath.Join(place, "store")).Replace(string(text))
		s.must(os.WriteFile(path, []byte(changed), 0o640))
		server := &debian{config: path, netns: net.namespace(host)}
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
	random := rand.New(rand.NewPCG(1, uint64(os.Getpid())))
	faults := 0
	for round := range *rounds {
		if end, ok := t.Deadline(); ok && time.Until(end) < time.Minute {
			break // many rounds go on as long as -timeout lets them
		}
		s.attack(200)
		at := round % len(servers)
		cut := round%2 == 1
		if cut {
			net.cut(net.hosts[at])
		} else {
			servers[at].Kill()
		}
		faults++
		if random.IntN(2) == 0 {
			s.agent.Kill()
			s.attack(50)
			s.startAgent()
			faults++
		}
		if random.IntN(2) == 0 {
			s.display.Kill()
			s.attack(50)
			s.startDisplay()
			faults++
		}
		s.attack(50)
		s.counted() // two of three go on
		t.Logf("round %d: %d faults", round, faults)
		if cut {
			net.heal()
		} else {
			servers[at].start(t)
		}
	}
	s.attack(1)
	s.counted()
	t.Logf("%d faults in %d rounds: %d attempts, each counted once", faults, *rounds, s.written)
}
