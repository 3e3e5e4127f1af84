package syslog

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"os"
	"time"
)

const (
	handshakeTimeout = 10 * time.Second
	// quietAfter is how long nothing comes before a NUL at the end of what came ends a message.
	quietAfter = 100 * time.Millisecond
	// keepAlive finds out that a sender is gone, whose connection would count for ever.
	keepAlive = 30 * time.Second
)

// listenStream opens the socket for connections, or takes the one that was handed over.
func (p *Port) listenStream(ctx context.Context) (net.Listener, error) {
	if p.options.File != nil {
		return net.FileListener(p.options.File)
	}
	return (&net.ListenConfig{KeepAlive: keepAlive}).Listen(ctx, "tcp", p.options.Address)
}

// accept takes connections until the socket is closed.
func (p *Port) accept(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // such as too many open files
			p.fail(err)
			time.Sleep(quietAfter)
			continue
		}
		p.listens()
		addr := addrOf(conn)
		sender := p.admit(addr)
		if sender == nil || !p.enter(conn, addr) {
			conn.Close()
			continue
		}
		p.readers.Go(func() {
			defer p.leave(conn, addr)
			p.serve(conn, sender)
		})
	}
}

func addrOf(conn net.Conn) netip.Addr {
	remote, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return remote.AddrPort().Addr().Unmap().WithZone("")
}

// enter notes a connection, if there is room for it.
func (p *Port) enter(conn net.Conn, addr netip.Addr) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.connections) >= maxConnections || p.counted[addr] >= maxPerSender {
		if !p.closed {
			p.refuse(addr)
		}
		return false
	}
	p.connections[conn] = addr
	p.counted[addr]++
	p.queue.note()
	return true
}

func (p *Port) leave(conn net.Conn, addr netip.Addr) {
	conn.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.connections, conn)
	if p.counted[addr]--; p.counted[addr] == 0 {
		delete(p.counted, addr)
	}
	p.queue.note()
}

// serve reads a connection until it ends.
func (p *Port) serve(conn net.Conn, sender []byte) {
	if p.options.TLS != nil {
		secure := tls.Server(conn, p.options.TLS)
		secure.SetDeadline(time.Now().Add(handshakeTimeout))
		if err := secure.Handshake(); err != nil {
			p.mu.Lock()
			p.refuse(addrOf(conn))
			p.mu.Unlock()
			p.options.Logger.Debug("refused a sender of syslog", "listen", p.options.Name, "from", conn.RemoteAddr().String(), "error", err)
			return
		}
		secure.SetDeadline(time.Time{})
		conn = secure
	}
	var frames framer
	buffer := make([]byte, 4<<10)
	for filled := 0; ; {
		ends := more
		if filled > 0 && buffer[filled-1] == 0 {
			conn.SetReadDeadline(time.Now().Add(quietAfter))
		} else {
			conn.SetReadDeadline(time.Time{})
		}
		n, err := conn.Read(buffer[filled:])
		filled += n
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			ends = quiet
		case err != nil:
			ends = closed
		}
		done, ok := p.feed(&frames, buffer[:filled], ends, sender)
		if !ok || ends == closed {
			return
		}
		if filled = copy(buffer, buffer[done:filled]); filled == len(buffer) {
			buffer = append(buffer, make([]byte, min(len(buffer), maxPending-len(buffer)))...)
		}
	}
}

// feed hands on the messages in data, and returns how much of it is done with.
func (p *Port) feed(frames *framer, data []byte, ends outlook, sender []byte) (done int, ok bool) {
	lines, ok := p.queue.lock()
	if ok {
		now := time.Now()
		for {
			message, n, whole := frames.next(data[done:], ends)
			done += n
			if !whole {
				break
			}
			lines = p.take(lines, message, sender, now)
		}
	}
	p.queue.unlock(lines)
	p.sums.truncated.Add(frames.truncated)
	frames.truncated = 0
	return done, ok
}
