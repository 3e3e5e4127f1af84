package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/pialert/pialert/packaging/demo/program"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/test/daemon"
)

// logbook is a log that a test writes by itself, as sshd behind rsyslog does.
type logbook struct {
	t    testing.TB
	path string
	n    int
}

// newLogbook makes an empty log and returns it with the agent's settings for it.
func newLogbook(t testing.TB) (*logbook, []string) {
	t.Helper()
	l := &logbook{t: t, path: filepath.Join(t.TempDir(), "auth.log")}
	l.write("")
	return l, []string{fmt.Sprintf("{path: %q, start: beginning}", l.path)}
}

func (l *logbook) write(text string) {
	l.t.Helper()
	file, err := os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = file.WriteString(text)
		file.Close()
	}
	if err != nil {
		l.t.Fatal(err)
	}
}

// attempts writes n attempts, each of a connection and user of its own.
func (l *logbook) attempts(n int) ([]daemon.Attempt, error) {
	var text bytes.Buffer
	for range n {
		l.n++
		fmt.Fprintf(&text, "Nov 20 13:12:16 vps sshd[%d]: Failed password for invalid user u%d from %s port %d ssh2\n",
			l.n+1000, l.n, mallory, 1024+l.n%60000)
	}
	l.write(text.String())
	return []daemon.Attempt{{Kind: attack.SSHLogin, Source: mallory, Count: uint64(n)}}, nil
}

func (l *logbook) attempt() ([]daemon.Attempt, error) { return l.attempts(1) }

// TestDisplayAway has attacks counted that were made while there was no display.
func TestDisplayAway(t *testing.T) {
	t.Parallel()
	log, logs := newLogbook(t)
	s := start(t, program.Settings{Logs: logs})
	s.did(log.attempts(3))
	s.counted()
	s.must(s.display.Stop(s.ctx))
	s.did(log.attempts(500))
	s.must(program.Poll(s.ctx, func() error {
		status, err := s.AgentStatus(s.ctx)
		if err == nil && status.Found() < 503 {
			err = fmt.Errorf("the agent found %d", status.Found())
		}
		return err
	}))
	s.startDisplay()
	s.exact(log.attempt)
}

// TestStreamCut cuts the connection again and again, wherever in a message.
func TestStreamCut(t *testing.T) {
	t.Parallel()
	for _, dial := range []string{"display", "agent"} {
		t.Run("dialled by the "+dial, func(t *testing.T) {
			t.Parallel()
			log, logs := newLogbook(t)
			cut := newCutter(t)
			s := layOut(t, program.Settings{Logs: logs, Dial: dial, Address: cut.address()})
			cut.target.Store(s.Listen)
			s.startAgent()
			s.startDisplay()
			s.must(s.Join(s.ctx))
			s.did(log.attempts(10))
			s.counted()

			cut.limit.Store(30_000) // less than what follows needs each time
			cut.cutNow()
			for n := range int64(6) {
				s.did(log.attempts(1000))
				s.must(program.Poll(s.ctx, func() error {
					if cut.cuts.Load() <= n {
						return fmt.Errorf("there were only %d cuts", n)
					}
					return nil
				}))
			}
			cut.limit.Store(0)
			cut.cutNow()
			s.exact(log.attempt)
		})
	}
}

// TestHostileLines follows a log with lines that no daemon should write.
func TestHostileLines(t *testing.T) {
	t.Parallel()
	log, logs := newLogbook(t)
	s := start(t, program.Settings{Logs: logs})
	for _, text := range []string{
		strings.Repeat("a", 1<<20) + "\n",
		"Nov 20 13:12:16 vps sshd[7]: " + strings.Repeat("\x00", 4096) + "\n",
		"\xff\xfe\xfd\n\n\r\n \n",
		"Nov 20 13:12:16 vps sshd[8]: Failed password for invalid user " + strings.Repeat("z", 1<<20) +
			" from 9.9.9.9 port 22 ssh2\n",
	} {
		s.did(log.attempts(2))
		log.write(text)
	}
	s.did(log.attempt())
	// Names may hold any byte but a line break.
	log.write("Nov 20 13:12:16 vps sshd[9]: Failed password for invalid user \x00\xff\x1b[31m from 203.0.113.66 port 22 ssh2\n")
	s.did([]daemon.Attempt{{Kind: attack.SSHLogin, Count: 1}}, nil)
	// A line is one when it ends.
	log.write("Nov 20 13:12:16 vps sshd[10]: Failed password for root fr")
	s.counted()
	log.write("om 203.0.113.66 port 22 ssh2\n")
	s.did([]daemon.Attempt{{Kind: attack.SSHLogin, Count: 1}}, nil)
	s.exact(log.attempt)
}

