package e2e

import (
	"strings"
	"testing"

	"github.com/pialert/pialert/packaging/demo/program"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/test/daemon"
)

// TestFire sends events by hand the whole way to the lights.
func TestFire(t *testing.T) {
	t.Parallel()
	_, logs := newLogbook(t)
	s := start(t, program.Settings{Logs: logs, Driver: "terminal"})
	fire := func(args ...string) {
		t.Helper()
		_, err := s.Agent(s.ctx, append([]string{"fire"}, args...)...)
		s.must(err)
	}
	fire("ssh_login", "--source-ip", "203.0.113.5", "--user", "cat", "--count", "3")
	s.must(s.display.Stdout.Await(s.ctx, func(text string) bool { return strings.Contains(text, "203.0.113.5") }))
	s.counted() // nothing

	fire("wordpress_login", "--count", "4", "--counted")
	if status, err := s.AgentStatus(s.ctx); err != nil || status.Spool.Next != 3 {
		t.Errorf("right after two were fired the next number is %d: %v", status.Spool.Next, err)
	}
	s.did([]daemon.Attempt{{Kind: attack.WordPressLogin, Count: 4}}, nil)
	s.counted()

	_, err := s.Agent(s.ctx, "fire", "ssh_logn")
	if err == nil || !strings.Contains(err.Error(), "did you mean ssh_login?") || !strings.Contains(err.Error(), "exit code 2") {
		t.Errorf("an unknown kind says: %v", err)
	}
}
