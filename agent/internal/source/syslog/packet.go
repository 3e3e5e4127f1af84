package syslog

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// listenPacket opens the socket for datagrams, or takes the one that was handed over.
func (p *Port) listenPacket(ctx context.Context) (net.PacketConn, error) {
	conn, err := p.packetConn(ctx)
	if err != nil {
		return nil, err
	}
	if sized, ok := conn.(interface{ SetReadBuffer(int) error }); ok && p.options.Buffer > 0 && p.options.File == nil {
		if err := sized.SetReadBuffer(p.options.Buffer); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	return conn, nil
}

func (p *Port) packetConn(ctx context.Context) (net.PacketConn, error) {
	if p.options.File != nil {
		return net.FilePacketConn(p.options.File)
	}
	if p.options.Network == "unixgram" {
		// Nobody else's: the folder is the program's own.
		if info, err := os.Lstat(p.options.Address); err == nil && info.Mode().Type() == os.ModeSocket {
			if err := os.Remove(p.options.Address); err != nil {
				return nil, err
			}
		}
	}
	conn, err := (&net.ListenConfig{}).ListenPacket(ctx, p.options.Network, p.options.Address)
	if err != nil {
		return nil, err
	}
	if p.options.Network == "unixgram" {
		if err := os.Chmod(p.options.Address, 0o660); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	return conn, nil
}

// readPackets reads datagrams until the socket is closed. Each is one message.
func (p *Port) readPackets(conn net.PacketConn) {
	var last netip.Addr
	var sender []byte
	var senders [batchSize][]byte
	packets := newBatch(conn)
	for known := false; ; {
		count, err := packets.read()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // such as ICMP's answer to something else
			continue
		}
		for i := range count {
			_, addr := packets.datagram(i)
			if !known || addr != last {
				last, sender, known = addr, p.admit(addr), true
			} else if sender == nil {
				p.admit(addr) // which counts it
			}
			senders[i] = sender
		}
		now := time.Now()
		lines, ok := p.queue.lock()
		for i, sender := range senders[:count] {
			data, _ := packets.datagram(i)
			if sender == nil || !ok {
				continue
			}
			if len(data) > MaxFrame {
				data = data[:MaxFrame]
				p.sums.truncated.Add(1)
			}
			lines = p.take(lines, data, sender, now)
		}
		p.queue.unlock(lines)
	}
}

// dropped returns how many datagrams the kernel dropped for want of room, and how much room there is
// (SO_MEMINFO, Linux 4.12; its counters are those of include/uapi/linux/sock_diag.h).
func dropped(conn net.PacketConn) (drops uint64, size int) {
	raw, ok := conn.(syscall.Conn)
	if !ok {
		return 0, 0
	}
	control, err := raw.SyscallConn()
	if err != nil {
		return 0, 0
	}
	const receiveBuffer, dropCount, all = 1, 8, 9
	control.Control(func(fd uintptr) {
		var info [all]uint32
		length := uint32(unsafe.Sizeof(info))
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
			uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&length)), 0)
		if errno == 0 && length > dropCount*4 {
			drops, size = uint64(info[dropCount]), int(info[receiveBuffer])/2 // the kernel doubles it for itself, socket(7)
		}
	})
	return drops, size
}
