package pairing

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestPairedMachinesTalk(t *testing.T) {
	t.Parallel()
	agent, display := open(t, Agent, "web1"), open(t, Display, "desk")
	befriend(t, agent, display)
	for _, way := range []struct {
		name            string
		dials, listens  *Keyring
		dialled, caller string
	}{
		{"display dials", display, agent, "web1", "desk"},
		{"agent dials", agent, display, "desk", "web1"},
	} {
		t.Run(way.name, func(t *testing.T) {
			a, b := mustMeet(t, way.dials, way.listens)
			if a.Peer.Name != way.dialled || b.Peer.Name != way.caller {
				t.Errorf("the ends see %s and %s, want %s and %s", a.Peer.Name, b.Peer.Name, way.dialled, way.caller)
			}
			go fmt.Fprintln(a, "hello")
			got := make([]byte, 6)
			if _, err := io.ReadFull(b, got); err != nil || string(got) != "hello\n" {
				t.Errorf("read %q, %v", got, err)
			}
			if v := a.ConnectionState().Version; v != tls.VersionTLS13 {
				t.Errorf("TLS version is %x", v)
			}
		})
	}
}

func TestStrangerGetsNoByte(t *testing.T) {
	t.Parallel()
	stranger, _, err := newIdentity()
	if err != nil {
		t.Fatal(err)
	}
	hello := func(change func(*tls.Config)) func(net.Conn) {
		return func(conn net.Conn) {
			config := baseConfig(stranger, protocolDeliver, func(Fingerprint) error { return nil })
			change(config)
			tls.Client(conn, config).Handshake()
		}
	}
	write := func(text string) func(net.Conn) {
		return func(conn net.Conn) { io.WriteString(conn, text) }
	}
	for _, test := range []struct {
		name  string
		speak func(net.Conn)
	}{
		{"HTTP", write("GET / HTTP/1.1\r\nHost: example.org\r\n\r\n")},
		{"an SSH banner", write("SSH-2.0-OpenSSH_9.2p1\r\n")},
		{"garbage", write(strings.Repeat("\x00\xff", 5000))},
		{"a broken TLS record", write("\x16\x03\x01\xff\xff" + strings.Repeat("a", 1000))},
		{"a TLS alert", write("\x15\x03\x03\x00\x02\x02\x28")},
		{"TLS without a protocol", hello(func(c *tls.Config) { c.NextProtos = nil })},
		{"TLS for the web", hello(func(c *tls.Config) { c.NextProtos = []string{"h2", "http/1.1"} })},
		{"TLS for us and others", hello(func(c *tls.Config) { c.NextProtos = []string{protocolDeliver, "h2"} })},
		{"TLS 1.2", hello(func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS12, tls.VersionTLS12 })},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			ctx := bounded(t)
			dialled, listening := wire(t)
			result := acceptOn(ctx, open(t, Agent, "web1"), listening, &Invitations{})
			recorder := &recordingConn{Conn: dialled}
			test.speak(recorder)
			dialled.(*net.TCPConn).CloseWrite()
			if answer := <-result; answer.err == nil {
				t.Error("it was let in")
			}
			if _, err := io.Copy(io.Discard, recorder); err != nil && !isReset(err) {
				t.Errorf("the connection is still open: %v", err)
			}
			if recorder.read.Len() > 0 {
				t.Errorf("it got %d bytes: %q", recorder.read.Len(), recorder.read.Bytes())
			}
		})
	}
}

func isReset(err error) bool { return strings.Contains(err.Error(), "connection reset") }

// recordingConn keeps what was read.
type recordingConn struct {
	net.Conn
	read bytes.Buffer
}

func (c *recordingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.read.Write(p[:n])
	return n, err
}

func TestUnknownKeyIsCut(t *testing.T) {
	t.Parallel()
	agent, stranger := open(t, Agent, "web1"), open(t, Display, "desk")
	// The stranger knows the agent, but not the other way round.
	if err := stranger.Add(Peer{Name: "web1", Role: Agent, Key: agent.Key()}); err != nil {
		t.Fatal(err)
	}
	_, _, errA, errB := meet(t, stranger, agent)
	if !errors.Is(errA, ErrRefused) {
		t.Errorf("the stranger got %v, want %v", errA, ErrRefused)
	}
	if !errors.Is(errB, ErrNotPaired) {
		t.Errorf("the agent got %v, want %v", errB, ErrNotPaired)
	}
}

func TestStrangerHearsNothingInsideTLS(t *testing.T) {
	t.Parallel()
	// A stranger that knows the protocol completes its half of the handshake before it is
	// verified; it must be cut without application data.
	agent := open(t, Agent, "web1")
	befriend(t, agent, open(t, Display, "desk"))
	stranger, _, err := newIdentity()
	if err != nil {
		t.Fatal(err)
	}
	dialled, listening := wire(t)
	result := acceptOn(bounded(t), agent, listening, nil)
	conn := tls.Client(dialled, baseConfig(stranger, protocolDeliver, func(Fingerprint) error { return nil }))
	if err := conn.Handshake(); err != nil {
		t.Fatalf("the half handshake failed: %v", err)
	}
	if n, err := conn.Read(make([]byte, 1)); n != 0 || !strings.Contains(err.Error(), "bad certificate") {
		t.Errorf("read %d bytes, %v", n, err)
	}
	if answer := <-result; !errors.Is(answer.err, ErrNotPaired) {
		t.Errorf("the agent got %v", answer.err)
	}
	if cert := conn.ConnectionState().PeerCertificates[0]; cert.Subject.String() != "" || len(cert.DNSNames) > 0 {
		t.Errorf("the certificate names %q %q", cert.Subject, cert.DNSNames)
	}
}

