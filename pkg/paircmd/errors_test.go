package paircmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"

	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/link"
	"github.com/pialert/pialert/pkg/pairing"
	"github.com/pialert/pialert/pkg/private"
)

// hintOf returns what the command line prints as the hint of an error.
func hintOf(t *testing.T, err error) string {
	t.Helper()
	var stderr bytes.Buffer
	root := &cobra.Command{Use: "test", RunE: func(*cobra.Command, []string) error { return err }}
	root.SetErr(&stderr)
	root.SetArgs([]string{})
	cli.Main(root)
	_, hint, ok := strings.Cut(stderr.String(), "hint: ")
	if !ok {
		t.Errorf("%v has no hint", err)
	}
	return hint
}

func TestJoinSaysWhatToDo(t *testing.T) {
	t.Parallel()
	display := newMachine(t, pairing.Display, "desk")
	token := pairing.Token{Role: pairing.Agent, Name: "web1", Key: pairing.Fingerprint{1}, Addresses: []string{"127.0.0.1:1"}}
	other := token
	other.Role = pairing.Display
	unreachable := token
	unreachable.Addresses = nil
	foreign := speaksFirst(t, "SSH-2.0-OpenSSH_9.2p1\r\n")
	for _, test := range []struct {
		name string
		args []string
		want string
		hint string
	}{
		{"another server", []string{token.String(), "--via", foreign}, "at " + foreign + " something answers that is not PiAlert", "7483"},
		{"no token", []string{"hello"}, "tokens begin with", "sudo pialert-agent pair"},
		{"garbage", []string{"pialert1-xxx"}, "copy the whole line", "sudo pialert-agent pair"},
		{"no version either", []string{"pialertX"}, "tokens begin with", "sudo pialert-agent pair"},
		{"another version", []string{"pialert9-" + strings.Repeat("x", 100)}, "another version", "sudo pialert-agent pair"},
		{"cut token", []string{token.String()[:60]}, "copy the whole line", "sudo pialert-agent pair"},
		{"wrong program", []string{other.String()}, "redeem it with pialert-agent", ""},
		{"nothing listens", []string{token.String()}, "refused", "open TCP port 1"},
		{"no address", []string{unreachable.String()}, "--via", ""},
		{"bad address", []string{token.String(), "--via", "ssh://-oProxyCommand=x"}, "dash", ""},
		{"unknown ssh host", []string{token.String(), "--via", "ssh://nobody@127.0.0.1:1"}, "ssh:", "ssh USER@HOST"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, _, err := display.run(t, append([]string{"join"}, test.args...)...)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q in it", err, test.want)
			}
			if test.hint != "" && !strings.Contains(hintOf(t, err), test.hint) {
				t.Errorf("the hint is %q, want %q in it", hintOf(t, err), test.hint)
			}
		})
	}
	if n := len(display.peers(t).Peers); n > 0 {
		t.Errorf("afterwards %d peers are paired", n)
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	p := &program{role: pairing.Display}
	at := func(err error) error { return &link.AddressError{Address: "192.0.2.1:7483", Err: err} }
	for _, test := range []struct {
		err  error
		hint string
	}{
		{at(pairing.ErrNoInvitation), "run sudo pialert-agent pair again"},
		{at(pairing.ErrWrongKey), "somebody is in the middle"},
		{errors.Join(at(syscall.ECONNREFUSED), at(pairing.ErrWrongKey)), "somebody is in the middle"},
		{at(syscall.ECONNREFUSED), "open TCP port 7483"},
		{at(os.ErrDeadlineExceeded), "ufw allow 7483/tcp"},
		{at(fmt.Errorf("x: %w", context.DeadlineExceeded)), "ufw allow 7483/tcp"},
		{at(&net.DNSError{Err: "no such host", Name: "x.example.org", IsNotFound: true}), "check its spelling"},
		{at(syscall.EHOSTUNREACH), "no way to that address"},
		{fmt.Errorf("%w: %w", link.ErrNotVerified, at(syscall.ECONNREFUSED)), "goes on trying"},
	} {
		if got := hintOf(t, p.explain(test.err)); !strings.Contains(got, test.hint) {
			t.Errorf("the hint for %v is %q, want %q in it", test.err, got, test.hint)
		}
	}
}

