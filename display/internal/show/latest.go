package show

import (
	"context"
	"sync"
)

// Latest is a value of which only the present one matters, such as a picture. Whoever reads slowly
// sees fewer of them and holds up nobody. Its methods are safe for concurrent use.
type Latest[T any] struct {
	mu      sync.Mutex
	value   T
	number  uint64        // of changes
	changed chan struct{} // closed at the next change; nil while nobody waits
}

// Change changes the value.
func (l *Latest[T]) Change(do func(*T)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	do(&l.value)
	l.number++
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

// Next waits until there is a newer value than the one that has the number after, and returns it with its
// number; 0 is before the first. If ctx ends first, it returns the context's error.
func (l *Latest[T]) Next(ctx context.Context, after uint64) (value T, number uint64, err error) {
	for {
		l.mu.Lock()
		if l.number != after {
			defer l.mu.Unlock()
			return l.value, l.number, nil
		}
		if l.changed == nil {
			l.changed = make(chan struct{})
		}
		changed := l.changed
		l.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return value, after, context.Cause(ctx)
		}
	}
}
