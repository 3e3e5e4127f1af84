package syslog

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pialert/pialert/agent/internal/source"
)

// recorded is how rsyslogd forwards a line of sshd's.
const recorded = "<38>Nov 20 12:00:00 web sshd[4711]: Failed password for invalid user admin from 203.0.113.7 port 50022 ssh2"

// BenchmarkFramesAndLines finds messages in a stream and makes lines of them, on one core.
func BenchmarkFramesAndLines(b *testing.B) {
	for name, frame := range map[string]string{"newline": recorded + "\n", "counted": fmt.Sprint(len(recorded), " ", recorded)} {
		b.Run(name, func(b *testing.B) {
			const messages = 1000
			stream := bytes.Repeat([]byte(frame), messages)
			w := writer{byHeader: true}
			now := time.Now()
			var lines []byte
			b.SetBytes(int64(len(stream)))
			before := spent(b)
			for b.Loop() {
				var f framer
				lines = lines[:0]
				for done := 0; done < len(stream); {
					message, n, ok := f.next(stream[done:], more)
					if done += n; !ok {
						break
					}
					lines, _ = w.append(lines, message, []byte("192.0.2.1"), now)
				}
				if bytes.Count(lines, []byte("\n")) != messages {
					b.Fatal("messages are missing")
				}
			}
			b.ReportMetric(float64(b.N*messages)/(spent(b)-before).Seconds(), "messages/s")
		})
	}
}

// spent returns the processor's time that this process has had: others may need the core, too.
func spent(b *testing.B) time.Duration {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// pace is how many datagrams a second are sent.
const pace = 350_000

// BenchmarkUDP sends b.N datagrams from one sender at a pace that is above the goal, to a socket with the buffer that the
// documentation recommends, as systemd makes it, and says how many arrived.
func BenchmarkUDP(b *testing.B) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		b.Fatal(err)
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		b.Fatal(err)
	}
	raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20) })
	file, fileErr := conn.File()
	if err != nil || fileErr != nil {
		b.Fatal("only root may have so large a buffer:", err, fileErr)
	}
	conn.Close()
	p := newPort("udp", func(o *Options) { o.File = file })
	ctx, stop := context.WithCancel(b.Context())
	defer stop()
	ended := make(chan error, 1)
	var lines atomic.Int64
	go func() {
		ended <- p.Run(ctx, func(_ context.Context, chunk source.Chunk) error {
			commit(chunk)
			lines.Add(int64(bytes.Count(chunk.Data, []byte("\n"))))
			return nil
		})
	}()
	for !p.isOpen() {
		time.Sleep(time.Millisecond)
	}
	sender, err := net.Dial("udp", p.sockets[0].(net.PacketConn).LocalAddr().String())
	if err != nil {
		b.Fatal(err)
	}
	// Many at a time, which the kernel cuts into datagrams (UDP_SEGMENT, udp(7)): one by one, sending costs three
	// times what receiving does, and the sender would be what is measured.
	raw, err = sender.(*net.UDPConn).SyscallConn()
	if err != nil {
		b.Fatal(err)
	}
	raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_UDP, unix.UDP_SEGMENT, len(recorded)) })
	if err != nil {
		b.Fatal(err)
	}
	many := bytes.Repeat([]byte(recorded), batchSize)
	b.ResetTimer()
	for written := 0; written < b.N; {
		n, err := sender.Write(many[:min(b.N-written, batchSize)*len(recorded)])
		if err != nil {
			b.Fatal(err)
		}
		written += n / len(recorded)
		time.Sleep(time.Duration(written)*time.Second/pace - b.Elapsed())
	}
	sent := b.Elapsed()
	for before := int64(-1); lines.Load() > before && lines.Load() < int64(b.N); time.Sleep(100 * time.Millisecond) {
		before = lines.Load()
	}
	drops, _ := dropped(p.packets)
	b.ReportMetric(float64(b.N)/sent.Seconds(), "messages/s")
	b.ReportMetric(float64(int64(b.N)-lines.Load()), "lost")
	b.ReportMetric(float64(drops), "dropped")
	stop()
	<-ended
}

// BenchmarkSenders has messages from ever new senders, and says what memory that takes in the end.
func BenchmarkSenders(b *testing.B) {
	p := newPort("udp", func(o *Options) { o.From = nil })
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	addr := netip.MustParseAddr("2001:db8::")
	for range max(b.N, 10*maxSenders) {
		addr = addr.Next()
		p.admit(addr)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1024, "KiB")
	b.ReportMetric(float64(p.senders.len()), "senders")
}
