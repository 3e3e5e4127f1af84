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
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pialert/pialert/pkg/backoff"
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

// TestOneAddressCannotCrowdOutOthers holds as many half handshakes as one address may have, and one
// more: its oldest ends, and a peer gets in, from the same address as well.
func TestOneAddressCannotCrowdOutOthers(t *testing.T) {
	t.Parallel()
	agent, display := keyring(t, pairing.Agent, "web1"), keyring(t, pairing.Display, "desk")
	sockets, address := listenLocal(t)
	atAgent := make(conns)
	listener := &Listener{Keyring: agent, Log: testLog(t)}
	start(t, func(ctx context.Context) error { return listener.Run(ctx, sockets, atAgent.handle) })
	befriend(t, display, agent, address)

	slow := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	closed := make(chan int, maxPerSource+1)
	for i := range maxPerSource + 1 {
		conn, err := slow.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		io.WriteString(conn, "\x16\x03\x01") // and no more
		for i < maxPerSource && listener.handshakes.underWay() <= i {
			runtime.Gosched()
		}
		go func() {
			conn.Read(make([]byte, 1))
			closed <- i
		}()
	}
	if first := <-closed; first != 0 {
		t.Errorf("connection %d made room, not the oldest", first)
	}
	for _, host := range []byte{2, 3} {
		good := &Dialer{Keyring: display, Log: testLog(t), Dial: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, host)}}).DialContext}
		link, err := good.open(t.Context(), "web1")
		if err != nil {
			t.Fatal(err)
		}
		say(t, link, atAgent.next(t), "I got in")
		link.Close()
	}
}

func (h *handshakes) underWay() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.strangers) + len(h.peers)
}

func at(ip string) source { return sourceAt(netip.MustParseAddr(ip)) }

func TestSources(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1", "::ffff:192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"2001:db8:1:2::3", "2001:db8:1:ffff::", true}, // a customer has a /48
		{"2001:db8:1::", "2001:db8:2::", false},
		{"fe80::1%eth0", "fe80::2%eth1", true},
	} {
		if same := at(test.a) == at(test.b); same != test.same {
			t.Errorf("%s and %s are the same: %v", test.a, test.b, same)
		}
	}
}

// TestUsersOfTheRelaySocket tells the users of this machine apart.
func TestUsersOfTheRelaySocket(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	sockets, err := Listen(t.Context(), "unix:"+filepath.Join(dir, "relay.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer sockets[0].Close()
	users := []int{os.Getuid()}
	if users[0] == 0 { // only root can be others as well
		users = append(users, 4711, 4712)
	}
	for _, user := range users {
		dialAs(t, user, sockets[0].Addr().String())
		conn, err := sockets[0].Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if got, want := sourceOf(conn), (source{user: uint32(user)}); got != want {
			t.Errorf("the connection is from %+v, want %+v", got, want)
		}
		conn.Close()
		if got := sourceOf(conn); got.user != nobody {
			t.Errorf("one of which the kernel tells nothing is %d's", got.user)
		}
	}
}

// dialAs connects to a Unix socket as another user of this machine.
func dialAs(t *testing.T, user int, path string) {
	t.Helper()
	dialled := make(chan error)
	go func() {
		runtime.LockOSThread() // the thread ends with this function, and with it who it is
		if _, _, err := syscall.RawSyscall(syscall.SYS_SETRESUID, uintptr(user), uintptr(user), uintptr(user)); err != 0 {
			dialled <- err
			return
		}
		conn, err := net.Dial("unix", path)
		if err == nil {
			t.Cleanup(func() { conn.Close() })
		}
		dialled <- err
	}()
	if err := <-dialled; err != nil {
		t.Fatal(err)
	}
}

func TestHandshakeRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var h handshakes
		try := func(from string) error {
			_, _, end, err := h.begin(t.Context(), at(from))
			if err == nil {
				end()
			}
			return err
		}
		for i := range handshakeBurst {
			if err := try("192.0.2.1"); err != nil {
				t.Fatalf("handshake %d: %v", i, err)
			}
		}
		if err := try("192.0.2.1"); !errors.Is(err, errTooOften) {
			t.Errorf("one more: %v", err)
		}
		if err := try("192.0.2.2"); err != nil {
			t.Errorf("another address: %v", err)
		}
		time.Sleep(time.Second / handshakeRate)
		if err := try("192.0.2.1"); err != nil {
			t.Errorf("a moment later: %v", err)
		}
	})
}

// besieged has strangers hold half handshakes, at a rate from many addresses, and returns how long a
// peer takes to get in whose handshake takes a third of a second, as over a slow line.
func besieged(t *testing.T, h *handshakes, rate int, from func(i int) source, peer source) (took time.Duration) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	hold := func(i int) {
		if limited, _, end, err := h.begin(ctx, from(i)); err == nil {
			<-limited.Done()
			end()
		}
	}
	var strangers sync.WaitGroup
	defer strangers.Wait()
	defer stop()
	strangers.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			strangers.Go(func() { hold(i) })
			time.Sleep(time.Second / time.Duration(rate))
		}
	})
	time.Sleep(2 * time.Second) // the siege stands
	began := time.Now()
	for wait := (backoff.Backoff{First: firstPause, Last: lastPause}); ; {
		limited, _, end, err := h.begin(ctx, peer)
		if err == nil {
			select {
			case <-time.After(333 * time.Millisecond):
				end()
				return time.Since(began)
			case <-limited.Done():
				end()
			}
		}
		time.Sleep(wait.Next())
	}
}

