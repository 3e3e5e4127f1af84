package e2e

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/packaging/demo/program"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/test/cgroup"
)

// TestLongAbsence lets the agent come back to a thousand logs that were rotated fourteen times each while it was
// away. It catches up with a memory cgroup around it that kills, counts each attempt once, and gives back what
// catching up took.
func TestLongAbsence(t *testing.T) {
	const logs, rotations, lines, limit = 1000, 14, 10, 96 << 20
	dir, err := os.MkdirTemp("", "absence")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	var sources []string
	path := func(log int) string { return filepath.Join(dir, fmt.Sprintf("site%04d.log", log)) }
	for log := range logs {
		sources = append(sources, fmt.Sprintf("{path: %s}", path(log)))
		if err := os.WriteFile(path(log), absentLines(log, 0, 1), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s := start(t, program.Settings{Logs: sources})
	s.wait(10 * time.Minute)
	s.must(program.Poll(s.ctx, func() error {
		status, err := s.AgentStatus(s.ctx)
		if err == nil && len(status.Sources) < logs {
			err = fmt.Errorf("%d logs are followed", len(status.Sources))
		}
		return err
	}))
	s.must(s.agent.Stop(s.ctx))

	now := time.Now()
	for log := range logs {
		for day := 1; day <= rotations; day++ {
			n := lines
			if log%100 == 0 && day == 5 {
				n = 4000 // more than is read at once
			}
			s.truth[attack.SSHLogin] += uint64(n)
			old := fmt.Sprintf("%s.%d", path(log), rotations+1-day)
			text := absentLines(log, day, n)
			switch day {
			case 1: // goes on in the file that is known
				text = append(absentLines(log, 0, 1), text...)
				s.must(os.Rename(path(log), old))
				fallthrough
			default:
				s.must(os.WriteFile(old, text, 0o644))
			}
			written := now.Add(time.Duration(day-rotations) * 24 * time.Hour)
			if day < rotations {
				var packed bytes.Buffer
				z := gzip.NewWriter(&packed)
				z.Write(text)
				z.Close()
				s.must(os.WriteFile(old+".gz", packed.Bytes(), 0o644))
				s.must(os.Remove(old))
				old += ".gz"
			}
			s.must(os.Chtimes(old, written, written))
		}
		s.must(os.WriteFile(path(log), absentLines(log, rotations+1, 1), 0o644))
		s.truth[attack.SSHLogin]++
	}

	group, err := cgroup.New("pialert-absence", limit)
	s.must(err)
	t.Cleanup(group.Remove)
	s.Command = func(path string, args ...string) *exec.Cmd {
		if args[0] == "run" {
			return group.Command(path, args...)
		}
		return exec.Command(path, args...)
	}
	began := time.Now()
	s.startAgent()
	s.counted()
	peak, err := group.Peak()
	s.must(err)
	kills, err := group.Kills()
	s.must(err)
	most := memory(t, s.agent, "VmHWM")
	t.Logf("caught up in %v: %d MiB at most, %d with what the kernel keeps for it", time.Since(began).Round(time.Second), most>>20, peak>>20)
	if kills > 0 || s.agent.Ended() {
		t.Fatalf("the agent was killed %d times for its memory", kills)
	}
	s.must(program.Poll(s.ctx, func() error {
		if used := memory(t, s.agent, "RssAnon"); used > limit*2/3 {
			return fmt.Errorf("%d MiB are used after catching up", used>>20)
		}
		return nil
	}))
	t.Logf("%d MiB of its own afterwards", memory(t, s.agent, "RssAnon")>>20)
}

// absentLines are failed logins, each on a connection of its own and from an address of its own.
func absentLines(log, day, n int) []byte {
	var text bytes.Buffer
	for i := range n {
		fmt.Fprintf(&text, "Nov %2d %02d:%02d:%02d vps sshd[%d]: Failed password for root from %d.%d.%d.%d port %d ssh2\n",
			day+1, i/3600, i/60%60, i%60, 1000+day*4000+i, 100+log/250, log%250, day*16+i/250, i%250, 1024+i)
	}
	return text.Bytes()
}

// memory returns what /proc says of a process's memory, in bytes.
func memory(t *testing.T, p *program.Process, key string) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Pid()))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, key+":"); ok {
			kib, err := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatalf("/proc does not say %s", key)
	return 0
}
