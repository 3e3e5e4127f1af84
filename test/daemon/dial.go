package daemon

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// Dial connects to a TCP port of the machine's address of from's family, from that source.
func (m *Machine) Dial(ctx context.Context, from netip.Addr, port uint16) (net.Conn, error) {
	var conn net.Conn
	err := m.inNetwork(func() (err error) {
		dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))}
		to := netip.AddrPortFrom(serverFor(from), port)
		conn, err = dialer.DialContext(ctx, "tcp", to.String())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot reach port %d from %s: %w", port, from, err)
	}
	// The attacks that use this are short: what stalls is a fault of the test.
	return conn, conn.SetDeadline(time.Now().Add(20 * time.Second))
}

// inNetwork calls f with sockets made in the machine's network. A socket belongs to the network
// of the thread that made it, and net makes the one socket of a dial to a single literal
// address on the thread of its caller.
func (m *Machine) inNetwork(f func() error) error {
	theirs, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", m.init.Process.Pid))
	if err != nil {
		return err
	}
	defer theirs.Close()

	runtime.LockOSThread()
	ours, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer ours.Close()
	if err := unix.Setns(int(theirs.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return err
	}
	failed := f()
	if err := unix.Setns(int(ours.Fd()), unix.CLONE_NEWNET); err != nil {
		return err // and the thread stays locked, so that it dies with its goroutine
	}
	runtime.UnlockOSThread()
	return failed
}

// serverFor returns the machine's address of the client's family.
func serverFor(from netip.Addr) netip.Addr {
	if from.Is4() {
		return Address4
	}
	return Address6
}
