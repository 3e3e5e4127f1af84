package main

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/wire"
	pialertv1 "github.com/pialert/pialert/proto/pialert/v1"
)

// spool makes up its events when they are asked for, once they are let loose.
type spool struct {
	name   string
	events uint64
	loose  <-chan struct{}
	acked  *atomic.Int64 // by all spools

	mu    sync.Mutex
	known uint64 // acknowledged
}

const epoch = 1

func (s *spool) next() uint64 {
	select {
	case <-s.loose:
		return s.events + 1
	default:
		return 1
	}
}

func (s *spool) Numbering(string) (uint64, uint64, uint64, error) { return epoch, 1, s.next(), nil }

func (s *spool) Resume(display string, _, committed uint64) (uint64, bool, error) {
	s.Ack(display, epoch, committed)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known, false, nil
}

func (s *spool) Read(after uint64, maxBytes int) (first uint64, count int, batch []byte, err error) {
	next := s.next()
	for n := after + 1; n < next && len(batch) < maxBytes && count < 100; n++ {
		event := wire.Encode(n, s.name, &attack.Event{
			Kind: attack.SSHLogin, Severity: attack.Medium, Rule: "sshd-failed-password", Logged: time.Unix(1_800_000_000, 0), Observed: time.Now(),
			SourceIP: netip.AddrFrom4([4]byte{203, 0, 113, byte(n)}), SourcePort: 40022, User: fmt.Sprint("user", n), Count: 1,
			Log: "/var/log/auth.log", Detail: attack.SSH{Method: "password"},
		})
		raw, err := proto.MarshalOptions{}.Marshal(&pialertv1.Batch{Events: []*pialertv1.Event{event}})
		if err != nil {
			return 0, 0, nil, err
		}
		batch = append(batch, raw...) // a message that follows another one is merged with it
		count++
	}
	return after + 1, count, batch, nil
}

func (s *spool) Lost(uint64, uint64) uint64 { return 0 }
func (s *spool) Dropped() (uint64, uint64)  { return 0, 0 }

func (s *spool) Ack(_ string, _, committed uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if committed > s.known {
		s.acked.Add(int64(committed - s.known))
		s.known = committed
	}
	return nil
}

func (s *spool) Changed() <-chan struct{} {
	select {
	case <-s.loose:
		return nil
	default:
		return s.loose
	}
}
