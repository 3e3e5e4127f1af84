package syslog

import (
	"context"
	"sync"
)

// maxQueued is how many bytes of lines wait to be taken; above it whoever reads waits.
const maxQueued = 4 << 20

// queue holds lines between those who read sockets and the one who hands lines on.
type queue struct {
	mu     sync.Mutex
	change *sync.Cond
	lines  []byte
	idle   []byte // the buffer that takes turns with lines
	noted  bool   // there is something to tell even without lines
	closed bool
}

func newQueue() *queue {
	q := &queue{}
	q.change = sync.NewCond(&q.mu)
	return q
}

// lock waits for room and returns what to append lines to, for unlock. Of a queue that is closed it is
// not ok.
func (q *queue) lock() (lines []byte, ok bool) {
	q.mu.Lock()
	for len(q.lines) >= maxQueued && !q.closed {
		q.change.Wait()
	}
	return q.lines, !q.closed
}

func (q *queue) unlock(lines []byte) {
	wake := len(q.lines) == 0 && len(lines) > 0
	q.lines = lines
	q.mu.Unlock()
	if wake {
		q.change.Broadcast()
	}
}

// note wakes who takes lines, though there may be none.
func (q *queue) note() {
	q.mu.Lock()
	q.noted = true
	q.mu.Unlock()
	q.change.Broadcast()
}

// take waits for lines, or a note, and returns all of them, which are valid until the next call. When ctx
// has ended it waits no more.
func (q *queue) take(ctx context.Context) []byte {
	stop := context.AfterFunc(ctx, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.change.Broadcast()
	})
	defer stop()
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.lines) == 0 && !q.noted && ctx.Err() == nil {
		q.change.Wait()
	}
	taken := q.lines
	q.lines, q.idle, q.noted = q.idle[:0], taken, false
	q.change.Broadcast()
	return taken
}

// waiting says whether there are lines.
func (q *queue) waiting() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.lines) > 0
}

// close lets nobody wait for room any more.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.change.Broadcast()
}
