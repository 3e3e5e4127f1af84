package control_test

import (
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/pialert/pialert/pkg/control"
)

// Whoever holds connections open takes 64 descriptors of the program's at most; the next one waits until one ends.
func TestConnectionsAreBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	listener, err := control.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				conn.Write([]byte("!"))
				conn.Read(make([]byte, 1)) // until the other end closes
			}()
		}
	}()
	dial := func() net.Conn {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	answered := func(conn net.Conn, within time.Duration) bool {
		conn.SetReadDeadline(time.Now().Add(within))
		_, err := conn.Read(make([]byte, 1))
		return err == nil
	}
	var last net.Conn
	for range 64 {
		if last = dial(); !answered(last, 20*time.Second) {
			t.Fatal("one of the first 64 is not served")
		}
	}
	next := dial()
	if answered(next, 100*time.Millisecond) {
		t.Error("the 65th is served")
	}
	last.Close()
	if !answered(next, 20*time.Second) {
		t.Error("the 65th is not served when another one has ended")
	}
}
