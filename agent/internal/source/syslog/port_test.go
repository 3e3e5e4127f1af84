package syslog

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pialert/pialert/agent/internal/source"
	"github.com/pialert/pialert/agent/internal/source/sourcetest"
)

const frame = "<38>1 2026-11-20T12:00:00Z web sshd 7 - - message "

// newPort returns a port on loopback with a number of its own.
func newPort(network string, change func(*Options)) *Port {
	options := Options{
		Name: network + "://test", Network: network, Address: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler),
		From: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/24")},
	}
	if change != nil {
		change(&options)
	}
	return New(options)
}

// listening waits until the port is open, and returns where.
func listening(t *testing.T, p *Port) net.Addr {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		p.mu.Lock()
		sockets := p.sockets
		p.mu.Unlock()
		if len(sockets) > 0 {
			switch socket := sockets[0].(type) {
			case net.Listener:
				return socket.Addr()
			case net.PacketConn:
				return socket.LocalAddr()
			}
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("the port does not open")
	return nil
}

// dial connects from an address.
func dial(t *testing.T, from string, to net.Addr) net.Conn {
	t.Helper()
	dialer := net.Dialer{}
	switch to.Network() {
	case "udp":
		dialer.LocalAddr = &net.UDPAddr{IP: net.ParseIP(from)}
	case "tcp":
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	conn, err := dialer.Dial(to.Network(), to.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// commit tells that a chunk is on the disk.
func commit(chunk source.Chunk) {
	if chunk.Committed != nil {
		chunk.Committed(nil)
	}
}

func send(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := conn.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
}

// eventually waits until what the port says of itself fits.
func eventually(t *testing.T, p *Port, what string, fits func(source.Stats) bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !fits(p.Stats()[0]); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: %+v, %+v", what, p.Stats()[0], *p.Stats()[0].Network)
		}
	}
}

const line = "test: 2026-11-20T12:00:00Z 127.0.0.1 sshd[7]: message "

func TestEveryNetwork(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"udp", "tcp", "unixgram"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			p := newPort(network, func(o *Options) {
				if network == "unixgram" {
					o.Address = filepath.Join(t.TempDir(), "log")
				}
			})
			r := sourcetest.New(t)
			stop := r.Start(p)
			addr := listening(t, p)
			conn := dial(t, "127.0.0.1", addr)
			end, want := "", line
			if network == "tcp" {
				end = "\n"
			}
			if network == "unixgram" {
				want = strings.Replace(line, "127.0.0.1", "-", 1)
			}
			for i := range 3 {
				send(t, conn, fmt.Sprint(frame, i, end))
				r.Want(fmt.Sprint(want, i))
			}
			send(t, conn, "hello"+end)
			if got := sourcetest.Receive(t, r.Lines); !strings.HasSuffix(got, " hello") {
				t.Errorf("text without a header became %q", got)
			}
			eventually(t, p, "counts", func(s source.Stats) bool {
				return s.Lines == 4 && s.Network.Unparsed == 1 && s.State == source.Listening
			})
			stop()
			if network == "unixgram" {
				info, err := os.Stat(addr.String())
				if err != nil || info.Mode().Perm() != 0o660 {
					t.Errorf("the socket: %v, %v", info, err)
				}
			}
		})
	}
}

func TestStrangers(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			p := newPort(network, nil)
			r := sourcetest.New(t)
			r.Start(p)
			addr := listening(t, p)
			stranger := dial(t, "127.0.1.1", addr)
			stranger.Write([]byte(frame + "forged\n"))
			eventually(t, p, "a stranger", func(s source.Stats) bool { return s.Network.Refused == 1 && s.Network.RefusedLast == "127.0.1.1" })
			send(t, dial(t, "127.0.0.2", addr), frame+"1\n")
			r.Want(strings.Replace(line, "127.0.0.1", "127.0.0.2", 1) + "1")
		})
	}
}

func TestNamesOfSenders(t *testing.T) {
	t.Parallel()
	p := newPort("udp", func(o *Options) { o.Names = map[netip.Addr]string{netip.MustParseAddr("127.0.0.1"): "router"} })
	r := sourcetest.New(t)
	r.Start(p)
	send(t, dial(t, "127.0.0.1", listening(t, p)), frame+"1")
	r.Want(strings.Replace(line, "127.0.0.1", "127.0.0.1/router", 1) + "1")
}