// TestUnreadableLog has an agent that is no root wait for a log that it may not read.
func TestUnreadableLog(t *testing.T) {
	t.Parallel()
	log, _ := newLogbook(t)
	// Every folder above must be open to the agent's user, which those of t.TempDir are not.
	s := layOut(t, program.Settings{Logs: []string{`{path: LOG, start: beginning}`}})
	log.path = filepath.Join(s.Dir, "auth.log")
	config, err := os.ReadFile(s.AgentConfig)
	s.must(err)
	s.must(os.WriteFile(s.AgentConfig, bytes.ReplaceAll(config, []byte("LOG"), []byte(log.path)), 0o644))
	s.did(log.attempts(5))
	s.must(os.Chmod(log.path, 0o600))
	s.must(os.Chmod(s.Dir, 0o777))

	const nobody = 65534
	s.Command = func(path string, args ...string) *exec.Cmd {
		cmd := exec.Command(path, args...)
		if path == programs.Agent {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		}
		return cmd
	}
	s.startAgent()
	s.startDisplay()
	s.must(s.Join(s.ctx))
	s.must(s.agent.Stderr.Await(s.ctx, func(text string) bool {
		return strings.Contains(text, log.path) && strings.Contains(text, "permission denied") && strings.Contains(text, "group adm")
	}))
	s.must(os.Chmod(log.path, 0o644))
	s.exact(log.attempt)
}

// TestPortsTaken lets another program have the ports that both programs can do without: they count on, and say so.
func TestPortsTaken(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	log, logs := newLogbook(t)
	s := layOut(t, program.Settings{Logs: logs, AgentMetrics: taken.Addr().String(), DisplayMetrics: taken.Addr().String()})
	config, err := os.ReadFile(s.DisplayConfig)
	s.must(err)
	s.must(os.WriteFile(s.DisplayConfig, bytes.ReplaceAll(config, []byte(`web: {listen: ""}`), fmt.Appendf(nil, "web: {listen: %q}", taken.Addr())), 0o644))
	s.did(log.attempts(5))
	s.startAgent()
	s.startDisplay()
	s.must(s.Join(s.ctx))
	s.exact(log.attempt)
	for _, want := range []struct {
		of   *program.Process
		says string
	}{{s.agent, "cannot serve metrics at "}, {s.display, "cannot serve metrics at "}, {s.display, "cannot serve the page at "}} {
		s.must(want.of.Stderr.Await(s.ctx, func(text string) bool { return strings.Contains(text, want.says+taken.Addr().String()) }))
	}
	status, err := s.DisplayStatus(s.ctx)
	s.must(err)
	if len(status.Problems) != 2 {
		t.Errorf("the display's problems are %q", status.Problems)
	}
}

// TestRefusals starts what cannot start: it ends at once, with the right exit code, and says
// what is wrong and what to do.
func TestRefusals(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	takenLink := fmt.Sprintf("link: {dial: %%s, listen: %q}\n", taken.Addr())

	for _, test := range []struct {
		name    string
		agent   string // the agent's configuration, if not empty
		display string // the display's
		args    []string
		code    int
		says    []string
	}{
		{"agent with an unknown key", "nmae: vps\n", "", nil, 1, []string{"agent.yaml", "1:1", "nmae"}},
		{"agent with a wrong type", "flood:\n  max_requests: many\n", "", nil, 1, []string{"agent.yaml", "2:17"}},
		{"agent with a comment in a value", "flood: {max_requests: 600# a minute}\n", "", nil, 1, []string{"agent.yaml", "1:"}},
		{"agent whose port is taken", fmt.Sprintf(takenLink, "display"), "", nil, 1,
			[]string{taken.Addr().String(), "another program uses this port"}},
		{"display with an unknown key", "", "lamp: []\n", nil, 1, []string{"display.yaml", "1:1", "lamp"}},
		{"display whose port is taken", "", "driver: none\n" + fmt.Sprintf(takenLink, "agent"), nil, 1,
			[]string{taken.Addr().String(), "another program uses this port"}},
		{"display with an unknown driver", "", "driver: none\n", []string{"--driver", "paper"}, 1, []string{"paper", "blinkt", "terminal", "none"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			path, name, text := programs.Agent, "agent.yaml", test.agent
			if test.display != "" {
				path, name, text = programs.Display, "display.yaml", test.display+"web: {listen: \"\"}\n"
			}
			dir := t.TempDir()
			config := filepath.Join(dir, name)
			text += fmt.Sprintf("state: %s\ncontrol: %[1]s/c.sock\nmetrics: \"\"\n", dir)
			if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			p, err := program.Start(exec.Command(path, append([]string{"run", "--config", config}, test.args...)...))
			if err != nil {
				t.Fatal(err)
			}
			defer p.Kill()
			code, err := p.Wait(ctx)
			if err != nil {
				t.Fatalf("%v\n%s", err, p.Stderr)
			}
			said := p.Stderr.String()
			if code != test.code || !strings.Contains(said, "error: ") {
				t.Errorf("exit code %d, want %d, and an error:\n%s", code, test.code, said)
			}
			for _, want := range test.says {
				if !strings.Contains(said, want) {
					t.Errorf("it does not say %q:\n%s", want, said)
				}
			}
		})
	}
}

// TestTwice starts each program a second time beside itself.
func TestTwice(t *testing.T) {
	t.Parallel()
	_, logs := newLogbook(t)
	s := start(t, program.Settings{Logs: logs})
	for name, again := range map[string]func(...string) (*program.Process, error){"agent": s.StartAgent, "display": s.StartDisplay} {
		p, err := again()
		s.must(err)
		defer p.Kill()
		code, err := p.Wait(s.ctx)
		s.must(err)
		if said := p.Stderr.String(); code != 1 || !strings.Contains(said, "other process") && !strings.Contains(said, "another agent") {
			t.Errorf("a second %s ends with %d and says:\n%s", name, code, said)
		}
	}
}
