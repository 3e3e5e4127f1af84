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

var (
	// faults is how often something of a cluster is killed or cut off.
	faults = flag.Int("faults", 12, "faults in the test of a cluster")
	// acknowledged is whose word the agent of a cluster forgets at.
	acknowledged = flag.String("acknowledged", "shown", "link.nats.acknowledged in the test of a cluster")
)

const (
	// step is between two moments at which attacks are written, and something may break.
	step = 50 * time.Millisecond
	// A fault comes so many steps after the one before.
	leastSteps, mostSteps = 4, 40
	// checkEvery is after how many faults everything must be counted.
	checkEvery = 25
)

// A cluster of three as fleet init writes it, an agent and a display: while attacks go on, the server that leads is
// killed, any one is cut off from all others, agent and display are killed, and before any of them has
// come to rest the next one is. Nothing is lost, and nothing counted twice.
func TestACluster(t *testing.T) {
	c := newCluster(t)
	c.attack(1)
	c.counted() // the stream is on three servers
	seed := uint64(os.Getpid())
	c.random = rand.New(rand.NewPCG(1, seed))
	var at int
	tick := time.NewTicker(step)
	defer tick.Stop()
	for n, next := 0, leastSteps; n < *faults; at++ {
		<-tick.C
		c.attack(3)
		if c.away != nil && c.random.IntN(mostSteps) == 0 {
			c.comeBack()
		}
		if at < next {
			continue
		}
		c.fault()
		n, next = n+1, at+leastSteps+c.random.IntN(mostSteps-leastSteps)
		if n%checkEvery == 0 || n == *faults {
			c.check(n)
		}
	}
	t.Logf("%d faults: %s; %d attempts, each counted once", *faults, c.told(), c.written)
}

// cluster is a stage at three servers, one of which may be away.
type cluster struct {
	*stage
	net     *network
	servers []*debian
	random  *rand.Rand
	away    func() // brings back the server that is away; nil if none is
	done    [len(faultNames)]int
}

// Kinds of faults.
const (
	leaderKilled = iota
	serverCutOff
	agentKilled
	displayKilled
)

var faultNames = [...]string{"the leading server killed", "a server cut off", "the agent killed", "the display killed"}

// fault lets something break.
func (c *cluster) fault() {
	c.t.Helper()
	kind := c.random.IntN(len(c.done))
	c.done[kind]++
	switch kind {
	case leaderKilled:
		c.comeBack()
		server := c.leader()
		server.Kill()
		c.away = func() { server.start(c.t) }
	case serverCutOff:
		c.comeBack()
		c.net.cut(c.net.hosts[c.random.IntN(len(c.net.hosts))])
		c.away = c.net.heal
	case agentKilled:
		c.agent.Kill()
		c.attack(20)
		c.startAgent()
	case displayKilled:
		c.display.Kill()
		c.attack(20)
		c.startDisplay()
	}
}

// comeBack starts the server that was killed, or connects the one that was cut off.
func (c *cluster) comeBack() {
	if c.away != nil {
		c.away()
		c.away = nil
	}
}

// leader returns the server that leads the stream, by what those that run have written: each says so when it is
// elected.
func (c *cluster) leader() *debian {
	leads, last := c.servers[c.random.IntN(len(c.servers))], ""
	for _, server := range c.servers {
		for line := range strings.Lines(server.Stderr.String()) {
			// [26] 2026/11/21 14:53:42.263190 [INF] JetStream cluster new stream leader for 'A... > pialert'
			_, line, _ = strings.Cut(line, "] ")
			if when, what, _ := strings.Cut(line, " ["); strings.Contains(what, "new stream leader for") && when > last {
				leads, last = server, when
			}
		}
	}
	return leads
}

// check waits until all that was written is counted, with one server away if one is.
func (c *cluster) check(n int) {
	c.t.Helper()
	began := time.Now()
	var before uint64
	c.must(program.Poll(c.ctx, func() error {
		status, err := c.DisplayStatus(c.ctx)
		before = status.Total
		return err
	}))
	c.counted()
	c.t.Logf("%d faults: %d of %d attempts were counted at the last one, and all %.0f s later", n, before, c.written, time.Since(began).Seconds())
}

// told says how many faults there were of each kind.
func (c *cluster) told() string {
	var parts []string
	for kind, n := range c.done {
		parts = append(parts, fmt.Sprintf("%s %d times", faultNames[kind], n))
	}
	return strings.Join(parts, ", ")
}

// newCluster sets up a cluster with fleet init, each server of which is on a machine of its own, and brings an agent in.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	net := newNetwork(t)
	s := newStage(t, "nats://127.0.0.1:1", "")
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(*faults/4+3)*time.Minute)
	t.Cleanup(cancel)
	s.ctx = ctx
	port := freePort(t)
	folder := filepath.Join(s.Dir, "nats")
	base := withoutLink(t, s.DisplayConfig)
	initialize := []string{"fleet", "init", "--config", s.DisplayConfig, "--out", folder, "--folder", "PLACE", "--store", "STORE"}
	for _, host := range net.hosts {
		initialize = append(initialize, "--server", fmt.Sprintf("tls://%s:%d", host, port))
	}
	said, err := program.Start(s.Command(programs.Display, initialize...))
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
	text, err := os.ReadFile(s.AgentConfig)
	s.must(err)
	s.must(os.WriteFile(s.AgentConfig, fmt.Appendf(text, "    acknowledged: %s\n", *acknowledged), 0o644))
	s.startAgent()
	return &cluster{stage: s, net: net, servers: servers}
}
