package link

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"testing"
	"time"

	"github.com/pialert/pialert/pkg/pairing"
)

// TestMain lets the test binary play other programs for tests that need processes.
func TestMain(m *testing.M) {
	if role := os.Getenv("LINK_TEST_ROLE"); role != "" {
		if err := play(role, os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, role+":", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func play(role string, args []string) error {
	switch role {
	case "agent":
		return playAgent(args[0])
	case "display":
		return playDisplay(args[0])
	case "relay":
		return Relay(context.Background(), os.Getenv("LINK_TEST_SOCKET"), os.Stdin, os.Stdout)
	}
	return fmt.Errorf("unknown role, arguments %q", args)
}

func keyring(t *testing.T, role pairing.Role, name string) *pairing.Keyring {
	t.Helper()
	k, err := pairing.Open(t.TempDir(), role, name)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// befriend pairs listener and dialler, which dials it at addresses.
func befriend(t *testing.T, dialler, listener *pairing.Keyring, addresses ...string) {
	t.Helper()
	err := errors.Join(
		dialler.Add(pairing.Peer{Name: listener.Name(), Role: listener.Role(), Key: listener.Key(), Addresses: addresses}),
		listener.Add(pairing.Peer{Name: dialler.Name(), Role: dialler.Role(), Key: dialler.Key()}),
	)
	if err != nil {
		t.Fatal(err)
	}
}

func testLog(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// start runs a component until the test ends, and fails the test if it returns an error.
func start(t *testing.T, run func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("it ended with %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("it does not end")
		}
	})
}

// listenLocal opens a TCP socket of the loopback interface.
func listenLocal(t *testing.T) (sockets []net.Listener, address string) {
	t.Helper()
	sockets, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sockets[0].Close() })
	return sockets, sockets[0].Addr().String()
}

// conns is a Handler that gives connections to a test and keeps each until it is closed.
type conns chan *Conn

func (c conns) handle(ctx context.Context, conn *Conn) error {
	select {
	case c <- conn:
	case <-ctx.Done():
		return nil
	}
	select {
	case <-conn.Done():
	case <-ctx.Done():
	}
	return nil
}

func (c conns) next(t *testing.T) *Conn {
	t.Helper()
	select {
	case conn := <-c:
		return conn
	case <-time.After(2 * time.Minute):
		t.Fatal("there is no connection")
		return nil
	}
}

// pair is a listener and a dialler that are connected.
type pair struct {
	agent, display     *pairing.Keyring
	atAgent, atDisplay conns
	listener           *Listener
	dialer             *Dialer
	address            string
}

// connected starts an agent that listens and a display that dials it, and pairs them. The test
// gets the connections of both.
func connected(t *testing.T) *pair {
	t.Helper()
	p := &pair{atAgent: make(conns), atDisplay: make(conns)}
	p.start(t, p.atAgent.handle, p.atDisplay.handle)
	return p
}

func (p *pair) start(t *testing.T, atAgent, atDisplay Handler) {
	t.Helper()
	p.agent, p.display = keyring(t, pairing.Agent, "web1"), keyring(t, pairing.Display, "desk")
	sockets, address := listenLocal(t)
	p.address = address
	befriend(t, p.display, p.agent, address)
	p.listener = &Listener{Keyring: p.agent, Log: testLog(t)}
	p.dialer = &Dialer{Keyring: p.display, Log: testLog(t), Random: func() float64 { return 0 }}
	start(t, func(ctx context.Context) error { return p.listener.Run(ctx, sockets, atAgent) })
	start(t, func(ctx context.Context) error { return p.dialer.Run(ctx, atDisplay) })
}

// drain is a Handler that reads until the other end closes.
func drain(_ context.Context, conn *Conn) error {
	_, err := io.Copy(io.Discard, conn)
	return err
}

// say sends a line over one end and checks that it arrives at the other.
func say(t *testing.T, from, to net.Conn, line string) {
	t.Helper()
	if _, err := fmt.Fprintln(from, line); err != nil {
		t.Fatal(err)
	}
	to.SetReadDeadline(time.Now().Add(20 * time.Second))
	got, err := bufio.NewReader(to).ReadString('\n')
	if err != nil || got != line+"\n" {
		t.Fatalf("read %q, %v; want %q", got, err, line)
	}
	to.SetReadDeadline(time.Time{})
}

// wantClosed checks that the other end has closed a connection.
func wantClosed(t *testing.T, conn net.Conn) {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	if n, err := io.Copy(io.Discard, conn); n > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read %d bytes, %v; want the end", n, err)
	}
}

// await waits until a keyring is as it should be.
func await(t *testing.T, k *pairing.Keyring, otherwise string, ok func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		changed := k.Changed()
		if ok() {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatal(otherwise)
		}
	}
}
