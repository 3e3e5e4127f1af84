package syslog

import (
	"net"
	"net/netip"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// batchSize is how many datagrams are read by one call of the kernel. Of their buffers the pages that no
// datagram was long enough for take no memory.
const batchSize = 32

// batch reads datagrams. It belongs to one goroutine.
type batch interface {
	// read waits for datagrams and returns how many it has, with an error none.
	read() (int, error)
	// datagram returns one of them and who sent it, valid until the next read. One that is longer than
	// [MaxFrame] has one byte more.
	datagram(i int) ([]byte, netip.Addr)
}

// newBatch returns what reads a socket.
func newBatch(conn net.PacketConn) batch {
	if udp, ok := conn.(*net.UDPConn); ok {
		if raw, err := udp.SyscallConn(); err == nil {
			return newKernelBatch(raw)
		}
	}
	return &single{conn: conn, buffer: make([]byte, MaxFrame+1)}
}

// single reads one datagram at a time, of a socket whose senders have no addresses.
type single struct {
	conn   net.PacketConn
	buffer []byte
	n      int
}

func (s *single) read() (n int, err error) {
	s.n, _, err = s.conn.ReadFrom(s.buffer)
	return 1, err
}

func (s *single) datagram(int) ([]byte, netip.Addr) { return s.buffer[:s.n], netip.Addr{} }

// message is struct mmsghdr of recvmmsg(2).
type message struct {
	header unix.Msghdr
	length uint32
}

// kernelBatch reads by recvmmsg(2): a call for each datagram is most of what reading one costs.
type kernelBatch struct {
	conn     syscall.RawConn
	messages [batchSize]message
	vectors  [batchSize]unix.Iovec
	names    [batchSize]unix.RawSockaddrInet6 // the longest of an address
	buffers  [batchSize][]byte
}

func newKernelBatch(conn syscall.RawConn) *kernelBatch {
	b := &kernelBatch{conn: conn}
	all := make([]byte, batchSize*(MaxFrame+1))
	for i := range b.messages {
		b.buffers[i], all = all[:MaxFrame+1:MaxFrame+1], all[MaxFrame+1:]
		b.vectors[i].Base = &b.buffers[i][0]
		b.vectors[i].SetLen(MaxFrame + 1)
		b.messages[i].header.Name = (*byte)(unsafe.Pointer(&b.names[i]))
		b.messages[i].header.Iov = &b.vectors[i]
		b.messages[i].header.SetIovlen(1)
	}
	return b
}

func (b *kernelBatch) read() (n int, err error) {
	for i := range b.messages {
		b.messages[i].header.Namelen = unix.SizeofSockaddrInet6 // the kernel shortens it
	}
	failed := b.conn.Read(func(fd uintptr) bool {
		got, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&b.messages[0])), batchSize, 0, 0, 0)
		switch errno {
		case 0:
			n, err = int(got), nil
		case unix.EAGAIN:
			return false
		default:
			n, err = 0, os.NewSyscallError("recvmmsg", errno)
		}
		return true
	})
	if failed != nil {
		return 0, failed
	}
	return n, err
}

func (b *kernelBatch) datagram(i int) ([]byte, netip.Addr) {
	data, name := b.buffers[i][:b.messages[i].length], &b.names[i]
	switch name.Family {
	case unix.AF_INET:
		return data, netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(name)).Addr)
	case unix.AF_INET6:
		return data, netip.AddrFrom16(name.Addr).Unmap()
	}
	return data, netip.Addr{}
}
