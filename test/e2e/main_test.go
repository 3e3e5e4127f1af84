package e2e

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"testing"
	"time"

	"github.com/pialert/pialert/packaging/demo/program"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/test/daemon"
	"github.com/pialert/pialert/test/suite"
)

// programs are what TestMain built.
var programs program.Binaries

func TestMain(m *testing.M) {
	suite.Main(m, func(s *suite.Suite) (err error) {
		if err := daemon.Missing(); err != nil {
			return err
		}
		// The tests mostly wait, the longest one for a minute: more of them fit beside it than
		// there are processors.
		flag.Parse()
		flag.Set("test.parallel", "6")
		programs, err = s.Programs()
		return err
	})
}

// timeout is how long a test waits for what must happen before it fails.
const timeout = time.Minute

// stage is a running agent and display and the truth of what they should count.
type stage struct {
	*program.Pair
	t              testing.TB
	ctx            context.Context
	agent, display *program.Process
	truth          map[attack.Kind]uint64
}

// layOut makes a pair of which nothing runs yet.
func layOut(t testing.TB, s program.Settings) *stage {
	t.Helper()
	dir, err := os.MkdirTemp("", "e2e") // t.TempDir's paths are too long for Unix sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	pair, err := program.LayOut(dir, programs, s)
	if err != nil {
		t.Fatal(err)
	}
	st := &stage{Pair: pair, t: t, truth: map[attack.Kind]uint64{}}
	st.wait(timeout)
	return st
}

// wait sets how long the test may go on waiting from now.
func (s *stage) wait(most time.Duration) {
	ctx, cancel := context.WithTimeout(s.t.Context(), most)
	s.t.Cleanup(cancel)
	s.ctx = ctx
}

// start makes a pair, starts both programs and joins them.
func start(t testing.TB, s program.Settings) *stage {
	t.Helper()
	st := layOut(t, s)
	st.startAgent()
	st.startDisplay()
	st.must(st.Join(st.ctx))
	return st
}

// startAgent starts the agent, which ends with the test at the latest.
func (s *stage) startAgent() {
	s.t.Helper()
	agent, err := s.StartAgent()
	s.must(err)
	s.agent = agent
	s.watch(agent)
}

// startDisplay starts the display, which ends with the test at the latest.
func (s *stage) startDisplay(args ...string) {
	s.t.Helper()
	display, err := s.StartDisplay(args...)
	s.must(err)
	s.display = display
	s.watch(display)
}

func (s *stage) watch(p *program.Process) {
	s.t.Cleanup(func() {
		p.Kill()
		if s.t.Failed() {
			s.t.Logf("%s wrote:\n%s", p, p.Stderr)
		}
	})
}

func (s *stage) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// did adds an attack's attempts to the truth; it takes what the attacks return.
func (s *stage) did(attempts []daemon.Attempt, err error) {
	s.t.Helper()
	s.must(err)
	for kind, count := range daemon.Total(attempts) {
		s.truth[kind] += count
	}
}

// counted waits until the display's totals are the truth, and fails as soon as one is above it. Of what
// is no attempt, such as episodes and logins, only that is compared which the truth names.
func (s *stage) counted() {
	s.t.Helper()
	var got map[attack.Kind]uint64
	err := program.Poll(s.ctx, func() error {
		status, err := s.DisplayStatus(s.ctx)
		if err != nil {
			return err
		}
		got = status.Kinds
		for kind, count := range got {
			if _, named := s.truth[kind]; count == 0 || !named && !kind.Attempt() {
				delete(got, kind)
			} else if count > s.truth[kind] {
				s.t.Fatalf("the display counts %d of %s, %d were attempted", count, kind, s.truth[kind])
			}
		}
		if !maps.Equal(got, s.truth) {
			return fmt.Errorf("the display counts %v", got)
		}
		return nil
	})
	if err != nil {
		s.t.Fatalf("%v, want %v", err, s.truth)
	}
}

// exact waits like counted, then makes one more attempt and waits again, so that what would be
// counted twice had the time to be.
func (s *stage) exact(again func() ([]daemon.Attempt, error)) {
	s.t.Helper()
	s.counted()
	s.did(again())
	s.counted()
}
