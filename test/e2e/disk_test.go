package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pialert/pialert/packaging/demo/program"
)

// TestDiskFull fills the disk of either program's state while attacks go on. Both say so and go
// on, and when there is room again the totals are the truth.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	for _, victim := range []string{"agent", "display"} {
		t.Run(victim, func(t *testing.T) {
			t.Parallel()
			log, logs := newLogbook(t)
			m := boot(t)
			s := layOut(t, program.Settings{Logs: logs})
			s.Command = m.Program // there the state can have a disk of its own
			state := filepath.Join(s.Dir, victim)
			s.must(os.Mkdir(state, 0o755))
			sh := func(script string) {
				t.Helper()
				if out, err := m.Command(s.ctx, "/bin/sh", "-c", script).CombinedOutput(); err != nil {
					t.Fatalf("%s: %v: %s", script, err, out)
				}
			}
			sh("mount -t tmpfs -o size=8m tmpfs " + state)
			s.startAgent()
			s.startDisplay()
			s.must(s.Join(s.ctx))
			s.did(log.attempts(100))
			s.counted()

			sh(fmt.Sprintf("head -c 8m /dev/zero > %s/filler || test -s %[1]s/filler", state))
			s.did(log.attempts(2000))
			process := s.agent
			if victim == "display" {
				process = s.display
			}
			s.must(process.Stderr.Await(s.ctx, func(text string) bool {
				return strings.Contains(text, "level=ERROR") && strings.Contains(text, "no space left on device") ||
					strings.Contains(text, "disk is full")
			}))
			sh(fmt.Sprintf("rm %s/filler", state))
			s.exact(log.attempt)
		})
	}
}

// TestDamagedHistory flips bits in the display's history while it is stopped. It says so, sets
// the file aside, and counts on from the totals, of which it keeps a copy.
func TestDamagedHistory(t *testing.T) {
	t.Parallel()
	log, logs := newLogbook(t)
	s := start(t, program.Settings{Logs: logs})
	s.did(log.attempts(3000))
	s.counted()
	s.must(s.display.Stop(s.ctx))

	path := filepath.Join(s.Dir, "display", "history.db")
	text, err := os.ReadFile(path)
	s.must(err)
	for i := 4096; i < len(text); i += 64 {
		text[i] ^= 0x55
	}
	s.must(os.WriteFile(path, text, 0o600))
	s.startDisplay()
	s.must(s.display.Stderr.Await(s.ctx, func(said string) bool {
		return strings.Contains(said, "damaged") && strings.Contains(said, path)
	}))
	s.exact(log.attempt)
	aside, err := filepath.Glob(path + ".damaged-*")
	s.must(err)
	if len(aside) == 0 {
		t.Errorf("the damaged file was not set aside")
	}
}

// TestDamagedSpool flips bits in the agent's spool while it is stopped. The agent says so, sets
// the file aside, and reads the log again from where the display had got to.
func TestDamagedSpool(t *testing.T) {
	t.Parallel()
	log, logs := newLogbook(t)
	s := start(t, program.Settings{Logs: logs})
	for range 5 { // commits
		s.did(log.attempts(10))
		s.counted()
	}
	s.must(s.agent.Stop(s.ctx))

	spool := filepath.Join(s.Dir, "agent", "spool")
	files, err := os.ReadDir(spool)
	s.must(err)
	damaged := 0
	for _, file := range files {
		path := filepath.Join(spool, file.Name())
		text, err := os.ReadFile(path)
		s.must(err)
		if len(text) > 100 {
			copy(text[len(text)/3:], bytes.Repeat([]byte{0xaa}, 30))
			s.must(os.WriteFile(path, text, 0o600))
			damaged++
		}
	}
	if damaged == 0 {
		t.Fatalf("there is nothing to damage in %v", files)
	}
	s.startAgent()
	s.must(s.agent.Stderr.Await(s.ctx, func(said string) bool {
		return strings.Contains(said, "damaged") && strings.Contains(said, spool)
	}))
	s.did(log.attempts(5))
	s.exact(log.attempt)
}
