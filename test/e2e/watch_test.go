package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/pialert/pialert/packaging/demo/program"
	"github.com/pialert/pialert/test/screen"
)

// watcher is somebody who watches in a terminal, as over SSH.
type watcher struct {
	mu    sync.Mutex
	shown *screen.Screen
	keys  *os.File
	child *exec.Cmd
	read  chan struct{} // closed at the end
}

func (s *stage) watcher(columns, rows int) *watcher {
	s.t.Helper()
	master, slave, err := screen.OpenTerminal(columns, rows)
	s.must(err)
	s.t.Cleanup(func() { master.Close() })
	w := &watcher{shown: screen.New(columns, rows), keys: master, read: make(chan struct{})}
	w.child = exec.CommandContext(s.ctx, programs.Display, "watch", "--config", s.DisplayConfig)
	w.child.Env = append(os.Environ(), "TERM=xterm-256color", "COLORTERM=truecolor", "NO_COLOR=")
	w.child.Stdin, w.child.Stdout, w.child.Stderr = slave, slave, slave
	w.child.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	s.must(w.child.Start())
	slave.Close()
	go func() {
		defer close(w.read)
		for piece := make([]byte, 1<<16); ; {
			n, err := master.Read(piece)
			if err != nil {
				return
			}
			w.mu.Lock()
			w.shown.Write(piece[:n])
			w.mu.Unlock()
		}
	}()
	return w
}

func (w *watcher) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.shown.String()
}

// sees waits until all of some texts are on the screen.
func (s *stage) sees(w *watcher, texts ...string) {
	s.t.Helper()
	s.must(program.Poll(s.ctx, func() error {
		shown := w.text()
		for _, text := range texts {
			if !strings.Contains(shown, text) {
				return fmt.Errorf("%q is not shown:\n%s", text, shown)
			}
		}
		return nil
	}))
}

// Several watch at once, in terminals of different sizes; one that leaves by Ctrl-C takes nothing from the
// others or from the display, and one that reads no more holds nobody up.
func TestWatchInTerminals(t *testing.T) {
	t.Parallel()
	_, logs := newLogbook(t)
	s := start(t, program.Settings{Logs: logs})
	wide, narrow, deaf := s.watcher(100, 30), s.watcher(44, 24), s.watcher(80, 24)
	fire := func(user, source string) {
		t.Helper()
		_, err := s.Agent(s.ctx, "fire", "ssh_login", "--source-ip", source, "--user", user, "--counted")
		s.must(err)
	}
	for _, w := range []*watcher{wide, narrow, deaf} {
		s.sees(w, "SSH on vps")
	}
	s.must(deaf.child.Process.Signal(syscall.SIGSTOP))
	fire("cat", "203.0.113.5")
	s.sees(wide, "203.0.113.5", "cat")
	s.sees(narrow, "203.0.113.5")

	_, err := narrow.keys.WriteString("\x03")
	s.must(err)
	if err := narrow.child.Wait(); err != nil {
		t.Errorf("Ctrl-C ended it with %v", err)
	}
	<-narrow.read
	if !narrow.shown.Cursor || len(narrow.shown.Mistakes) > 0 {
		t.Errorf("it leaves the terminal with the cursor hidden, or with %q:\n%s", narrow.shown.Mistakes, narrow.text())
	}
	for n := range 30 {
		fire("dog", fmt.Sprintf("203.0.113.%d", 100+n))
	}
	s.sees(wide, "203.0.113.129", "31")
	s.must(deaf.child.Process.Signal(syscall.SIGCONT))
	s.sees(deaf, "203.0.113.129", "31")
}
