package receive

import (
	"fmt"

	"github.com/pialert/pialert/pkg/attack"
)

// advance notes the last number that came.
func (s *Session) advance(sequence uint64) {
	s.lastSeq.Store(sequence)
	if s.committedNow() > s.acked.Load() {
		s.progress.Ring() // it has grown up to what a former session's events have committed
	}
}

// Batch shows and stores those of a batch's events that are new. decode returns the number of an
// event and the event, or an error, which cuts the agent off.
func (s *Session) Batch(count int, decode func(i int) (sequence uint64, event attack.Event, err error)) error {
	now, err := s.take()
	if err != nil || count == 0 {
		return err
	}
	if count > maxEvents {
		return &Refusal{TooMuch, fmt.Sprintf("a batch has %d events, at most %d are allowed", count, maxEvents)}
	}
	last := s.lastSeq.Load()
	events := make([]attack.Event, count)
	attempts := uint64(0) // cannot wrap: an event stands for at most attack.MaxCount
	for i := range events {
		sequence, event, err := decode(i)
		if err != nil {
			return &Refusal{Invalid, fmt.Sprintf("event %d: %v", last+1, err)}
		}
		if last++; sequence != last {
			return &Refusal{OutOfTurn, fmt.Sprintf("event %d came where %d was due", sequence, last)}
		}
		if !s.mayName(event.Kind) {
			return &Refusal{TooMuch, fmt.Sprintf("it names more than %d kinds that this display does not know", maxKinds)}
		}
		events[i] = event
		attempts += event.Count
	}
	if !allow(s.limits.attempts, attempts/attemptUnit, now) {
		return &Refusal{TooMuch, "its events stand for more attempts than servers can suffer"}
	}
	first := last - uint64(count) + 1
	s.advance(last)
	if fresh := after(events, first, s.shown); len(fresh) > 0 {
		s.shown = last
		s.options.Show.Show(s.name, fresh)
		s.note(func(status *Status) { status.Events += uint64(len(fresh)) })
	}
	fresh := after(events, first, s.queued)
	if len(fresh) == 0 {
		return nil
	}
	return s.handOver(last, func(done func(uint64, error)) error {
		return s.options.Store.Append(s.ctx, s.name, s.epoch, last-uint64(len(fresh))+1, fresh, done)
	})
}

// after returns the events with numbers above mark; the first one has the number first.
func after(events []attack.Event, first, mark uint64) []attack.Event {
	if mark < first {
		return events
	}
	return events[min(mark-first+1, uint64(len(events))):]
}

// handOver hands numbers up to last to the store.
func (s *Session) handOver(last uint64, store func(done func(uint64, error)) error) error {
	epoch, agent := s.epoch, s.agent // what outlives the session
	if store(func(committed uint64, err error) { agent.settled(epoch, committed, err) }) != nil {
		// The numbers stay above queued, so they are stored when another session brings them.
		return ErrUnavailable
	}
	s.queued = last
	return nil
}

// Gap notes that the numbers up to through will not come, and how many attempts they stood for.
func (s *Session) Gap(through, attempts uint64) error {
	if _, err := s.take(); err != nil {
		return err
	}
	switch last := s.lastSeq.Load(); {
	case through <= last:
		return &Refusal{OutOfTurn, fmt.Sprintf("a gap through %d came after %d", through, last)}
	case through > maxSequence || attempts > maxLost:
		return &Refusal{Invalid, fmt.Sprintf("a gap through %d with %d attempts is absurd", through, attempts)}
	}
	s.advance(through)
	s.shown = max(s.shown, through)
	if through <= s.queued {
		return nil
	}
	return s.handOver(through, func(done func(uint64, error)) error {
		return s.options.Store.Skip(s.ctx, s.name, s.epoch, through, attempts, done)
	})
}
