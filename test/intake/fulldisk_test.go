package intake

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/pialert/pialert/packaging/demo/program"
)

// While the disk is full a sender by TCP is held back, and a reload is refused, which could lose what was read.
// Once there is room, every message is counted.
func TestAFullDiskHoldsSendersBack(t *testing.T) {
	t.Parallel()
	const messages = 600_000 // of 100 bytes: twice of what the agent takes (two commits of 1<<17 that are alike) and the kernel keeps
	s := bootInside(t, listeners, func(s *server) {
		certificates(s)
		s.must(os.Mkdir(s.path("state"), 0o700))
		s.must(s.Command(s.ctx, "mount", "-t", "tmpfs", "-o", "size=128m", "tmpfs", s.path("state")).Run())
	})
	s.poll(func() error { // whoever listens has written that down
		found, err := s.status()
		for _, source := range found.Sources {
			if source.Network != nil && source.State != "listening" {
				err = fmt.Errorf("%s is %s", source.Source, source.State)
			}
		}
		return err
	})
	file, err := os.Create(s.path("messages"))
	s.must(err)
	w := bufio.NewWriter(file)
	for i := range messages {
		fmt.Fprintf(w, "<38>1 2026-11-20T12:00:00Z web sshd %d - - Failed password for root from 203.0.113.7 port %d ssh2\n", 1+i, 1024+i%60000)
	}
	s.must(w.Flush())
	s.must(file.Close())
	filler := s.path("state/filler")
	if s.Command(s.ctx, "dd", "if=/dev/zero", "of="+filler, "bs=4k").Run() == nil {
		t.Fatal("the disk is not full")
	}

	sending, err := program.Start(s.Program("bash", "-c", "exec cat "+file.Name()+" > /dev/tcp/127.0.0.1/5601"))
	s.must(err)
	defer sending.Kill()
	s.poll(func() error {
		found, err := s.status()
		if err == nil && found.Spool.Fault == "" {
			err = fmt.Errorf("the spool has no fault")
		}
		return err
	})
	pid := strings.TrimSpace(s.inner("pgrep", "-f", "pialert-agent run"))
	s.must(s.Command(s.ctx, "kill", "-HUP", pid).Run())
	s.must(s.agent.Stderr.Await(s.ctx, func(text string) bool {
		return strings.Contains(text, "cannot reload while the spool cannot be written")
	}))
	found, err := s.status()
	if err != nil || found.Kinds["ssh_login"] >= messages || found.Spool.Fault == "" {
		t.Errorf("nobody held the sender back: %+v, %v", found, err)
	}

	s.must(s.Command(s.ctx, "rm", filler).Run())
	if _, err := sending.Wait(s.ctx); err != nil {
		t.Errorf("the sender ended with %v", err)
	}
	s.want(map[string]uint64{"tcp": messages})
}

// inner runs a program on the machine and returns what it says.
func (s *server) inner(name string, args ...string) string {
	s.t.Helper()
	out, err := program.Run(s.ctx, s.Command(s.ctx, name, args...))
	s.must(err)
	return out
}
