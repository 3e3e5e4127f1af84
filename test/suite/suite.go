// Package suite prepares what the tests of a package share: a folder, and the two programs built
// into it. It removes the folder when the tests have ended, however they did.
package suite

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/pialert/pialert/packaging/demo/program"
)

// Suite is what the tests of a package share, from before the first to after the last.
type Suite struct {
	// Dir is a folder of their own that every user may enter. Its path is short enough for Unix sockets.
	Dir  string
	ends []func()
}

// Main is what TestMain calls: it has prepare make what the tests need, and runs them. Where that is
// not to be had, no test runs, and the error is printed.
func Main(m *testing.M, prepare func(s *Suite) error) {
	os.Exit(run(m, prepare))
}

func run(m *testing.M, prepare func(s *Suite) error) int {
	s := &Suite{}
	defer s.end()
	if err := s.begin(prepare); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		return 1
	}
	return m.Run()
}

func (s *Suite) begin(prepare func(s *Suite) error) (err error) {
	if s.Dir, err = os.MkdirTemp("", "pialert"); err != nil {
		return err
	}
	s.Cleanup(func() { os.RemoveAll(s.Dir) })
	if err := os.Chmod(s.Dir, 0o755); err != nil { // some tests run the programs as other users
		return err
	}
	return prepare(s)
}

// Cleanup has something done after the last test. What was said last is done first.
func (s *Suite) Cleanup(do func()) { s.ends = append(s.ends, do) }

func (s *Suite) end() {
	for i := len(s.ends) - 1; i >= 0; i-- {
		s.ends[i]()
	}
}

// Programs builds both programs.
func (s *Suite) Programs() (program.Binaries, error) {
	return program.Build(context.Background(), "../..", s.Dir)
}

// MainWith is Main for tests that need the programs and nothing else.
func MainWith(m *testing.M, programs *program.Binaries) {
	Main(m, func(s *Suite) (err error) {
		*programs, err = s.Programs()
		return err
	})
}
