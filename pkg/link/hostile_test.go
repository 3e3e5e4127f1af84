package link

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pialert/pialert/pkg/pairing"
)

// TestStrangersDoNotDisturb connects in every wrong way while a paired machine is at work.
func TestStrangersDoNotDisturb(t *testing.T) {
	t.Parallel()
	p := connected(t)
	agent, display := p.atAgent.next(t), p.atDisplay.next(t)
	for _, test := range []struct{ name, says string }{
		{"silence", ""},
		{"HTTP", "GET / HTTP/1.1\r\n\r\n"},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
		{"half a TLS record", "\x16\x03\x01\x02\x00\x01\x00"},
		{"garbage", strings.Repeat("\xde\xad\xbe\xef", 4096)},
	} {
		t.Run(test.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", p.address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			io.WriteString(conn, test.says)
			conn.(*net.TCPConn).CloseWrite()
			if got, _ := io.ReadAll(conn); len(got) > 0 {
				t.Errorf("it got %q", got)
			}
		})
	}
	say(t, agent, display, "undisturbed")
}

// TestOneAddressCannotCrowdOutOthers holds as many half handshakes as one address may have.
func TestOneAddressCannotCrowdOutOthers(t *testing.T) {
	t.Parallel()
	agent, display := keyring(t, pairing.Agent, "web1"), keyring(t, pairing.Display, "desk")
	sockets, address := listenLocal(t)
	atAgent := make(conns)
	listener := &Listener{Keyring: agent, Log: testLog(t)}
	start(t, func(ctx context.Context) error { return listener.Run(ctx, sockets, atAgent.handle) })
	befriend(t, display, agent, address)

	slow := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	closed := make(chan error, maxPerAddress+1)
	for range maxPerAddress + 1 {
		conn, err := slow.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		io.WriteString(conn, "\x16\x03\x01") // and no more
		go func() {
			_, err := conn.Read(make([]byte, 1))
			closed <- err
		}()
	}
	<-closed // one is too many

	good := &Dialer{Keyring: display, Log: testLog(t), Dial: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 3)}}).DialContext}
	link, err := good.open(t.Context(), "web1")
	if err != nil {
		t.Fatal(err)
	}
	defer link.Close()
	say(t, link, atAgent.next(t), "I got in")
}

func (h *handshakes) underWay() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.running.Len()
}

func tcpAddr(ip string) net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(ip), 1234))
}

func TestHandshakeLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var h handshakes
		// The rate of one address.
		for i := range handshakeBurst {
			_, end, err := h.begin(t.Context(), tcpAddr("192.0.2.1"))
			if err != nil {
				t.Fatalf("handshake %d: %v", i, err)
			}
			end()
		}
		if _, _, err := h.begin(t.Context(), tcpAddr("::ffff:192.0.2.1")); !errors.Is(err, errTooOften) {
			t.Errorf("one more: %v", err)
		}
		if _, end, err := h.begin(t.Context(), tcpAddr("192.0.2.2")); err != nil {
			t.Errorf("another address: %v", err)
		} else {
			end()
		}
		time.Sleep(time.Second)
		if _, end, err := h.begin(t.Context(), tcpAddr("192.0.2.1")); err != nil {
			t.Errorf("a second later: %v", err)
		} else {
			end()
		}
		// One IPv6 customer has a /64.
		for i := range maxPerAddress {
			_, end, err := h.begin(t.Context(), tcpAddr(fmt.Sprintf("2001:db8::%d", i)))
			if err != nil {
				t.Fatal(err)
			}
			defer end()
		}
		if _, _, err := h.begin(t.Context(), tcpAddr("2001:db8::ffff")); !errors.Is(err, errTooManyAtOnce) {
			t.Errorf("one more of the network: %v", err)
		}
	})
}

func TestOldestHandshakeMakesRoom(t *testing.T) {
	t.Parallel()
	var h handshakes
	oldest, end, err := h.begin(t.Context(), tcpAddr("198.51.100.1"))
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	for i := range maxHandshakes {
		_, end, err := h.begin(t.Context(), tcpAddr(fmt.Sprintf("192.0.2.%d", i+1)))
		if err != nil {
			t.Fatal(err)
		}
		defer end()
	}
	if cause := context.Cause(oldest); !errors.Is(cause, errCrowdedOut) {
		t.Errorf("the oldest goes on: %v", cause)
	}
	if n := h.underWay(); n != maxHandshakes {
		t.Errorf("%d handshakes are under way", n)
	}
}

func TestKnownAddressesAreBounded(t *testing.T) {
	t.Parallel()
	var h handshakes
	for i := range 3 * maxKnownAddresses {
		_, end, err := h.begin(t.Context(), tcpAddr(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}).String()))
		if err != nil {
			t.Fatal(err)
		}
		end()
	}
	if n := len(h.addresses); n > maxKnownAddresses {
		t.Errorf("%d addresses are known", n)
	}
}

