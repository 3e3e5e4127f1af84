package fleet

import (
	"fmt"
	"os"
	"strings"
	"testing"

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
