package intake

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pialert/pialert/agent/internal/value"
)

const (
	maxOpen = 128 // connections at a time; more wait
	// maxEach is how many connections one source elsewhere has; more are closed.
	maxEach = 32
	// Where every connection is taken, those that have asked for nothing for maxIdle are closed; relief is how often
	// that is looked at. Programs of this machine are one source, and have no limit: one that holds
	// connections open would keep all others out until each has had its time.
	maxIdle = time.Second
	relief  = maxIdle / 4
)

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

	mu     sync.Mutex
	open   map[netip.Prefix]int // by source
	visits map[*visit]bool
}

func newDoor(listener net.Listener, refused func(from netip.Addr)) *door {
	return &door{Listener: listener, refused: refused, open: map[netip.Prefix]int{}, visits: map[*visit]bool{}}
}

func (d *door) Accept() (net.Conn, error) {
	for {
		conn, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if v := (&visit{Conn: conn, door: d, from: addrOf(conn.RemoteAddr().String())}); v.enter(time.Now()) {
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
	asked atomic.Bool  // a request was understood
	idle  atomic.Int64 // since when nothing is being answered, in nanoseconds since 1970; 0 if something is
	ended bool
	left  sync.Once
}

// enter says whether there is room for one more connection from there. Programs of this machine have no limit of their
// own.
func (v *visit) enter(now time.Time) bool {
	v.door.mu.Lock()
	defer v.door.mu.Unlock()
	source := value.Source(v.from)
	if v.door.open[source] >= maxEach && !v.from.IsLoopback() {
		return false
	}
	v.door.open[source]++
	v.door.visits[v] = true
	v.idle.Store(now.UnixNano())
	return true
}

// run makes room where there is none, until ctx ends.
func (d *door) run(ctx context.Context) {
	tick := time.NewTicker(relief)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			d.relieve(now)
		}
	}
}

// relieve closes connections that ask for nothing, if all are taken.
func (d *door) relieve(now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.visits) < maxOpen {
		return
	}
	for v := range d.visits {
		if idle := v.idle.Load(); idle > 0 && now.UnixNano()-idle >= int64(maxIdle) {
			v.Conn.Close() // the server notices
		}
	}
}

// watch is an [http.Server]'s ConnState: who was answered asks for nothing.
func watch(conn net.Conn, state http.ConnState) {
	if v, ok := conn.(*visit); ok && state == http.StateIdle {
		v.idle.Store(time.Now().UnixNano())
	}
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
		delete(v.door.visits, v)
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
		v.idle.Store(0)
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
