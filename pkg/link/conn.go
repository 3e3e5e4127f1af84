package link

import (
	"context"
	"errors"
	"sync"

	"github.com/pialert/pialert/pkg/pairing"
)

// Conn is an open connection to a paired machine.
type Conn struct {
	*pairing.Session
	Address string // where it was dialled to or accepted from, for people

	once   sync.Once
	closed chan struct{}
}

func newConn(session *pairing.Session, address string) *Conn {
	return &Conn{Session: session, Address: address, closed: make(chan struct{})}
}

// Close tells the other end and closes the connection. Further calls do nothing.
func (c *Conn) Close() (err error) {
	c.once.Do(func() {
		close(c.closed)
		err = c.Session.Close()
	})
	return err
}

// Done returns a channel that is closed when the connection was closed at this end.
func (c *Conn) Done() <-chan struct{} { return c.closed }

// cut closes the connection without waiting for anything.
func (c *Conn) cut() {
	c.NetConn().Close()
	c.Close()
}

// A Handler uses an open connection and returns when it is done with it. Ctx ends when the
// connection was cut: the program stops, the peer was unpaired or has opened another one.
type Handler func(ctx context.Context, conn *Conn) error

var errReplaced = errors.New("the peer opened another connection")

// table holds the open connections of a Dialer or a Listener, one per peer.
type table struct {
	keyring *pairing.Keyring

	mu   sync.Mutex
	open map[string]*entry
}

type entry struct {
	conn     *Conn
	cancel   context.CancelCauseFunc
	finished chan struct{} // closed when the handler has returned
}

// serve runs handle on conn once the peer's former connection, if it has one, is cut and its
// handler has returned. It returns why the connection ended.
func (t *table) serve(ctx context.Context, conn *Conn, handle Handler) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(ctx, conn.cut)()
	defer conn.Close()

	e := &entry{conn: conn, cancel: cancel, finished: make(chan struct{})}
	defer close(e.finished)
	former := t.put(e)
	defer t.remove(e)
	if former != nil {
		former.cancel(errReplaced)
		<-former.finished
	}
	if err := t.keyring.Check(conn.Session); err != nil { // it may have changed before put
		return err
	}
	err := handle(ctx, conn)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// enforce cuts connections that may not stay open, as soon as the keyring says so.
func (t *table) enforce(ctx context.Context) {
	for {
		changed := t.keyring.Changed()
		t.mu.Lock()
		for _, e := range t.open {
			if err := t.keyring.Check(e.conn.Session); err != nil {
				e.cancel(err)
			}
		}
		t.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

func (t *table) put(e *entry) (former *entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open == nil {
		t.open = map[string]*entry{}
	}
	former = t.open[e.conn.Peer.Name]
	t.open[e.conn.Peer.Name] = e
	return former
}

func (t *table) remove(e *entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open[e.conn.Peer.Name] == e {
		delete(t.open, e.conn.Peer.Name)
	}
}
