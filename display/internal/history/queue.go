package history

import (
	"context"
	"fmt"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// Batch is events of one agent and epoch in the order of their numbers, or a gap.
type Batch struct {
	Agent  string
	Epoch  uint64
	First  uint64 // number of the first event, at least 1; the others follow without gaps
	Events []attack.Event

	// Without events, a batch says that the numbers up to and including Through never come,
	// and that the events lost with them stood for Attempts attempts.
	Through  uint64
	Attempts uint64
}

// last returns the highest number that the batch settles.
func (b *Batch) last() uint64 {
	if len(b.Events) == 0 {
		return b.Through
	}
	return b.First + uint64(len(b.Events)) - 1
}

// pending is a batch that waits for its commit.
type pending struct {
	Batch
	arrived time.Time
	day     int // of arrival
	done    func(committed uint64, err error)
}

// weight is the room that a batch takes in the queue. A gap takes some too, or a queue of gaps
// would have no bound.
func (b *Batch) weight() int { return max(1, len(b.Events)) }

func weight(group []pending) (sum int) {
	for i := range group {
		sum += group[i].weight()
	}
	return sum
}

// Append queues a batch for the next commit and waits while the queue, or the agent's share of
// it, is full. It returns an error if ctx ends or the history stops first, or if the batch can
// never be stored; done is not called then. Else done is called once, by the writing goroutine,
// which it must not hold up: with the highest number that is committed for the batch's agent
// and epoch, or with [ErrStopped]. The history keeps b.Events until then.
//
// Numbers at or below the highest committed one are skipped: the events are stored already. A
// batch that begins above the next number is taken as it is: the caller has checked numbering.
func (h *History) Append(ctx context.Context, b Batch, done func(committed uint64, err error)) error {
	if err := h.admit(&b); err != nil {
		return err
	}
	wakeAll := context.AfterFunc(ctx, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.room.Broadcast()
	})
	defer wakeAll()

	h.mu.Lock()
	defer h.mu.Unlock()
	for !h.stop && ctx.Err() == nil && !h.fits(&b) {
		offer(h.full)
		h.room.Wait()
	}
	switch {
	case h.stop:
		return ErrStopped
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	now := h.options.Now()
	h.queue = append(h.queue, pending{Batch: b, arrived: now, day: h.day(now), done: done})
	h.queued[b.Agent] += b.weight()
	h.total += b.weight()
	offer(h.wake)
	if h.total >= h.options.MaxQueue/4 {
		offer(h.full)
	}
	return nil
}

// admit refuses what could never be stored.
func (h *History) admit(b *Batch) error {
	switch {
	case b.Agent == "" || len(b.Agent) > attack.MaxName:
		return fmt.Errorf("cannot store events of an agent whose name has %d bytes", len(b.Agent))
	case len(b.Events) > 0 && b.First == 0:
		return fmt.Errorf("cannot store events of %s without numbers", b.Agent)
	case b.First > MaxSequence || b.Through > MaxSequence || b.last() > MaxSequence:
		return fmt.Errorf("cannot store events of %s: number %d is too high", b.Agent, max(b.First, b.Through))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := h.known.agents[b.Agent]; !ok && len(h.known.agents) >= MaxAgents {
		return fmt.Errorf("cannot store events of %s: %d other agents have events here, which is the most", b.Agent, MaxAgents)
	}
	return nil
}

// fits says whether a batch may join the queue. No agent gets more than a quarter of it, so that
// one that floods does not hold up the others; but one batch of each always fits an empty queue.
func (h *History) fits(b *Batch) bool {
	mine, weight := h.queued[b.Agent], b.weight()
	return (h.total == 0 || h.total+weight <= h.options.MaxQueue) &&
		(mine == 0 || mine+weight <= h.options.MaxQueue/4)
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
		h.total -= b.weight()
		if h.queued[b.Agent] -= b.weight(); h.queued[b.Agent] == 0 {
			delete(h.queued, b.Agent)
		}
	}
	h.room.Broadcast()
	h.mu.Unlock()
	for i := range group {
		b := &group[i]
		if err != nil {
			b.done(0, err)
			continue
		}
		b.done(known.marks[stream{b.Agent, b.Epoch}].committed, nil)
	}
}

// refuse ends acceptance.
func (h *History) refuse() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stop = true
	h.room.Broadcast()
}

// offer puts a token into a channel of one place unless one is there.
func offer(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
