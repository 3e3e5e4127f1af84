// Package uplinktest is the other end of an uplink, for tests: a spool in memory.
package uplinktest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/wire"
	pialertv1 "github.com/pialert/pialert/proto/pialert/v1"
)

// Spool is an uplink.Spool in memory, for one display.
type Spool struct {
	// Fields are read and written while nothing else uses the spool.
	Epoch   uint64
	Strange bool   // the display is not paired
	Base    uint64 // numbers up to this one are not for the display
	Next    uint64 // number that is given next
	Acked   uint64 // last number that was acknowledged
	Ahead   uint64 // by how much a reader went beyond that

	mu      sync.Mutex
	events  map[uint64][]byte // as fields of a Batch
	dropped uint64
	changed chan struct{}
}

// New returns a Spool without events.
func New() *Spool {
	return &Spool{Epoch: 7, events: map[uint64][]byte{}, Next: 1, changed: make(chan struct{})}
}

// Add commits n events; the user of each says its number.
func (s *Spool) Add(t *testing.T, n int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		message := wire.Encode(s.Next, "web", &attack.Event{
			Kind: attack.SSHLogin, Severity: attack.Medium, Observed: time.Unix(1_700_000_000, 0),
			User: fmt.Sprint("user-", s.Next), Count: 1,
		})
		batch, err := proto.Marshal(&pialertv1.Batch{Events: []*pialertv1.Event{message}})
		if err != nil {
			t.Fatal(err)
		}
		s.events[s.Next] = batch
		s.Next++
	}
	close(s.changed)
	s.changed = make(chan struct{})
}

// Pair makes the display known.
func (s *Spool) Pair() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Strange = false
	close(s.changed)
	s.changed = make(chan struct{})
}

// Drop loses the events numbered first to last, one attempt each.
func (s *Spool) Drop(first, last uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := first; n <= last; n++ {
		delete(s.events, n)
		s.dropped++
	}
}

func (s *Spool) Numbering(string) (epoch, first, next uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Strange {
		return 0, 0, 0, errors.New("the display is not paired")
	}
	return s.Epoch, s.Base + 1, s.Next, nil
}

func (s *Spool) Resume(_ string, _, committed uint64) (after uint64, again bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if committed >= s.Next {
		s.Epoch++
		return 0, true, nil
	}
	s.Acked = max(s.Acked, committed)
	return max(s.Acked, s.Base), false, nil
}

func (s *Spool) Read(after uint64, maxBytes int) (first uint64, count int, batch []byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if after > s.Acked {
		s.Ahead = max(s.Ahead, after-s.Acked)
	}
	for n := after + 1; n < s.Next; n++ {
		event, ok := s.events[n]
		switch {
		case !ok && count == 0:
			continue
		case !ok || count > 0 && len(batch)+len(event) > maxBytes:
			return first, count, batch, nil
		case count == 0:
			first = n
		}
		batch = append(batch, event...)
		count++
	}
	return first, count, batch, nil
}

func (s *Spool) Lost(after, through uint64) uint64 {
	if through <= s.Base {
		return 0
	}
	return through - after
}

func (s *Spool) Dropped() (events, attempts uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dropped, s.dropped
}

func (s *Spool) Ack(_ string, _, committed uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if committed >= s.Next {
		return errors.New("the number was never given")
	}
	s.Acked = max(s.Acked, committed)
	return nil
}

func (s *Spool) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}
