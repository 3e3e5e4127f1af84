package link

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const connectTimeout = 10 * time.Second // for one TCP connection

// deadAfter is how long a TCP connection may get no answer from the other end's kernel. A
// silent connection is asked at 10, 15 and 20 seconds and given up at 25; data that nobody
// acknowledges is given up after 25 (TCP_USER_TIMEOUT, tcp(7)).
const deadAfter = 25 * time.Second

var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3}

// tcpDialer resolves names anew at each call and tries IPv6 and IPv4 side by side (RFC 8305).
func tcpDialer() *net.Dialer {
	return &net.Dialer{Timeout: connectTimeout, KeepAliveConfig: keepAlive, Control: setUserTimeout}
}

func setUserTimeout(network, _ string, conn syscall.RawConn) error {
	if network != "tcp4" && network != "tcp6" {
		return nil
	}
	var failed error
	err := conn.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(deadAfter/time.Millisecond))
	})
	if err != nil {
		return err
	}
	return failed
}