// While nobody takes lines, a sender by TCP is held back, and nothing is lost.
func TestBackPressure(t *testing.T) {
	t.Parallel()
	p := newPort("tcp", nil)
	ctx, stop := context.WithCancel(t.Context())
	blocked, release := make(chan struct{}, 1), make(chan struct{})
	var lines int
	ended := make(chan error, 1)
	go func() {
		ended <- p.Run(ctx, func(_ context.Context, chunk source.Chunk) error {
			commit(chunk)
			if len(chunk.Data) > 0 {
				select {
				case blocked <- struct{}{}:
				default:
				}
				<-release
			}
			lines += bytes.Count(chunk.Data, []byte("\n"))
			return nil
		})
	}()
	conn := dial(t, "127.0.0.1", listening(t, p))
	const messages = 400_000 // of 100 bytes: far more than queue and buffers hold
	text := []byte(frame + strings.Repeat("x", 50) + "\n")
	written := make(chan struct{})
	go func() {
		defer close(written)
		block := bytes.Repeat(text, 100)
		for range messages / 100 {
			if _, err := conn.Write(block); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	<-blocked
	eventually(t, p, "the queue fills", func(source.Stats) bool {
		p.queue.mu.Lock()
		defer p.queue.mu.Unlock()
		return len(p.queue.lines) >= maxQueued
	})
	select {
	case <-written:
		t.Error("nobody held the sender back")
	default:
	}
	close(release)
	<-written
	eventually(t, p, "everything arrives", func(s source.Stats) bool { return s.Lines == messages })
	stop()
	if err := <-ended; err != nil || lines != messages {
		t.Errorf("%d lines of %d, error %v", lines, messages, err)
	}
}

// A connection outlives a run that another one follows, and lines that come between wait.
func TestRunningAgain(t *testing.T) {
	t.Parallel()
	p := newPort("tcp", nil)
	first := sourcetest.New(t)
	ctx, stop := context.WithCancelCause(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx, first.Emit) }()
	conn := dial(t, "127.0.0.1", listening(t, p))
	send(t, conn, frame+"1\n")
	first.Want(line + "1")
	stop(source.ErrAgain)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	send(t, conn, frame+"2\n")
	second := sourcetest.New(t)
	end := second.Start(p)
	second.Want(line + "2")
	send(t, conn, frame+"3\n")
	second.Want(line + "3")
	end()
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("the connection is open after the end")
	}
}

// Connections that were open when the agent was killed are told, once.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	r := sourcetest.New(t)
	p := newPort("tcp", func(o *Options) { o.Restore = r.Restore })
	stop := r.Start(p)
	conn := dial(t, "127.0.0.1", listening(t, p))
	send(t, conn, frame+"1\n")
	r.Want("test: " + strings.TrimPrefix(line, "test: ") + "1")
	eventually(t, p, "the connection is stored", func(source.Stats) bool {
		stored, _ := r.Restore("tcp://test")
		return string(stored) == `{"open":true,"connections":1}`
	})
	stop()
	if ended, _ := r.Restore("tcp://test"); string(ended) != `{"open":false,"connections":0}` {
		t.Errorf("after a stop %s is stored", ended)
	}
	for _, test := range []struct {
		stored string
		killed bool
		want   uint64
	}{
		{`{"open":true,"connections":1}`, true, 1}, {`{"open":true,"connections":0}`, true, 0}, {`{"open":false,"connections":0}`, false, 0},
		{`{"connections":2}`, true, 2}, {`{"connections":0}`, false, 0}, // as former versions stored it
		{"damaged", false, 0},
	} {
		r.Store("tcp://test", []byte(test.stored))
		again := newPort("tcp", func(o *Options) { o.Restore = r.Restore })
		stop := r.Start(again)
		listening(t, again)
		if got := again.Stats()[0].Network; got.Interrupted != test.want || got.Killed != test.killed {
			t.Errorf("after %s: killed %v, %d connections were interrupted, want %v and %d", test.stored, got.Killed, got.Interrupted, test.killed, test.want)
		}
		stop()
	}
}

