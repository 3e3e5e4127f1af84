package e2e

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// cutter passes TCP connections on to another address and, while it is told to, cuts each one
// after some bytes, wherever in a message that is.
type cutter struct {
	listener net.Listener
	target   atomic.Value // string; set before the first connection
	limit    atomic.Int64 // most bytes that a connection may carry in either direction; 0 cuts none
	cuts     atomic.Int64

	mu     sync.Mutex
	random *rand.Rand
	open   map[net.Conn]bool
}

// newCutter starts a cutter that ends with the test.
func newCutter(t *testing.T) *cutter {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	c := &cutter{listener: listener, random: rand.New(rand.NewPCG(1, 2)), open: map[net.Conn]bool{}}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go c.pass(conn)
		}
	}()
	return c
}

func (c *cutter) address() string { return c.listener.Addr().String() }

// cutNow cuts the connections that are open.
func (c *cutter) cutNow() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.open {
		conn.Close()
	}
}

func (c *cutter) note(conn net.Conn, open bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if open {
		c.open[conn] = true
	} else {
		delete(c.open, conn)
	}
}

// pass carries one connection until one of its ends has enough or it is cut.
func (c *cutter) pass(near net.Conn) {
	c.note(near, true)
	defer c.note(near, false)
	defer near.Close()
	far, err := net.Dial("tcp", c.target.Load().(string))
	if err != nil {
		return
	}
	defer far.Close()
	done := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
		go func() {
			defer func() { done <- struct{}{} }()
			c.carry(way[1], way[0])
		}()
	}
	<-done
}

func (c *cutter) carry(to io.Writer, from io.Reader) {
	limit := c.limit.Load()
	if limit == 0 {
		io.Copy(to, from)
		return
	}
	c.mu.Lock()
	limit = 1 + c.random.Int64N(limit)
	c.mu.Unlock()
	if n, _ := io.CopyN(to, from, limit); n == limit {
		c.cuts.Add(1)
	}
}
