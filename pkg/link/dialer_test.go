package link

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pialert/pialert/pkg/pairing"
)

// dialling runs a dialer against a fake network under a fake clock, for some time, and returns
// when it dialled what.
func dialling(t *testing.T, addresses []string, lasts time.Duration, network func(try int, address string) (net.Conn, error)) (dialled []string, log string) {
	t.Helper()
	var lines bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		display := keyring(t, pairing.Display, "desk") // here, since its channels belong to the fake time
		befriend(t, display, keyring(t, pairing.Agent, "web1"), addresses...)
		began := time.Now()
		var mu sync.Mutex
		dialer := &Dialer{
			Keyring: display, Log: slog.New(slog.NewTextHandler(&lines, nil)), Random: func() float64 { return 1 },
			Dial: func(_ context.Context, _, address string) (net.Conn, error) {
				mu.Lock()
				defer mu.Unlock()
				dialled = append(dialled, fmt.Sprintf("%v %s", time.Since(began), address))
				return network(len(dialled), address)
			},
		}
		ctx, cancel := context.WithTimeout(t.Context(), lasts)
		defer cancel()
		if err := dialer.Run(ctx, drain); err != nil {
			t.Error(err)
		}
		states := dialer.States()
		if len(states) != 1 || states[0].Up || states[0].Error == "" {
			t.Errorf("the states are %+v", states)
		}
	})
	return dialled, lines.String()
}

// TestNameIsDialledEachTime holds that what is dialled is the name, so that it is resolved anew at
// each attempt: home addresses change.
func TestNameIsDialledEachTime(t *testing.T) {
	t.Parallel()
	dialled, log := dialling(t, []string{"home.example.org:7483"}, 4*time.Second, func(int, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	})
	want := "0s home.example.org:7483, 250ms home.example.org:7483, 750ms home.example.org:7483, 1.75s home.example.org:7483, 3.75s home.example.org:7483"
	if got := strings.Join(dialled, ", "); got != want {
		t.Errorf("dialled %s\nwant    %s", got, want)
	}
	if n := strings.Count(log, "cannot connect"); n != 1 {
		t.Errorf("the same failure was logged %d times:\n%s", n, log)
	}
}

func TestFailuresAreLoggedNowAndThen(t *testing.T) {
	t.Parallel()
	_, log := dialling(t, []string{"home.example.org:7483"}, 25*time.Minute, func(try int, _ string) (net.Conn, error) {
		if try == 3 {
			return nil, errors.New("something else")
		}
		return nil, syscall.ECONNREFUSED
	})
	// the first, something else, the first again, and two of the same 10 and 20 minutes later
	if n := strings.Count(log, "\n"); n != 5 {
		t.Errorf("%d lines:\n%s", n, log)
	}
}

// TestAddressesAreRaced has a peer with one address that never answers and one that refuses.
func TestAddressesAreRaced(t *testing.T) {
	t.Parallel()
	agent, display := keyring(t, pairing.Agent, "web1"), keyring(t, pairing.Display, "desk")
	sockets, address := listenLocal(t)
	atAgent := make(conns)
	start(t, func(ctx context.Context) error {
		return (&Listener{Keyring: agent, Log: testLog(t)}).Run(ctx, sockets, atAgent.handle)
	})
	impostor := keyring(t, pairing.Agent, "web1")
	wrong, wrongAddress := listenLocal(t)
	start(t, func(ctx context.Context) error {
		return (&Listener{Keyring: impostor, Log: testLog(t)}).Run(ctx, wrong, drain)
	})
	befriend(t, display, agent, "192.0.2.1:1", "192.0.2.2:2", wrongAddress, address)
	dialer := &Dialer{Keyring: display, Log: testLog(t), Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		switch address {
		case "192.0.2.1:1":
			<-ctx.Done()
			return nil, ctx.Err()
		case "192.0.2.2:2":
			return nil, syscall.ECONNREFUSED
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}}
	conn, err := dialer.open(t.Context(), "web1")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if conn.Address != address {
		t.Errorf("connected to %s, want %s", conn.Address, address)
	}
	say(t, conn, atAgent.next(t), "found you")
}

// TestLateConnectionsAreClosed has two addresses answer: only one connection may stay.
func TestLateConnectionsAreClosed(t *testing.T) {
	t.Parallel()
	var late net.Conn
	dialer := &Dialer{Dial: func(ctx context.Context, _, address string) (net.Conn, error) {
		near, far := net.Pipe()
		if address == "192.0.2.1:1" {
			<-ctx.Done() // it answers when the other one has won
			late = far
		}
		return near, nil
	}}
	synctest.Test(t, func(t *testing.T) {
		_, address, err := dialer.dialFirst(t.Context(), []string{"192.0.2.1:1", "192.0.2.2:2"})
		if err != nil || address != "192.0.2.2:2" {
			t.Fatalf("%s, %v", address, err)
		}
		synctest.Wait()
		if _, err := late.Read(make([]byte, 1)); err == nil {
			t.Error("the late one is open")
		}
	})
}

func TestCheckAddress(t *testing.T) {
	t.Parallel()
	for _, good := range []string{
		"192.0.2.1:7483", "[2001:db8::1]:7483", "[fe80::1%eth0]:7483", "server.example.org:7483", "bücher.example:1",
		"ssh://server.example.org", "ssh://me@[2001:db8::1]:22",
	} {
		if err := CheckAddress(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"", "server", "server:", ":7483", "2001:db8::1:7483", "a b:1", "[a b]:1", "http://server", "ssh://"} {
		if err := CheckAddress(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	for address, want := range map[string]string{
		"server.example.org": "server.example.org:7483", "server:1": "server:1", "192.0.2.1": "192.0.2.1:7483",
		"2001:db8::1": "[2001:db8::1]:7483", "[2001:db8::1]": "[2001:db8::1]:7483", "ssh://me@server": "ssh://me@server",
	} {
		if got := WithPort(address, DefaultPort); got != want {
			t.Errorf("WithPort(%q) = %q, want %q", address, got, want)
		}
	}
}
