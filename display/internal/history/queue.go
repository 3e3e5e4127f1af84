package history

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// batch is events of one agent and epoch in the order of their numbers, or, without events, a
// gap: the numbers up to and including through never come.
type batch struct {
	agent    string
	epoch    uint64
	first    uint64 // number of the first event; the others follow without gaps
	events   []attack.Event
	through  uint64
	attempts uint64 // that the lost events stood for

	correction *Correction // instead of events
	forget     bool        // instead of events: what is stored of the agent
}

// last returns the highest number that the batch settles.
func (b *batch) last() uint64 {
	if len(b.events) == 0 {
		return b.through
	}
	return b.first + uint64(len(b.events)) - 1
}

// pending is a batch that waits for its commit.
type pending struct {
	batch
	size    int       // in the queue, in bytes
	arrived time.Time // in the history's zone
	done    func(committed uint64, err error)
}

// sizes of what waits, in bytes: of an event without its texts, which is a little more than its Go
// value, and of whatever else is queued, or a queue of gaps would have no bound.
const (
	eventSize = 400
	otherSize = 400
)

// sizeOf returns about how much memory an event takes.
func sizeOf(e *attack.Event, scratch []byte) int {
	return eventSize + len(e.Rule) + len(e.SourceHost) + len(e.User) + len(e.Log) + len(e.Host) + len(appendDetail(scratch, e.Detail))
}

// measure returns about how much memory a batch takes while it waits.
func (b *batch) measure() int {
	size := otherSize
	var scratch [512]byte
	for i := range b.events {
		size += sizeOf(&b.events[i], scratch[:0])
	}
	return size
}

// events returns how many events a group holds.
func eventsIn(group []pending) (sum int) {
	for i := range group {
		sum += len(group[i].events)
	}
	return sum
}

// Append queues events of an agent's epoch, numbered from first on, for the next commit, and
// waits while the queue, or the agent's share of it, is full. It returns an error if ctx ends or
// the history stops first, or if the events can never be stored; done is not called then. Else
// done is called once, by the writing goroutine, which it must not hold up: with the highest
// number that is committed for the agent's epoch, or with [ErrStopped]. The history keeps the
// slice until then.
//
// Numbers at or below the highest committed one are skipped: the events are stored already.
// Events that begin above the next number are taken as they are: the caller checks numbering.
func (h *History) Append(ctx context.Context, agent string, epoch, first uint64, events []attack.Event,
	done func(committed uint64, err error)) error {
	if len(events) == 0 || first == 0 {
		return fmt.Errorf("cannot store %d events of %s from number %d on", len(events), agent, first)
	}
	return h.enqueue(ctx, batch{agent: agent, epoch: epoch, first: first, events: events}, done)
}

// Skip queues, as [History.Append] does, that the numbers up to and including through never
// come. If attempts are known to be lost with them, they and the numbers count as dropped.
func (h *History) Skip(ctx context.Context, agent string, epoch, through, attempts uint64,
	done func(committed uint64, err error)) error {
	return h.enqueue(ctx, batch{agent: agent, epoch: epoch, through: through, attempts: attempts}, done)
}

func (h *History) enqueue(ctx context.Context, b batch, done func(committed uint64, err error)) error {
	if err := h.admit(&b); err != nil {
		return err
	}
	size := b.measure()
	wakeAll := context.AfterFunc(ctx, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.room.Broadcast()
	})
	defer wakeAll()

	h.mu.Lock()
	defer h.mu.Unlock()
	for !h.stop && ctx.Err() == nil && !h.fits(b.agent, size) {
		h.full.Ring()
		h.room.Wait()
	}
	switch {
	case h.stop:
		return ErrStopped
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	h.queue = append(h.queue, pending{batch: b, size: size, arrived: h.now(), done: done})
	h.queued[b.agent] += size
	h.total += size
	h.wake.Ring()
	if h.total >= h.options.MaxQueue/4 {
		h.full.Ring()
	}
	return nil
}

// admit refuses what could never be stored.
func (h *History) admit(b *batch) error {
	switch {
	case b.agent == "" || len(b.agent) > attack.MaxName:
		return fmt.Errorf("cannot store events of an agent whose name has %d bytes", len(b.agent))
	case b.first > MaxSequence || b.through > MaxSequence || b.last() > MaxSequence:
		return fmt.Errorf("cannot store events of %s: number %d is too high", b.agent, max(b.first, b.through))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := h.known.agents[b.agent]; !ok && len(h.known.agents) >= MaxAgents {
		return fmt.Errorf("cannot store events of %s: %d other agents have events here, which is the most", b.agent, MaxAgents)
	}
	return nil
}

// fits says whether a batch may join the queue. No agent gets more than half of it, so that
// one that floods does not hold up the others; but one batch of each always fits an empty queue.
func (h *History) fits(agent string, size int) bool {
	mine := h.queued[agent]
	return (h.total == 0 || h.total+size <= h.options.MaxQueue) &&
		(mine == 0 || mine+size <= h.options.MaxQueue/2)
}

// take empties the queue. Its events keep their room until [History.settle].
func (h *History) take() []pending {
	h.mu.Lock()
	defer h.mu.Unlock()
	group := h.queue
	h.queue = nil
	select { // what filled the queue is taken
	case <-h.full:
	default:
	}
	return group
}

// settle tells those who appended the outcome and makes room.
func (h *History) settle(group []pending, err error) {
	h.mu.Lock()
	known := h.known
	for i := range group {
		b := &group[i]
		h.total -= b.size
		h.queued[b.agent] -= b.size
	}
	h.room.Broadcast()
	h.mu.Unlock()
	for i := range group {
		b := &group[i]
		if err != nil {
			b.done(0, err)
			continue
		}
		b.done(known.marks[stream{b.agent, b.epoch}].committed, nil)
	}
}

// refuse ends acceptance.
func (h *History) refuse() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stop = true
	h.room.Broadcast()
}

// ErrStopped is given to those whose events were not committed before the history stopped.
var ErrStopped = errors.New("the history has stopped")
