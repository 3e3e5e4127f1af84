package cli

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A socket of systemd's that is away for a moment does not end the program.
func TestNotifyGoesOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "3000")
	t.Setenv("WATCHDOG_PID", "")
	systemd := listenAs(t, path)
	ctx, stop := context.WithCancel(t.Context())
	asked := make(chan struct{}, 1000)
	done := make(chan error)
	go func() {
		done <- Notify(ctx, func() error { return nil }, func() string {
			select {
			case asked <- struct{}{}:
			default:
			}
			return "well"
		})
	}()
	await(t, systemd, "READY=1")
	systemd.Close()
	os.Remove(path)
	for range len(asked) + 3 { // it tried while nobody listened
		select {
		case <-asked:
		case err := <-done:
			t.Fatalf("it ended: %v", err)
		}
	}
	systemd = listenAs(t, path)
	await(t, systemd, "WATCHDOG=1")
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func listenAs(t *testing.T, path string) *net.UnixConn {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// await reads until a message holds the text.
func await(t *testing.T, conn *net.UnixConn, text string) {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(30 * time.Second))
	buffer := make([]byte, 1024)
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			t.Fatalf("systemd was not told %s: %v", text, err)
		}
		if strings.Contains(string(buffer[:n]), text) {
			return
		}
	}
}
