package program

import (
	"context"
	"fmt"
	"sync"
)

// Output keeps what a process writes and lets others wait for it. The zero value is ready.
type Output struct {
	mu      sync.Mutex
	text    []byte
	changed chan struct{} // closed at the next write; nil while nobody waits
}

// Write keeps p. It never fails.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text = append(o.text, p...)
	if o.changed != nil {
		close(o.changed)
		o.changed = nil
	}
	return len(p), nil
}

// String returns all that was written.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.text)
}

// Await returns once all that was written satisfies ok, or an error when the context ends.
func (o *Output) Await(ctx context.Context, ok func(text string) bool) error {
	for {
		o.mu.Lock()
		text := string(o.text)
		if o.changed == nil {
			o.changed = make(chan struct{})
		}
		changed := o.changed
		o.mu.Unlock()
		if ok(text) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%w, and all that was written is:\n%s", ctx.Err(), text)
		}
	}
}
