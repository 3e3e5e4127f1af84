package fleet

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/pialert/pialert/packaging/demo/program"
)

// named has an agent and a display that do not run yet go by other names, and the display take those agents that
// the patterns say.
func (s *stage) named(agent, display, patterns string) {
	s.t.Helper()
	for path, change := range map[string][]string{
		s.AgentConfig:   {"name: " + program.AgentName + "\n", "name: " + agent + "\n"},
		s.DisplayConfig: {"name: " + program.DisplayName + "\n", "name: " + display + "\n", "nats: {servers", "nats: {agents: [" + patterns + "], servers"},
	} {
		text, err := os.ReadFile(path)
		s.must(err)
		s.must(os.WriteFile(path, []byte(strings.NewReplacer(change...).Replace(string(text))), 0o644))
	}
}

// joins pairs a stage's agent with another one's display.
func (s *stage) joins(other *stage) error {
	cross := *s.Pair
	cross.DisplayConfig = other.DisplayConfig
	return cross.Join(s.ctx)
}

// counts waits until a display counts so much.
func (s *stage) counts(want int) {
	s.t.Helper()
	s.must(program.Poll(s.ctx, func() error {
		status, err := s.DisplayStatus(s.ctx)
		if err == nil && status.Total != uint64(want) {
			err = fmt.Errorf("%d are counted, want %d", status.Total, want)
		}
		return err
	}))
}

// Two displays of one agent count all of it, also what came while either was away.
func TestTwoDisplaysCountAll(t *testing.T) {
	address := inProcess(t)
	one, other := newStage(t, address, ""), newStage(t, address, "")
	one.named("web-1", "desk", "")
	other.named("mail", "office", "")
	one.start()
	other.startDisplay()
	one.must(one.joins(other))
	one.attack(300)
	one.counts(300)
	other.counts(300)
	other.display.Kill()
	one.attack(250)
	one.counts(550)
	one.display.Kill()
	one.attack(50)
	other.startDisplay()
	other.counts(600)
	one.startDisplay()
	one.counted() // and the agent has forgotten all
}

// Two displays that split a fleet count what is theirs, and neither takes an agent of the other.
func TestTwoDisplaysSplitAFleet(t *testing.T) {
	address := inProcess(t)
	web, rest := newStage(t, address, ""), newStage(t, address, "")
	web.named("web-1", "desk", `"web-*"`)
	rest.named("mail", "office", "mail, db")
	web.start()
	rest.start()
	web.attack(300)
	rest.attack(200)
	web.counted()
	rest.counted()
	if err := web.joins(rest); err == nil || !strings.Contains(err.Error(), "takes agents named mail, db only") {
		t.Errorf("web-1 pairs with the display of the others: %v", err)
	}
	web.attack(10)
	web.counted()
	rest.counts(200)
}

// A second display of a fleet brings its own agents in, with a copy of the first one's authority. When it is gone for good,
// what waits for it at the broker is told, and cleared.
func TestASecondDisplayOfAFleet(t *testing.T) {
	s, _ := owned(t)
	s.startDisplay()
	s.joinFleet()
	s.attack(50)
	s.counted()

	other := newStage(t, "nats://127.0.0.1:1", "")
	other.named("mail", "office", "")
	s.must(os.Mkdir(filepath.Join(other.Dir, "display"), 0o700))
	s.must(exec.Command("cp", "-a", filepath.Join(s.Dir, "display", "fleet"), filepath.Join(other.Dir, "display")).Run())
	base := withoutLink(t, other.DisplayConfig)
	address, err := url.Parse(s.setting("servers"))
	s.must(err)
	port, err := strconv.Atoi(address.Port())
	s.must(err)
	s.must(os.WriteFile(other.DisplayConfig, []byte(base+linkOf(t, other, port)), 0o644))
	other.startDisplay()
	line, err := other.Display(s.ctx, "fleet", "add", "web1")
	s.must(err)
	_, err = s.Agent(s.ctx, "join", strings.Fields(line)[3])
	s.must(err)
	s.must(s.agent.Stop(s.ctx))
	s.startAgent() // with the credentials that the second one made
	s.attack(20)
	s.counted()
	other.counts(20)

	s.must(other.display.Stop(s.ctx))
	s.attack(500)
	s.counts(570)
	s.must(s.display.Stop(s.ctx))
	s.startDisplay() // which asks the broker what it keeps
	s.says(s.fleetStatus, "wait for display office; if it is gone: fleet forget ")
	if said, err := s.Display(s.ctx, "fleet", "forget", "desk"); err == nil || !strings.Contains(err.Error(), "that is this display") {
		t.Errorf("the display has forgotten what waits for itself: %s, %v", said, err)
	}
	said, err := s.Display(s.ctx, "fleet", "forget", "office")
	s.must(err)
	if ok, _ := regexp.MatchString(`^forgot \d+ messages for office\n$`, said); !ok {
		t.Errorf("fleet forget says %q", said)
	}
	if said, err := s.Display(s.ctx, "fleet", "forget", "office"); err == nil || !strings.Contains(err.Error(), "keeps nothing for a display office") {
		t.Errorf("again: %s, %v", said, err)
	}
	s.attack(5)
	s.counts(575)
	s.says(func() (string, error) { return s.Agent(s.ctx, "status") }, "no display has come there yet")
	other.startDisplay() // it was not gone: the agent has all of it still
	s.attack(10)         // whose numbers show that others are missing
	other.counts(535)
	s.counted()
}

// Nobody fills the stream with what no display will ever read: it takes events for those that have come to it, whatever
// an earlier version or another display had it take.
func TestOnlyEventsForDisplaysAreTaken(t *testing.T) {
	address := inProcess(t)
	s := newStage(t, address, "")
	s.start()
	s.attack(50)
	s.counted()
	owner := newOwner(t, address)
	strange := "pialert.v1.events.STRANGER.AGENT"
	refused := func() {
		t.Helper()
		if _, err := owner.Publish(s.ctx, strange, []byte("mine")); !errors.Is(err, jetstream.ErrNoStreamResponse) {
			t.Errorf("an event for a display that never came: %v", err)
		}
	}
	refused()
	take := func(subject string) {
		t.Helper()
		config := owner.stream(s.ctx, t).CachedInfo().Config
		config.Subjects = []string{subject}
		_, err := owner.UpdateStream(s.ctx, config)
		s.must(err)
	}
	s.must(s.display.Stop(s.ctx))
	take("pialert.v1.events.*.*") // as an earlier version's
	s.startDisplay()
	s.attack(50)
	s.counted()
	refused()
	take("pialert.v1.events.ANOTHER.*") // by a display that came at the same moment
	s.attack(50)
	s.counted()
	refused()
}
