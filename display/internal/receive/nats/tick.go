package nats

import (
	"context"
	"crypto/rand"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/pialert/pialert/display/internal/receive"
	"github.com/pialert/pialert/pkg/broker"
	"github.com/pialert/pialert/pkg/pairing"
	pialertv1 "github.com/pialert/pialert/proto/pialert/v1"
)

// keptTicks is how many ticks may be answered: who answers an older one may have died since.
const keptTicks = 3

// ticks are the newest random numbers that agents were asked to echo.
type ticks struct {
	mu   sync.Mutex
	kept [][]byte
}

// next makes a new tick.
func (t *ticks) next() []byte {
	fresh := make([]byte, 16)
	rand.Read(fresh) // never fails
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.kept = append(t.kept, fresh); len(t.kept) > keptTicks {
		t.kept = t.kept[1:]
	}
	return fresh
}

// newest returns the tick that was made last; nil if none was.
func (t *ticks) newest() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.kept) == 0 {
		return nil
	}
	return t.kept[len(t.kept)-1]
}

// has says whether a tick is one of the newest.
func (t *ticks) has(tick []byte) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.ContainsFunc(t.kept, func(one []byte) bool { return string(one) == string(tick) })
}

// tick asks the agents for heartbeats until ctx ends.
func (s *Server) tick(ctx context.Context) {
	every := time.NewTicker(tickEvery)
	defer every.Stop()
	for s.conn.Await(ctx) != nil && ctx.Err() == nil {
	}
	for {
		s.publish(broker.Of(broker.Ticks, s.id), s.ticks.next()) // fails while the broker is away
		s.beating.forgive()
		s.asking.forgive()
		select {
		case <-every.C:
		case <-ctx.Done():
			return
		}
	}
}

// beat takes a heartbeat.
func (s *Server) beat(ctx context.Context, subject string, data []byte) {
	if !s.beating.allow(broker.Sender(subject)) {
		s.count(&s.status.Dropped.Stale)
		return
	}
	from, raw, err := s.options.Keyring.Unseal(subject, data)
	if err != nil {
		s.count(&s.status.Dropped.Sealed)
		return
	}
	peer, err := s.options.Keyring.Holder(from)
	if err != nil || peer.Role != pairing.Agent || !Takes(s.options.Agents, peer.Name) {
		s.count(&s.status.Dropped.Unpaired)
		return
	}
	var parcel pialertv1.Parcel
	if proto.Unmarshal(raw, &parcel) != nil || parcel.GetMessage().GetHeartbeat() == nil || !s.ticks.has(parcel.GetTick()) {
		s.count(&s.status.Dropped.Stale)
		return
	}
	a := s.agent(peer.Name)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.admitted == nil {
		a.id, a.key, a.session = broker.Sender(subject), from, parcel.GetSession()
		if s.admit(ctx, a, &parcel) != nil {
			return // it was cut off, or there is no history now
		}
	}
	a.admitted.Runs(parcel.GetVersion())
	if a.admitted.Heartbeat(receive.BeatOf(parcel.GetMessage().GetHeartbeat())) == nil {
		a.heard = time.Now()
	}
	if greeting := s.announced(a, from.Fingerprint(), &parcel); greeting != nil { // the answer to its hello may have been lost
		s.tell(a, &pialertv1.Receipt{Greeting: greeting}, time.Now())
	}
}

func (s *Server) count(n *uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*n++
}
