// Package sourcetest is the other end of a source, for tests.
package sourcetest

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pialert/pialert/agent/internal/source"
)

// Receiver keeps positions as a spool does, and hands the lines to the test.
type Receiver struct {
	T     *testing.T
	Lines chan string // "file: line", the file without its folder

	mu     sync.Mutex
	stored map[string][]byte
	marked chan string // logs whose chunks had no lines
}

// New returns a Receiver that takes a thousand lines before it holds a source back.
func New(t *testing.T) *Receiver {
	return &Receiver{T: t, Lines: make(chan string, 1000), stored: make(map[string][]byte), marked: make(chan string, 1000)}
}

// Restore is a [source.Restore].
func (r *Receiver) Restore(log string) ([]byte, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	stored, ok := r.stored[log]
	return stored, ok
}

// Stored returns the logs that have a position.
func (r *Receiver) Stored() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.stored))
}

// Store makes position what is stored for a log.
func (r *Receiver) Store(log string, position []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stored[log] = position
}

// Emit is a [source.Emit].
func (r *Receiver) Emit(_ context.Context, chunk source.Chunk) error {
	r.mu.Lock()
	if chunk.Forget {
		delete(r.stored, chunk.Source)
	} else if chunk.Position != nil {
		r.stored[chunk.Source] = chunk.Position
	}
	r.mu.Unlock()
	if chunk.Committed != nil {
		chunk.Committed(nil)
	}
	for line := range strings.Lines(string(chunk.Data)) {
		r.Lines <- filepath.Base(chunk.Source) + ": " + strings.TrimSuffix(line, "\n")
	}
	if len(chunk.Data) == 0 {
		r.marked <- chunk.Source
	}
	return nil
}

// Want blocks until the given lines have arrived, in this order.
func (r *Receiver) Want(lines ...string) {
	r.T.Helper()
	for _, line := range lines {
		if got := Receive(r.T, r.Lines); got != line {
			r.T.Fatalf("read %q, want %q", got, line)
		}
	}
}

// WantMark blocks until the position of log is stored, without lines.
func (r *Receiver) WantMark(log string) {
	r.T.Helper()
	for Receive(r.T, r.marked) != log {
	}
}

// Start runs s until stop is called, or the test ends; Run must return nil then.
func (r *Receiver) Start(s source.Source) (stop func()) {
	ctx, cancel := context.WithCancel(r.T.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, r.Emit) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := Receive(r.T, done); err != nil {
			r.T.Errorf("Run: %v", err)
		}
	})
	r.T.Cleanup(stop)
	return stop
}

// Receive returns what comes next; nothing for 20 seconds fails the test.
func Receive[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case value := <-from:
		return value
	case <-time.After(20 * time.Second):
		t.Fatal("nothing came for 20 seconds")
	}
	panic("unreachable")
}
