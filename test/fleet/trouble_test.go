package fleet

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/pialert/pialert/packaging/demo/program"
)

// join brings the agent in with the line that fleet add prints, and starts it.
func (s *stage) joinFleet() {
	s.t.Helper()
	line, err := s.Display(s.ctx, "fleet", "add", "web1")
	s.must(err)
	_, err = s.Agent(s.ctx, "join", strings.Fields(line)[3])
	s.must(err)
	s.startAgent()
}

// says waits until a program's status says something.
func (s *stage) says(status func() (string, error), wanted ...string) {
	s.t.Helper()
	s.must(program.Poll(s.ctx, func() error {
		said, err := status()
		for _, one := range wanted {
			if err == nil && !strings.Contains(said, one) {
				err = fmt.Errorf("status says nothing of %q:\n%s", one, said)
			}
		}
		return err
	}))
}

func (s *stage) agentStatus() (string, error)   { return s.Agent(s.ctx, "status") }
func (s *stage) displayStatus() (string, error) { return s.Display(s.ctx, "status") }
func (s *stage) fleetStatus() (string, error)   { return s.Display(s.ctx, "fleet", "status") }

// An agent whose credentials were revoked says so and keeps its events. Once the servers take it again it goes on by
// itself, however often it was refused.
func TestRevokedCredentialsThatAreGivenBack(t *testing.T) {
	s, broker := owned(t)
	s.startDisplay()
	s.joinFleet()
	s.attack(50)
	s.counted()
	before, err := os.ReadFile(broker.config)
	s.must(err)
	_, err = s.Display(s.ctx, "fleet", "remove", "web1")
	s.must(err)
	folder := filepath.Dir(broker.config)
	_, err = s.Display(s.ctx, "fleet", "init", "--out", folder, "--folder", folder, "--store", filepath.Join(s.Dir, "store"))
	s.must(err)
	s.must(broker.Signal(syscall.SIGHUP))
	s.attack(50)
	s.says(s.agentStatus, "the server refuses the credentials in", "nats.creds", "fleet add")
	s.must(program.Poll(s.ctx, func() error {
		if n := strings.Count(broker.Stderr.String(), "authentication error"); n < 3 {
			return fmt.Errorf("it tried %d times", n)
		}
		return nil
	}))
	s.must(os.WriteFile(broker.config, before, 0o644))
	s.must(broker.Signal(syscall.SIGHUP))
	s.counted()
}

// Where the certificate of the servers is signed by another authority than the file says, both ends say which file,
// nothing is lost, and the right file counts without a restart.
func TestAnotherAuthority(t *testing.T) {
	s, broker := owned(t)
	s.startDisplay()
	s.joinFleet()
	s.attack(50)
	s.counted()
	config := filepath.Join(s.Dir, "stranger.yaml")
	s.must(os.WriteFile(config, fmt.Appendf(nil, "name: stranger\nstate: %[1]s/stranger\ncontrol: %[1]s/stranger.sock\n", s.Dir), 0o644))
	strange := filepath.Join(s.Dir, "strange")
	_, err := program.Run(s.ctx, s.Command(programs.Display, "fleet", "init", "--config", config, "--server", "tls://127.0.0.1:1", "--out", strange))
	s.must(err)
	wrong, err := os.ReadFile(filepath.Join(strange, "ca.pem"))
	s.must(err)
	for _, end := range []struct {
		file   string
		status []func() (string, error)
	}{
		{filepath.Join(s.Dir, "nats-ca.pem"), []func() (string, error){s.agentStatus}},
		{filepath.Join(s.Dir, "display", "fleet", "ca.pem"), []func() (string, error){s.displayStatus, s.fleetStatus}},
	} {
		right, err := os.ReadFile(end.file)
		s.must(err)
		s.must(os.WriteFile(end.file, wrong, 0o644))
		broker.Kill()
		broker.start(t)
		s.attack(50)
		for _, status := range end.status {
			s.says(status, "certificate signed by unknown authority", "link.nats.ca ("+end.file+")")
		}
		s.must(os.WriteFile(end.file, right, 0o644))
		s.counted()
	}
}

// What fleet init is told when it runs again holds from then on, and the stream, which is there already, is given as much.
func TestMoreRoom(t *testing.T) {
	s, broker := owned(t)
	config, err := os.ReadFile(s.DisplayConfig)
	s.must(err)
	s.startDisplay()
	s.joinFleet()
	s.attack(50)
	s.counted()
	folder := filepath.Dir(broker.config)
	again := func(more ...string) (string, error) {
		t.Helper()
		command := s.Command(programs.Display, append([]string{"fleet", "init", "--config", s.DisplayConfig, "--out", folder, "--folder", folder, "--store", filepath.Join(s.Dir, "store")}, more...)...)
		said, err := command.CombinedOutput()
		return string(said), err
	}
	if said, err := again("--max-bytes", "2GiB", "--sync-always"); err != nil || !strings.Contains(said, "at most 2GiB, and syncs what it acknowledges at once") || !strings.Contains(said, "    max_bytes: 2GiB\n") {
		t.Errorf("fleet init says\n%s, %v", said, err)
	}
	if said, err := again("--sync-always=false"); err != nil || !strings.Contains(said, "at most 2GiB, and syncs what it acknowledges every two minutes") {
		t.Errorf("fleet init forgets what it was told before:\n%s, %v", said, err)
	}
	if said, err := again("--max-bytes", "20MiB"); err == nil || !strings.Contains(said, "link.nats.max_bytes") {
		t.Errorf("the servers' room shrinks: %v\n%s", err, said)
	}
	broker.Kill()
	broker.start(t)
	for _, room := range []string{"2GiB", "20MiB"} { // more than the stream has, and less
		s.must(s.display.Stop(s.ctx))
		s.attack(50)
		s.must(os.WriteFile(s.DisplayConfig, append(config, "    max_bytes: "+room+"\n"...), 0o644))
		s.startDisplay()
		s.attack(50)
		s.counted()
		if said := s.display.Stderr.String(); !strings.Contains(said, "the stream holds another number of bytes now") {
			t.Errorf("the stream stays as it is:\n%s", said)
		}
	}
}
