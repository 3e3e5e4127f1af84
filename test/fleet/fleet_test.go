package fleet

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pialert/pialert/packaging/demo/program"
)

// owned is a fleet as its owner sets it up: fleet init, Debian's nats-server, and a display there.
func owned(t *testing.T) (s *stage, broker *debian) {
	t.Helper()
	s = newStage(t, "nats://127.0.0.1:1", "")
	port := freePort(t)
	folder := filepath.Join(s.Dir, "nats")
	base := withoutLink(t, s.DisplayConfig)
	said, err := program.Run(s.ctx, s.Command(programs.Display, "fleet", "init", "--config", s.DisplayConfig,
		"--server", fmt.Sprintf("tls://127.0.0.1:%d", port), "--out", folder, "--folder", folder, "--store", filepath.Join(s.Dir, "store")))
	s.must(err)
	_ = said
	if err := os.WriteFile(s.DisplayConfig, []byte(base+linkOf(t, s, port)), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.AgentConfig, []byte(withoutLink(t, s.AgentConfig)), 0o644); err != nil {
		t.Fatal(err)
	}
	broker = &debian{config: filepath.Join(folder, "nats-server.conf")}
	broker.start(t)
	t.Cleanup(func() { broker.Kill() })
	return s, broker
}

// linkOf is what fleet init says to put into the display's configuration.
func linkOf(t *testing.T, s *stage, port int) string {
	t.Helper()
	again := exec.CommandContext(s.ctx, programs.Display, "fleet", "init", "--config", s.DisplayConfig,
		"--out", filepath.Join(s.Dir, "nats"), "--folder", filepath.Join(s.Dir, "nats"), "--store", filepath.Join(s.Dir, "store"))
	out, err := again.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	_, text, _ := strings.Cut(string(out), "\nlink:\n")
	text, _, _ = strings.Cut(text, "\n\n")
	if !strings.Contains(text, fmt.Sprint(port)) {
		t.Fatalf("fleet init says nothing of link:\n%s", out)
	}
	return "link:\n" + text + "\n"
}

func withoutLink(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var kept []string
	for _, line := range strings.Split(string(text), "\n") {
		if !strings.HasPrefix(line, "link:") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}

// An owner sets up Debian's nats-server with what fleet init writes, and brings a server in with the one
// line that fleet add prints.
func TestAnOwnerBeginsAFleet(t *testing.T) {
	s, broker := owned(t)
	s.startDisplay()
	line, err := s.Display(s.ctx, "fleet", "add", "web1")
	s.must(err)
	words := strings.Fields(line)
	if len(words) != 4 || strings.Join(words[:3], " ") != "sudo pialert-agent join" {
		t.Fatalf("fleet add printed %q", line)
	}
	if len(line) > 4095 {
		t.Errorf("the line has %d characters: no terminal takes it", len(line))
	}
	if _, err = s.Agent(s.ctx, "join", words[3]); err != nil {
		t.Fatalf("%v\nbroker:\n%s\ndisplay:\n%s", err, broker.Stderr, s.display.Stderr)
	}
	s.startAgent()
	s.attack(300)
	s.counted()

	status, err := s.Display(s.ctx, "fleet", "status", "--all")
	s.must(err)
	if !strings.Contains(status, "1 agents") || !strings.Contains(status, "web1") || !strings.Contains(status, "connected to tls://") {
		t.Errorf("fleet status says:\n%s", status)
	}
	// The line is good for one machine.
	text := withoutLink(t, s.AgentConfig)
	text, _, _ = strings.Cut(text, "\n# Added by")
	other := filepath.Join(s.Dir, "elsewhere", "agent.yaml")
	s.must(os.Mkdir(filepath.Dir(other), 0o755))
	s.must(os.WriteFile(other, []byte(strings.ReplaceAll(text, s.Dir+"/agent", s.Dir+"/other")), 0o644))
	said, err := program.Run(s.ctx, s.Command(programs.Agent, "join", words[3], "--config", other))
	if err == nil || !strings.Contains(err.Error(), "used by another machine") {
		t.Errorf("another machine uses the line again: %v\n%s", err, said)
	}
}
