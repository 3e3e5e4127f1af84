// Package stderr keeps the end of what another program complains, for an error message.
package stderr

import (
	"strings"
	"sync"

	"github.com/pialert/pialert/pkg/escape"
)

const most = 1024 // bytes that are kept

// Tail keeps the end of what is written to it: the standard error of a program. It may be written
// and read at once.
type Tail struct {
	mu   sync.Mutex
	last []byte
}

// Write implements [io.Writer] and never fails.
func (t *Tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, p[max(0, len(p)-most):]...)
	t.last = append(t.last[:0], t.last[max(0, len(t.last)-most):]...)
	return len(p), nil
}

// String returns the last lines that were written as one, fit to be shown.
func (t *Tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return escape.Text(strings.Join(strings.Fields(string(t.last)), " "))
}
