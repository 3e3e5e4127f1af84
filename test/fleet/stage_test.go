package fleet

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/packaging/demo/program"
	"github.com/pialert/pialert/test/suite"
)

var programs program.Binaries

func TestMain(m *testing.M) { suite.MainWith(m, &programs) }

// timeout is how long a test waits for what must happen before it fails.
const timeout = 2 * time.Minute

// stage is an agent and a display at a broker.
type stage struct {
	*program.Pair
	t              *testing.T
	ctx            context.Context
	agent, display *program.Process
	written        int
}

// newStage lays out an agent and a display at a broker, of which nothing runs yet. More is put into the
// agent's link.nats.
func newStage(t *testing.T, address, more string) *stage {
	t.Helper()
	dir, err := os.MkdirTemp("", "fleet") // t.TempDir's paths are too long for Unix sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	pair, err := program.LayOut(dir, programs, program.Settings{
		Dial: "nats", Logs: []string{fmt.Sprintf("{path: %q, start: beginning}", filepath.Join(dir, "auth.log"))},
		AgentNATS: fmt.Sprintf("{servers: [%q]%s}", address, more), DisplayNATS: fmt.Sprintf("{servers: [%q]}", address),
		Display: "history: {interval: 10ms}\n",
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	t.Cleanup(cancel)
	return &stage{Pair: pair, t: t, ctx: ctx}
}

func (s *stage) must(err error) {
	s.t.Helper()
	if err != nil {
		for name, process := range map[string]*program.Process{"agent": s.agent, "display": s.display} {
			if process != nil {
				s.t.Logf("%s:\n%s", name, process.Stderr)
			}
		}
		s.t.Fatal(err)
	}
}

func (s *stage) startAgent() {
	s.t.Helper()
	var err error
	s.agent, err = s.StartAgent()
	s.must(err)
	agent := s.agent
	s.t.Cleanup(agent.Kill)
}

func (s *stage) startDisplay() {
	s.t.Helper()
	var err error
	s.display, err = s.StartDisplay()
	s.must(err)
	display := s.display
	s.t.Cleanup(display.Kill)
}

// start starts both and pairs them.
func (s *stage) start() {
	s.t.Helper()
	s.startAgent()
	s.startDisplay()
	s.must(s.Join(s.ctx))
}

// attack writes n failed logins, each of another user.
func (s *stage) attack(n int) {
	s.t.Helper()
	file, err := os.OpenFile(filepath.Join(s.Dir, "auth.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	s.must(err)
	defer file.Close()
	var text strings.Builder
	stamp := time.Now().Format("2006-01-02T15:04:05.000000-07:00")
	for range n {
		s.written++
		fmt.Fprintf(&text, "%s vps sshd[%d]: Failed password for invalid user u%d from 203.0.113.%d port %d ssh2\n",
			stamp, 1000+s.written%30000, s.written, 1+s.written%250, 1024+s.written%60000)
	}
	_, err = file.WriteString(text.String())
	s.must(err)
}

// counted waits until the display counts all that was written, and the agent has heard so.
func (s *stage) counted() {
	s.t.Helper()
	s.must(program.Poll(s.ctx, func() error {
		display, err := s.DisplayStatus(s.ctx)
		if err != nil {
			return err
		}
		agent, err := s.AgentStatus(s.ctx)
		if err != nil {
			return err
		}
		if display.Total != uint64(s.written) || agent.Spool.Waiting != 0 {
			return fmt.Errorf("%d were written, %d counted, and %d wait", s.written, display.Total, agent.Spool.Waiting)
		}
		return nil
	}))
}
