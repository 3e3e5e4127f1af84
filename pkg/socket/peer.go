package socket

import (
	"fmt"
	"net"
	"slices"

	"golang.org/x/sys/unix"
)

// User returns the user of the process at the other end of a Unix socket, by what the kernel says of
// it (SO_PEERCRED, unix(7)).
func User(conn net.Conn) (uint32, error) {
	local, ok := conn.(*net.UnixConn)
	if !ok {
		return 0, fmt.Errorf("%T is no Unix socket", conn)
	}
	raw, err := local.SyscallConn()
	if err != nil {
		return 0, err
	}
	var who *unix.Ucred
	var problem error
	err = raw.Control(func(fd uintptr) { who, problem = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err == nil {
		err = problem
	}
	if err != nil {
		return 0, fmt.Errorf("cannot learn who connected: %w", err)
	}
	return who.Uid, nil
}

// Only returns a listener that closes each connection of another user than those given, before a
// byte is read from it.
func Only(listener net.Listener, users ...uint32) net.Listener { return only{listener, users} }

type only struct {
	net.Listener
	users []uint32
}

func (o only) Accept() (net.Conn, error) {
	for {
		conn, err := o.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if user, err := User(conn); err == nil && slices.Contains(o.users, user) {
			return conn, nil
		}
		conn.Close()
	}
}
