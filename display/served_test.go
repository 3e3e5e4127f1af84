package main

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/control"
)

// served is a display whose commands can be run.
type served struct {
	*daemon
	t    *testing.T
	next uint64
	stop func()
}

func serve(t *testing.T, change func(*Config)) *served {
	t.Helper()
	d, stopDaemon := startDaemon(t, change)
	listener, err := control.Listen(d.cfg.Control)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		control.Serve(ctx, listener, d.controls())
	}()
	stopAll := sync.OnceFunc(func() { stop(); <-done; stopDaemon() })
	t.Cleanup(stopAll)
	return &served{daemon: d, t: t, next: 1, stop: stopAll}
}

// commit stores events of the agent "vps" and shows them.
func (s *served) commit(events ...attack.Event) {
	s.t.Helper()
	done := make(chan error, 1)
	if err := s.history.Append(s.t.Context(), "vps", 1, s.next, events, func(_ uint64, err error) { done <- err }); err != nil {
		s.t.Fatal(err)
	}
	s.next += uint64(len(events))
	s.screen.feed.Show("vps", events)
	if err := <-done; err != nil {
		s.t.Fatal(err)
	}
}

// run runs a command and returns what it prints.
func (s *served) run(args ...string) (string, error) {
	s.t.Helper()
	config := filepath.Join(s.cfg.State, "display.yaml")
	text := fmt.Sprintf("name: desk\nstate: %s\ncontrol: %s\n", s.cfg.State, s.cfg.Control)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	var out bytes.Buffer
	root := rootCommand()
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(append(args, "--config", config))
	err := root.ExecuteContext(s.t.Context())
	return out.String(), err
}

func (s *served) must(args ...string) string {
	s.t.Helper()
	out, err := s.run(args...)
	if err != nil {
		s.t.Fatalf("%v: %v", args, err)
	}
	return out
}

func login(n int) attack.Event {
	return attack.Event{
		Kind: attack.SSHLogin, Severity: attack.Medium, Rule: "sshd-failed-password", Observed: time.Now(), Logged: time.Now(),
		SourceIP: netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}), User: fmt.Sprint("user", n%3), Count: 1, Log: "/var/log/auth.log",
	}
}

func logins(n int) (events []attack.Event) {
	for i := range n {
		events = append(events, login(i+1))
	}
	return events
}
