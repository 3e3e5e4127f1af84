package cli

import (
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/coreos/go-systemd/v22/activation"
)

// Inherited are the sockets that systemd has opened for this program (sd_listen_fds(3)), such as those of
// low ports, for which the program then needs no capability.
type Inherited []*os.File

// InheritedSockets takes over the sockets. It is to be called once.
func InheritedSockets() Inherited { return activation.Files(true) }

// Find returns the socket of a network (udp, tcp or unixgram) and an address as for package net; nil if
// there is none. Ports are compared, and the paths of Unix sockets: the unit says on which addresses
// the socket listens.
func (i Inherited) Find(network, address string) *os.File {
	for _, file := range i {
		if local := localAddr(file, network); local != nil && sameAddr(local, address) {
			return file
		}
	}
	return nil
}

// localAddr returns the address of a socket if it is of a network.
func localAddr(file *os.File, network string) net.Addr {
	if network == "tcp" {
		listener, err := net.FileListener(file)
		if err != nil || listener.Addr().Network() != network {
			return nil
		}
		defer listener.Close()
		return listener.Addr()
	}
	conn, err := net.FilePacketConn(file)
	if err != nil || conn.LocalAddr().Network() != network {
		return nil
	}
	defer conn.Close()
	return conn.LocalAddr()
}

func sameAddr(local net.Addr, address string) bool {
	if unix, ok := local.(*net.UnixAddr); ok {
		return unix.Name == address
	}
	port := address[strings.LastIndexByte(address, ':')+1:]
	_, localPort, err := net.SplitHostPort(local.String())
	number, convErr := strconv.Atoi(port)
	return err == nil && convErr == nil && localPort == strconv.Itoa(number)
}
