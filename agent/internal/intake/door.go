package intake

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/pialert/pialert/agent/internal/value"
)

// maxEach is how many connections one source elsewhere has; more are closed.
const maxEach = 32

// noToken is all that who shows no token ever reads.
const noToken = "a token is needed"

// refusal is the answer to what is no request: net/http would answer it by itself, in other words for each
// mistake, and nobody would hear of it.
const refusal = "HTTP/1.1 401 Unauthorized\r\nCache-Control: no-store\r\nConnection: close\r\nContent-Type: application/json\r\n" +
	"WWW-Authenticate: Basic realm=\"pialert\"\r\n\r\n{\"error\":\"" + noToken + "\"}\n"

// door is a listener whose connections answer only requests that the server has seen, and of which nobody elsewhere
// has so many that others have to wait for them.
type door struct {
	net.Listener
	refused func(from netip.Addr) // is told of what was no request

	mu   sync.Mutex
	open map[netip.Prefix]int // by source
}

func newDoor(listener net.Listener, refused func(from netip.Addr)) *door {
	return &door{Listener: listener, refused: refused, open: map[netip.Prefix]int{}}
}

func (d *door) Accept() (net.Conn, error) {
	for {
		conn, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if v := (&visit{Conn: conn, door: d, from: addrOf(conn.RemoteAddr().String())}); v.enter() {
			return v, nil
		}
		conn.Close()
	}
}

func addrOf(remote string) netip.Addr {
	addr, _ := netip.ParseAddrPort(remote)
	return addr.Addr().Unmap().WithZone("")
}

// visit is a connection.
type visit struct {
	net.Conn
	door  *door
	from  netip.Addr
	asked atomic.Bool // a request was understood
	ended bool
	left  sync.Once
}

// enter says whether there is room for one more connection from there. Programs of this machine have no limit of their
// own.
func (v *visit) enter() bool {
	v.door.mu.Lock()
	defer v.door.mu.Unlock()
	source := value.Source(v.from)
	if v.door.open[source] >= maxEach && !v.from.IsLoopback() {
		return false
	}
	v.door.open[source]++
	return true
}

// Close makes room.
func (v *visit) Close() error {
	v.left.Do(func() {
		v.door.mu.Lock()
		defer v.door.mu.Unlock()
		source := value.Source(v.from)
		if v.door.open[source]--; v.door.open[source] == 0 {
			delete(v.door.open, source)
		}
	})
	return v.Conn.Close()
}

// visitKey is the context's key of a request's connection.
type visitKey struct{}

func withVisit(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, visitKey{}, conn)
}

// understood says that a request has come.
func understood(r *http.Request) {
	if v, ok := r.Context().Value(visitKey{}).(*visit); ok {
		v.asked.Store(true)
	}
}

// Write refuses instead, where no request was understood.
func (v *visit) Write(p []byte) (int, error) {
	if v.asked.Load() {
		return v.Conn.Write(p)
	}
	if v.ended {
		return len(p), nil
	}
	v.ended = true
	v.door.refused(v.from)
	if _, err := v.Conn.Write([]byte(refusal)); err != nil {
		return 0, err
	}
	return len(p), nil
}