func TestPairSaysWhatToDo(t *testing.T) {
	t.Parallel()
	t.Run("this end dials", func(t *testing.T) {
		agent := newMachine(t, pairing.Agent, "web1")
		agent.Listen = nil
		if _, _, err := agent.run(t, "pair"); !strings.Contains(hintOf(t, err), "pialert-display pair on the other machine") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("port in use", func(t *testing.T) {
		agent := newMachine(t, pairing.Agent, "web1")
		taken, err := net.Listen("tcp", agent.Listen[0])
		if err != nil {
			t.Fatal(err)
		}
		defer taken.Close()
		if _, _, err := agent.run(t, "pair"); err == nil || !strings.Contains(err.Error(), agent.Listen[0]) || !strings.Contains(err.Error(), "another program uses this port") || !strings.Contains(err.Error(), "set link.listen to another one") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a second time", func(t *testing.T) {
		agent := newMachine(t, pairing.Agent, "web1")
		_, cancel, ended := agent.pair(t)
		if _, _, err := agent.run(t, "pair"); err == nil || err.Error() != "another pialert-agent pair waits already" || !strings.Contains(hintOf(t, err), "on the display, or end it with Ctrl-C") {
			t.Errorf("got %v", err)
		}
		cancel()
		<-ended
	})
	t.Run("damaged state", func(t *testing.T) {
		agent := newMachine(t, pairing.Agent, "web1")
		os.MkdirAll(agent.State, 0o700)
		path := filepath.Join(agent.State, "peers.json")
		os.WriteFile(path, []byte("{"), 0o600)
		if _, _, err := agent.run(t, "pair"); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("bad address", func(t *testing.T) {
		agent := newMachine(t, pairing.Agent, "web1")
		if _, _, err := agent.run(t, "pair", "--address", "a b:1:2"); err == nil {
			t.Error("it was taken")
		}
	})
}

func TestAnnouncedAddresses(t *testing.T) {
	t.Parallel()
	p := &program{role: pairing.Agent}
	for _, test := range []struct {
		name     string
		settings Settings
		asked    []string
		want     string
	}{
		{"as asked", Settings{Listen: []string{":7483"}}, []string{"server.example.org", "192.0.2.1:99"}, "server.example.org:7483 192.0.2.1:99"},
		{"another port", Settings{Listen: []string{":1234"}}, []string{"2001:db8::1"}, "[2001:db8::1]:1234"},
		{"as configured", Settings{Listen: []string{":7483"}, Address: "server.example.org"}, nil, "server.example.org:7483"},
		{"where it listens", Settings{Listen: []string{"192.0.2.1:7483"}}, nil, "192.0.2.1:7483"},
		{"through ssh", Settings{Listen: []string{"unix:/run/x"}}, []string{"ssh://me@server.example.org"}, "ssh://me@server.example.org"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := p.announced(test.settings, test.asked, t.Output())
			if err != nil || strings.Join(got, " ") != test.want {
				t.Errorf("got %v, %v; want %s", got, err, test.want)
			}
		})
	}
}

// TestHelp holds that each command teaches by an example that begins with its program's name.
func TestHelp(t *testing.T) {
	t.Parallel()
	for _, role := range []pairing.Role{pairing.Agent, pairing.Display} {
		for _, command := range Commands(role, nil) {
			for line := range strings.Lines(command.Example) {
				if line = strings.TrimPrefix(strings.TrimSpace(line), "sudo "); !strings.HasPrefix(line, name(role)+" "+command.Name()) {
					t.Errorf("%s %s has the example %q", role, command.Name(), line)
				}
			}
			if command.Example == "" || command.Short == "" {
				t.Errorf("%s %s has no help", role, command.Name())
			}
		}
	}
}

// speaksFirst is a server that greets everybody, as sshd does.
func speaksFirst(t *testing.T, greeting string) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conn.Write([]byte(greeting))
			t.Cleanup(func() { conn.Close() })
		}
	}()
	return listener.Addr().String()
}

// The program that is started while its own pair command listens says who has the port.
func TestThePortIsOurOwnPairs(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	busy := fmt.Errorf("cannot listen: %w", syscall.EADDRINUSE)
	if err := Explain(busy, pairing.Agent, state); err != busy {
		t.Errorf("without a pair command: %v", err)
	}
	done, err := private.Dir(state).Lock(waiting)
	if err != nil {
		t.Fatal(err)
	}
	if err := Explain(busy, pairing.Agent, state); !strings.HasPrefix(err.Error(), "pialert-agent pair waits on this port: run its line on the display") {
		t.Errorf("while pair waits: %v", err)
	}
	done()
	if err := Explain(busy, pairing.Agent, state); err != busy {
		t.Errorf("after pair: %v", err)
	}
}
