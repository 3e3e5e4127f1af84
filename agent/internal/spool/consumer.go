package spool

import (
	"errors"
	"fmt"
	"slices"
)

// SetConsumers says for whom events are kept: until each of these consumers has acknowledged them. While
// there is none, everything is kept, within the bounds. A new consumer begins with what the others still
// wait for, or with everything that nobody has had. It is in force even if it cannot be written down at
// once, which the error says.
func (s *Spool) SetConsumers(names []string) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if names = slices.Compact(slices.Sorted(slices.Values(names))); slices.Equal(names, s.Consumers()) {
		return nil
	}
	edit := func(l *ledger) { l.setConsumers(names) }
	err := s.append(nil, nil, edit)
	if err != nil && !errors.Is(err, ErrClosed) {
		s.mu.Lock()
		defer s.mu.Unlock()
		edit(&s.ledger)
		s.wake()
	}
	return err
}

// Numbering returns what a consumer has to know first: the epoch of its numbering, the lowest number
// that it can still get, and the number that is given next.
func (s *Spool) Numbering(name string) (epoch, first, next uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.ledger.find(name)
	if d == nil {
		return 0, 0, 0, unknown(name)
	}
	return d.epoch, max(s.first(), d.base+1), s.next, nil
}

// held bounds by how many numbers a consumer may be ahead after the spool's end was cut off.
const held = 1 << 20

// Resume takes the number up to which a consumer has committed an epoch, and returns the number after
// which to send it events. If its epoch is another by now, again is true: the caller asks for
// [Spool.Numbering] and begins anew.
//
// A consumer may have committed numbers that were never given here. If the end of the spool was found
// cut off, they were in it. The positions went back with the events, so the lines are read again and get
// the same numbers: sending goes on behind them. Otherwise the spool is an old copy: the consumer gets a
// new epoch, and again is true. It counts as having the events of earlier runs, and gets all of this one.
//
// A consumer that has committed nothing, though it acknowledged events, lost its history or knows
// this agent under another name. It goes on after what it acknowledged, or that would count twice there.
func (s *Spool) Resume(name string, epoch, committed uint64) (after uint64, again bool, err error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	d := s.ledger.find(name)
	if d == nil {
		s.mu.Unlock()
		return 0, false, unknown(name)
	}
	if epoch != d.epoch {
		s.mu.Unlock()
		return 0, true, nil
	}
	if committed < s.next || s.ledger.cut > 0 && committed-s.ledger.cut < held {
		if committed >= s.next {
			s.options.Logger.Warn("a consumer is ahead: lines are read again until it is caught up with",
				"consumer", name, "committed", committed, "next", s.next)
		}
		defer s.mu.Unlock()
		d.acked = max(d.acked, committed)
		s.release()
		if committed == 0 {
			committed = d.acked
		}
		return max(committed, d.base), false, nil
	}
	next, opened := s.next, s.opened
	s.mu.Unlock()

	epoch, err = s.random()
	if err != nil {
		return 0, false, err
	}
	err = s.append(nil, nil, func(l *ledger) {
		l.epoch = epoch // of consumers that are new, or that come back
		if d := l.find(name); d != nil {
			d.epoch, d.base, d.acked = epoch, opened-1, opened-1
		}
	})
	if err != nil {
		return 0, false, fmt.Errorf("cannot begin a new epoch: %w", err)
	}
	s.options.Logger.Warn("a consumer knows events that this spool never held: it was restored from an old copy; "+
		"beginning a new epoch", "consumer", name, "committed", committed, "next", next, "epoch", epoch)
	return 0, true, nil
}

// Ack notes that a consumer has committed all events up to a number. The error wraps [ErrFuture] if the
// number was never given, or not in that epoch, and [ErrUnknown] if the name is no consumer's.
func (s *Spool) Ack(name string, epoch, committed uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.ledger.find(name)
	if d == nil {
		return unknown(name)
	}
	if epoch != d.epoch {
		return fmt.Errorf("cannot take the acknowledgement of %d by %q: its numbering began anew: %w", committed, name, ErrFuture)
	}
	if committed <= d.acked {
		return nil
	}
	if committed >= s.next {
		return fmt.Errorf("cannot take the acknowledgement of %d by %q, the next number is %d: %w",
			committed, name, s.next, ErrFuture)
	}
	d.acked = committed
	s.release()
	return nil
}

// Lost returns how many attempts the lost events after a number up to and including through stood
// for, as far as that is known.
func (s *Spool) Lost(after, through uint64) (attempts uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.ledger.gaps {
		if g.first > after && g.last <= through {
			attempts += g.attempts
		}
	}
	return attempts
}

// Consumers returns the names of the consumers in order.
func (s *Spool) Consumers() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, d := range s.ledger.consumers {
		names = append(names, d.name)
	}
	return slices.Clip(names)
}

func unknown(name string) error { return fmt.Errorf("%w: %q", ErrUnknown, name) }