// TestSlowHandshakeEnds gives a connection that says nothing its ten seconds.
func TestSlowHandshakeEnds(t *testing.T) {
	t.Parallel()
	agent := keyring(t, pairing.Agent, "web1")
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		listener := &Listener{Keyring: agent, Log: slog.New(slog.DiscardHandler)}
		listener.strangers.log = listener.Log
		began := time.Now()
		listener.take(t.Context(), near, func(context.Context, *Conn) error { return nil })
		if took := time.Since(began); took != handshakeTimeout {
			t.Errorf("it took %v", took)
		}
	})
}

func TestStrangersFillNoDisk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var lines bytes.Buffer
		s := strangers{log: slog.New(slog.NewTextHandler(&lines, nil))}
		for range 60 {
			for range 100 {
				s.refused("192.0.2.1:1", errors.New("x"))
			}
			time.Sleep(time.Second)
		}
		if n := strings.Count(lines.String(), "\n"); n != 6 {
			t.Errorf("6000 refusals in a minute made %d lines", n)
		}
		if !strings.Contains(lines.String(), "unlogged_before=999") {
			t.Errorf("the lines do not say how many there were:\n%s", lines.String())
		}
	})
}

// TestJoinByToken pairs over the network as the commands do, and replays the token.
func TestJoinByToken(t *testing.T) {
	t.Parallel()
	agent, display, thief := keyring(t, pairing.Agent, "web1"), keyring(t, pairing.Display, "desk"), keyring(t, pairing.Display, "thief")
	sockets, address := listenLocal(t)
	var invitations pairing.Invitations
	listener := &Listener{Keyring: agent, Invitations: &invitations, Log: testLog(t)}
	start(t, func(ctx context.Context) error { return listener.Run(ctx, sockets, drain) })
	invitation, err := invitations.Invite()
	if err != nil {
		t.Fatal(err)
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0") // an address that refuses
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	addresses := []string{closed.Addr().String(), address}
	token := pairing.Token{Role: pairing.Agent, Name: "web1", Key: agent.Key(), Secret: invitation.Secret, Addresses: addresses}

	other := token
	other.Key = thief.Key()
	if _, err := (&Dialer{Keyring: display, Log: testLog(t)}).Join(t.Context(), other, addresses); !errors.Is(err, pairing.ErrWrongKey) {
		t.Errorf("a token of another key: %v", err)
	}
	peer, err := (&Dialer{Keyring: display, Log: testLog(t)}).Join(t.Context(), token, addresses)
	if err != nil {
		t.Fatal(err)
	}
	if peer.Addresses[0] != address || len(peer.Addresses) != 2 {
		t.Errorf("the addresses are stored as %v", peer.Addresses)
	}
	_, err = (&Dialer{Keyring: thief, Log: testLog(t)}).Join(t.Context(), token, addresses)
	if !errors.Is(err, pairing.ErrNoInvitation) {
		t.Errorf("the token again: %v", err)
	}
	var at *AddressError
	if !errors.As(err, &at) {
		t.Errorf("the error names no address: %v", err)
	}
}

// TestManyStrangersAtOnce has more of them than there is room for, from many addresses: a peer may
// need another attempt, but gets in.
func TestManyStrangersAtOnce(t *testing.T) {
	t.Parallel()
	agent, display := keyring(t, pairing.Agent, "web1"), keyring(t, pairing.Display, "desk")
	sockets, address := listenLocal(t)
	atAgent := make(conns)
	start(t, func(ctx context.Context) error {
		return (&Listener{Keyring: agent, Log: slog.New(slog.DiscardHandler)}).Run(ctx, sockets, atAgent.handle)
	})
	befriend(t, display, agent, address)
	for i := range 2 * maxHandshakes {
		go func() {
			dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(i))}}
			conn, err := dialer.Dial("tcp", address)
			if err != nil {
				return
			}
			defer conn.Close()
			if i%2 == 0 {
				conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"pialert/1"}})
			}
			fmt.Fprint(conn, "\x16\x03\x01\x00\x05")
			conn.Read(make([]byte, 1))
		}()
	}
	start(t, func(ctx context.Context) error {
		return (&Dialer{Keyring: display, Log: testLog(t)}).Run(ctx, func(ctx context.Context, conn *Conn) error {
			fmt.Fprintln(conn, "still here")
			return drain(ctx, conn)
		})
	})
	got := make([]byte, len("still here\n"))
	if _, err := io.ReadFull(atAgent.next(t), got); err != nil || string(got) != "still here\n" {
		t.Errorf("read %q, %v", got, err)
	}
}
