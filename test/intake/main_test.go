package intake

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/packaging/demo/program"
	"github.com/pialert/pialert/test/daemon"
	"github.com/pialert/pialert/test/suite"
)

// timeout is how long a test waits for what should take milliseconds, on a machine that is busy with others.
const timeout = time.Minute

// programs are what TestMain built.
var programs program.Binaries

func TestMain(m *testing.M) { suite.MainWith(m, &programs) }

// server is a machine with an agent.
type server struct {
	*daemon.Machine
	t      *testing.T
	ctx    context.Context
	dir    string // of the agent's files, and the test's
	config string
	agent  *program.Process
	inside bool     // the agent runs on the machine: it cannot be killed then
	before []string // a command that starts the agent with open sockets, once something comes
	opened func()   // is called when they are open, and sends something
}

// boot starts a machine, and an agent of a configuration, in which LOGS stands for the machine's /var/log. The
// agent itself runs outside, where it can be killed.
func boot(t *testing.T, config string) *server {
	t.Helper()
	return bootWith(t, config, false, func(*server) {})
}

// bootInside does the same with the agent on the machine, in its network, after something was prepared.
func bootInside(t *testing.T, config string, prepare func(*server)) *server {
	t.Helper()
	return bootWith(t, config, true, prepare)
}

func bootWith(t *testing.T, config string, inside bool, prepare func(*server)) *server {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	s := &server{t: t, ctx: ctx, inside: inside}
	var err error
	if s.dir, err = os.MkdirTemp("", "intake"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(s.dir) })
	s.must(os.Mkdir(s.path("machine"), 0o755))
	if s.Machine, err = daemon.Boot(s.path("machine")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	s.config = s.path("agent.yaml")
	s.must(os.WriteFile(s.config, fmt.Appendf(nil, `name: web1
state: %[1]s/state
control: %[1]s/agent.sock
metrics: ""
rules: %[1]s/rules.d
link: {dial: agent, relay: ""}
ignore_self: false
responses: {mode: "off"}
report: {socket: %[1]s/report.sock, group: ""}
%[2]s`, s.dir, strings.NewReplacer("LOGS", filepath.Dir(s.Log("auth.log")), "DIR", s.dir).Replace(config)), 0o644))
	prepare(s)
	s.start()
	return s
}

func (s *server) path(name string) string { return filepath.Join(s.dir, name) }

func (s *server) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// start starts the agent, and waits until it answers.
func (s *server) start() {
	s.t.Helper()
	command := exec.Command(programs.Agent, "run", "--config", s.config)
	if s.inside {
		command = s.Program(programs.Agent, "run", "--config", s.config)
	}
	if s.before != nil {
		command = exec.Command(s.before[0], append(s.before[1:], command.Args...)...)
	}
	p, err := program.Start(command)
	s.must(err)
	s.agent = p
	s.t.Cleanup(func() {
		p.Kill()
		if s.t.Failed() {
			s.t.Logf("the agent wrote:\n%s", p.Stderr)
		}
	})
	if s.before != nil {
		s.must(p.Stderr.Await(s.ctx, func(text string) bool { return strings.Contains(text, "Listening on") }))
		s.opened()
	}
	s.poll(func() error {
		_, err := s.status()
		return err
	})
}

// poll asks until it is so, and gives up after timeout.
func (s *server) poll(is func() error) {
	s.t.Helper()
	s.pollFor(timeout, is)
}

// pollFor gives up later.
func (s *server) pollFor(timeout time.Duration, is func() error) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, timeout)
	defer cancel()
	s.must(program.Poll(ctx, is))
}

// status is what the tests ask of the agent's.
type status struct {
	Kinds   map[string]uint64 `json:"kinds"`
	Hosts   map[string]uint64 `json:"hosts"`
	Sources []struct {
		Source  string `json:"source"`
		State   string `json:"state"`
		Lines   uint64 `json:"lines"`
		Network *struct {
			Senders, Connections                                      int
			Refused, Unparsed, Truncated, Empty, Dropped, Interrupted uint64
			Buffer                                                    int
		} `json:"network"`
	} `json:"sources"`
	Spool struct {
		Next  uint64 `json:"next_sequence"`
		Fault string `json:"fault"`
	} `json:"spool"`
}

func (s *server) status() (found status, err error) {
	out, err := program.Run(s.ctx, exec.Command(programs.Agent, "status", "--format", "json", "--config", s.config))
	if err == nil {
		err = json.Unmarshal([]byte(out), &found)
	}
	return found, err
}