// A port opens once it is stored that it is open, so that nothing can be lost by a kill that is not told; and
// whether it could be opened or not, an orderly end is stored, too.
func TestOpeningIsStoredFirst(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"udp", "tcp", "unixgram"} {
		for _, address := range []string{"", "/absent/log"} {
			if network != "unixgram" && address != "" {
				continue
			}
			t.Run(network+address, func(t *testing.T) {
				t.Parallel()
				p := newPort(network, func(o *Options) {
					if network == "unixgram" {
						o.Address = cmp.Or(address, filepath.Join(t.TempDir(), "log"))
					}
				})
				announced, committed := make(chan source.Chunk, 1), make(chan func(error), 1)
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				var last []byte
				go func() {
					ended <- p.Run(ctx, func(_ context.Context, chunk source.Chunk) error {
						if last = chunk.Position; chunk.Committed != nil {
							announced <- chunk
							committed <- chunk.Committed
						}
						return nil
					})
				}()
				if chunk := sourcetest.Receive(t, announced); string(chunk.Position) != `{"open":true,"connections":0}` || p.isOpen() {
					t.Errorf("stored is %s, and the port is open: %v", chunk.Position, p.isOpen())
				}
				(<-committed)(nil)
				eventually(t, p, "the socket", func(s source.Stats) bool {
					return s.State == source.Listening || address != "" && s.State == source.Failing
				})
				stop()
				if err := sourcetest.Receive(t, ended); err != nil || string(last) != `{"open":false,"connections":0}` {
					t.Errorf("it ended with %v and %s", err, last)
				}
			})
		}
	}
}

// A port that a reload has no use for hands on what it read and ends for good.
func TestRetiring(t *testing.T) {
	t.Parallel()
	p := newPort("tcp", nil)
	r := sourcetest.New(t)
	ctx, stop := context.WithCancelCause(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx, r.Emit) }()
	addr := listening(t, p)
	send(t, dial(t, "127.0.0.1", addr), frame+"1\n")
	r.Want(line + "1")
	p.Retire()
	stop(source.ErrAgain)
	if err := sourcetest.Receive(t, ended); err != nil {
		t.Fatal(err)
	}
	if stored, _ := r.Restore("tcp://test"); string(stored) != `{"open":false,"connections":0}` {
		t.Errorf("%s is stored", stored)
	}
	if conn, err := net.Dial("tcp", addr.String()); err == nil {
		conn.Close()
		t.Error("it still listens")
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	p := newPort("tcp", nil)
	r := sourcetest.New(t)
	r.Start(p)
	addr := listening(t, p)
	for range maxPerSender {
		dial(t, "127.0.0.1", addr)
	}
	eventually(t, p, "connections", func(s source.Stats) bool { return s.Network.Connections == maxPerSender })
	dial(t, "127.0.0.1", addr)
	eventually(t, p, "one too many", func(s source.Stats) bool { return s.Network.Refused == 1 })
	send(t, dial(t, "127.0.0.2", addr), frame+"1\n")
	r.Want(strings.Replace(line, "127.0.0.1", "127.0.0.2", 1) + "1")
}

// Ever new senders do not make memory grow, and who sends on is known on.
func TestSendersAreBounded(t *testing.T) {
	t.Parallel()
	p := newPort("udp", func(o *Options) { o.From = nil })
	addr := netip.MustParseAddr("2001:db8::")
	faithful := netip.MustParseAddr("192.0.2.1")
	for i := range 3 * maxSenders {
		if word := p.admit(addr); len(word) == 0 || word[len(word)-1] == ':' {
			t.Fatalf("%s is called %q", addr, word)
		}
		if addr = addr.Next(); i%100 == 0 {
			p.admit(faithful)
		}
	}
	if n := p.senders.len(); n != maxSenders {
		t.Errorf("%d senders are remembered, want %d", n, maxSenders)
	}
	if p.senders.get(faithful) == nil {
		t.Error("who sends on was forgotten")
	}
}

// Where the socket cannot be opened the port says so, and goes on trying.
func TestNoSocket(t *testing.T) {
	t.Parallel()
	p := newPort("unixgram", func(o *Options) { o.Address = filepath.Join(t.TempDir(), "absent", "log") })
	ctx, stop := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		err := p.Run(ctx, func(_ context.Context, chunk source.Chunk) error {
			commit(chunk)
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	eventually(t, p, "failing", func(s source.Stats) bool { return s.State == source.Failing && s.Error != "" })
	stop()
	done.Wait()
}