func TestManInTheMiddle(t *testing.T) {
	t.Parallel()
	agent, display, middle := open(t, Agent, "web1"), open(t, Display, "desk"), open(t, Agent, "web1")
	befriend(t, agent, display)
	befriend(t, middle, open(t, Display, "mallory"))
	if err := middle.Add(Peer{Name: "desk", Role: Display, Key: display.Key()}); err != nil {
		t.Fatal(err)
	}
	_, _, errA, errB := meet(t, display, middle)
	if !errors.Is(errA, ErrWrongKey) {
		t.Errorf("the display got %v, want %v", errA, ErrWrongKey)
	}
	if errB == nil {
		t.Error("the one in the middle got a session")
	}
}

func TestSessionEndsWithPairing(t *testing.T) {
	t.Parallel()
	agent, display := open(t, Agent, "web1"), open(t, Display, "desk")
	befriend(t, agent, display)
	_, atDisplay := mustMeet(t, agent, display)
	changed := display.Changed()
	if display.Check(atDisplay) != nil {
		t.Fatal("a new session is not valid")
	}
	if _, err := display.Remove("web1"); err != nil {
		t.Fatal(err)
	}
	<-changed
	if display.Check(atDisplay) == nil {
		t.Error("the session is still valid")
	}
	if err := display.Add(Peer{Name: "web1", Role: Agent, Key: open(t, Agent, "web1").Key()}); err != nil {
		t.Fatal(err)
	}
	if display.Check(atDisplay) == nil {
		t.Error("the session is valid again under a name that belongs to another key now")
	}
}

func TestGreetingIsBounded(t *testing.T) {
	t.Parallel()
	agent, display := open(t, Agent, "web1"), open(t, Display, "desk")
	befriend(t, agent, display)
	for _, test := range []struct{ name, bytes, want string }{
		{"huge", "\xff\xff\xff\xff\x0f", "size"},
		{"not protobuf", "\x03\xff\xff\xff", "Greeting"},
		{"a key of three bytes", "\x05\x0a\x03abc", "next key has 3 bytes"},
		{"nothing", "", "EOF"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dialled, listening := wire(t)
			result := acceptOn(bounded(t), agent, listening, nil)
			state := display.snapshot()
			conn := state.client(dialled, protocolDeliver, agent.Key())
			io.WriteString(conn, test.bytes)
			conn.CloseWrite()
			if answer := <-result; answer.err == nil || !strings.Contains(answer.err.Error(), test.want) {
				t.Errorf("got %v, want %q in it", answer.err, test.want)
			}
		})
	}
}

// TestWhoeverStopsIsCut has the dialling end stop, or go on a byte a second, at each stage of its beginning.
// However far it came, the listening end waits no longer than it means to.
func TestWhoeverStopsIsCut(t *testing.T) {
	t.Parallel()
	agent, desk := open(t, Agent, "web1"), open(t, Display, "desk")
	befriend(t, agent, desk)
	state := desk.snapshot()
	handshake := func(protocol string, after ...byte) func(net.Conn) {
		return func(conn net.Conn) {
			secure := state.client(conn, protocol, agent.Key())
			if secure.Handshake() == nil {
				secure.Write(after)
			}
		}
	}
	slowly := func(conn net.Conn) { // the beginning of a record of 512 bytes
		for _, b := range append([]byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc"), make([]byte, 500)...) {
			time.Sleep(time.Second)
			if _, err := conn.Write([]byte{b}); err != nil {
				return
			}
		}
	}
	for name, speak := range map[string]func(net.Conn){
		"before a byte":                func(net.Conn) {},
		"in the hello":                 func(conn net.Conn) { io.WriteString(conn, "\x16\x03\x01\x02\x00\x01") },
		"in the hello, byte by byte":   slowly,
		"before the greeting":          handshake(protocolDeliver),
		"in the greeting":              handshake(protocolDeliver, 40, 1),
		"before it shows a token":      handshake(protocolJoin),
		"while it shows a token":       handshake(protocolJoin, 40, 1),
		"before the greeting's end":    handshake(protocolDeliver, 0),
		"in a greeting without an end": handshake(protocolDeliver, 0xff, 0xff, 0xff, 0xff, 0x0f),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const within = 10 * time.Second
				ctx, cancel := context.WithTimeout(t.Context(), within)
				defer cancel()
				dialled, listening := net.Pipe()
				spoken := make(chan struct{})
				go func() {
					defer close(spoken)
					speak(dialled)
				}()
				began := time.Now()
				session, joined, err := agent.Accept(ctx, listening, &Invitations{}, func() {})
				if err == nil {
					t.Errorf("it was let in: %v %v", session, joined)
				}
				if took := time.Since(began); took > within {
					t.Errorf("it was cut after %v", took)
				}
				if _, err := listening.Write([]byte("x")); !errors.Is(err, io.ErrClosedPipe) {
					t.Errorf("the connection is still open: %v", err)
				}
				dialled.Close()
				<-spoken
			})
		})
	}
}