// TestAPeerGetsInAmongStrangers has 600 connections a second come from 4,000 addresses, and 50 a
// second from the peer's own address.
func TestAPeerGetsInAmongStrangers(t *testing.T) {
	t.Parallel()
	peer := at("198.51.100.7")
	many := func(i int) source {
		return sourceAt(netip.AddrFrom4([4]byte{10, 0, byte(i % 4000 >> 8), byte(i % 4000)}))
	}
	own := func(int) source { return peer }
	for _, test := range []struct {
		name string
		rate int
		from func(int) source
		last source        // where the peer came from last
		most time.Duration // in which it gets in, at every one of the tries
	}{
		{"4000 addresses, the peer comes from where it was", 600, many, peer, 333 * time.Millisecond},
		{"its own address, where it was", 50, own, peer, 333 * time.Millisecond},
		{"its own address, where it never was", 50, own, source{}, 333 * time.Millisecond},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var h handshakes
				h.came("desk", test.last)
				if took := besieged(t, &h, test.rate, test.from, peer); took > test.most {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
	t.Run("4000 addresses, the peer comes from elsewhere", func(t *testing.T) {
		t.Parallel()
		late := 0
		for range 20 {
			synctest.Test(t, func(t *testing.T) {
				var h handshakes
				if besieged(t, &h, 600, many, peer) > 5*time.Second {
					late++
				}
			})
		}
		if late > 1 { // one in 500 is; two of 20 are one in 1,000 runs
			t.Errorf("%d of 20 times it took more than five seconds", late)
		}
	})
}

// TestStrangersNeverTakeThePeersRoom fills all of the strangers' room, and the peers' from one peer's
// neighbourhood.
func TestStrangersNeverTakeThePeersRoom(t *testing.T) {
	t.Parallel()
	var h handshakes
	h.came("desk", at("198.51.100.7"))
	h.came("shelf", at("198.51.100.8"))
	begin := func(from source) context.Context {
		ctx, _, _, err := h.begin(t.Context(), from)
		if err != nil {
			t.Fatal(err)
		}
		return ctx
	}
	desk := begin(at("198.51.100.7"))
	for i := range 2 * strangersRoom {
		begin(sourceAt(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})))
	}
	if desk.Err() != nil {
		t.Errorf("strangers cut a peer short: %v", context.Cause(desk))
	}
	if n := h.underWay(); n != strangersRoom+1 {
		t.Errorf("%d handshakes are under way", n)
	}
	for n := range 2 * peersRoom {
		clear(h.rates) // they take their time
		if begin(at("198.51.100.8")); n == peersRoom/2 && desk.Err() != nil {
			t.Errorf("half of the peers' room was taken, and a peer cut short: %v", context.Cause(desk))
		}
	}
	if desk.Err() != nil {
		t.Errorf("another peer's neighbours cut a peer short: %v", context.Cause(desk))
	}
	if n := h.underWay(); n != strangersRoom+peersRoom {
		t.Errorf("%d handshakes are under way", n)
	}
}

// TestSlowPeersAmongNeighbours gives a peer the time that its handshake takes on a busy machine, while 50 strangers
// a second come from its own address.
func TestSlowPeersAmongNeighbours(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var h handshakes
		home := at("198.51.100.7")
		h.came("desk", home)
		desk, _, end, err := h.begin(t.Context(), home)
		if err != nil {
			t.Fatal(err)
		}
		for range 5 * 50 {
			time.Sleep(20 * time.Millisecond)
			if _, _, _, err := h.begin(t.Context(), home); err != nil {
				t.Fatal(err)
			}
		}
		if desk.Err() != nil {
			t.Errorf("the peer was cut short: %v", context.Cause(desk))
		}
		end()
		time.Sleep(2 * handshakeTimeout) // the others run out of time
	})
}

func TestWhatIsKnownIsBounded(t *testing.T) {
	t.Parallel()
	var h handshakes
	for i := range 3 * maxKnownSources {
		from := sourceAt(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}))
		_, _, end, err := h.begin(t.Context(), from)
		if err != nil {
			t.Fatal(err)
		}
		end()
		h.came(fmt.Sprint("peer", i), from)
	}
	if len(h.rates) > maxKnownSources || len(h.lastFrom) > pairing.MaxPeers {
		t.Errorf("%d rates and %d peers are known", len(h.rates), len(h.lastFrom))
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
	for i := range 2 * strangersRoom {
		go func() {
			dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1+byte(i>>8), byte(i))}}
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
