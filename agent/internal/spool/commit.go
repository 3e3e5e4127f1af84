package spool

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/wire"
)

// Commit numbers events and makes them durable together with changes to the state; a nil value
// deletes its key. When it returns nil, both survive a power cut; when it returns an error,
// neither was done and the same call may be repeated, after ENOSPC for example. One commit may
// carry up to 32 MiB. Bounds of size and age are enforced here: the oldest events give way.
//
// Events that pkg/wire would refuse at the other end are left out, logged and counted: the consumer
// would cut the agent off for them, again and again.
func (s *Spool) Commit(events []attack.Event, state map[string][]byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.append(events, state, func(*ledger) {})
}

// append writes one frame. edit changes the ledger that it carries. The caller holds s.writing.
func (s *Spool) append(events []attack.Event, state map[string][]byte, edit func(*ledger)) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrClosed
	}
	now := s.options.Now()
	s.ledger.age, s.ledger.wall = s.grow(now), now
	f := frame{first: s.next, ledger: s.ledger.clone()}
	segments := slices.Clone(s.segments)
	missing := len(s.missing)
	for _, g := range s.missing {
		f.ledger.lose(g.first, g.last, 0)
	}
	s.mu.Unlock()

	s.number(&f, events)
	f.ledger.settleCut(f.first)
	edit(&f.ledger)
	for key, value := range state {
		f.changes = append(f.changes, change{key, value})
	}
	expected := int64(f.room())
	victims := s.overdue(segments, &f.ledger, expected)

	offset, size, err := s.write(&f, expected)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.missing = s.missing[missing:]
	edit(&s.ledger)
	s.apply(&f, offset, size)
	s.remove(len(victims))
	s.release()
	return nil
}

// number puts events and their numbers into the frame, leaving out those outside their bounds.
func (s *Spool) number(f *frame, events []attack.Event) {
	s.batch = s.batch[:0]
	for i := range events {
		e := &events[i]
		batch, err := appendEvent(s.batch, f.first+uint64(f.count), s.options.Agent, e)
		if err != nil {
			s.options.Logger.Error("cannot keep an event", "kind", e.Kind, "rule", e.Rule, "error", err)
			s.mu.Lock()
			s.refused++
			s.mu.Unlock()
			continue
		}
		s.batch = batch
		f.count++
		if e.Kind.Attempt() && !e.Test {
			f.attempts += e.Count
		}
	}
	f.batch = slices.Clone(s.batch)
}

// write puts the frame at the end of the newest segment, or into a new one, and syncs it.
func (s *Spool) write(f *frame, expected int64) (offset int64, size int, err error) {
	if err := s.cleanUp(); err != nil {
		return 0, 0, err
	}
	if s.file == nil || s.full(expected, f.ledger.age) {
		return s.begin(f)
	}
	newest := s.segments[len(s.segments)-1]
	s.buf = appendFrame(s.buf[:0], newest.salt, f)
	if err := s.checkSize(); err != nil {
		return 0, 0, err
	}
	if err := writeAndSync(s.file, s.buf, newest.size); err != nil {
		s.undo = func() error { return s.file.Truncate(newest.size) }
		return 0, 0, errors.Join(fmt.Errorf("cannot write to the spool: %w", err), s.cleanUp())
	}
	return newest.size, len(s.buf), nil
}

// cleanUp removes what a failed write left behind. Until that succeeds nothing more is written, or
// the same numbers could stand in the spool twice.
func (s *Spool) cleanUp() error {
	if s.undo == nil {
		return nil
	}
	if err := s.undo(); err != nil {
		return fmt.Errorf("cannot undo a failed write to the spool: %w", err)
	}
	s.undo = nil
	return nil
}

func (s *Spool) checkSize() error {
	if len(s.buf)-headerBytes > maxFrame {
		return fmt.Errorf("cannot commit %d bytes at once, at most %d: commit fewer lines", len(s.buf), maxFrame)
	}
	return nil
}

// full says whether the newest segment has grown large or old enough to begin another.
func (s *Spool) full(expected int64, age time.Duration) bool {
	newest := s.segments[len(s.segments)-1]
	// A new segment repeats the state; with a large one, segments are larger too.
	return newest.size+expected > max(s.segmentBytes, 4*s.stateLen) ||
		age-newest.born > s.options.MaxAge/8
}

// begin puts the frame into a new segment. There it carries the whole state, so that a segment
// needs none before it.
func (s *Spool) begin(f *frame) (offset int64, size int, err error) {
	salt, err := s.random()
	if err != nil {
		return 0, 0, err
	}
	ordinal := uint64(1)
	if n := len(s.segments); n > 0 {
		ordinal = s.segments[n-1].ordinal + 1
	}
	whole := *f
	whole.whole = true
	whole.changes = s.wholeState(f.changes)
	s.buf = appendFrame(slices.Grow(s.buf[:0], whole.room()), salt, &whole) // a large state is not copied again and again
	if err := s.checkSize(); err != nil {
		return 0, 0, err
	}
	path := segmentPath(s.options.Dir, ordinal, salt)
	fresh, err := s.options.storage.open(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY)
	if err != nil {
		return 0, 0, fmt.Errorf("cannot begin a segment of the spool: %w", err)
	}
	err = writeAndSync(fresh, s.buf, 0)
	if err == nil {
		err = s.options.storage.syncDir(s.options.Dir)
	}
	if err != nil {
		err = fmt.Errorf("cannot begin a segment of the spool: %w", err)
		s.undo = func() error { return s.options.storage.remove(path) }
		return 0, 0, errors.Join(err, fresh.Close(), s.cleanUp())
	}
	if s.file != nil {
		s.file.Close() // everything in it is synced
	}
	s.file = fresh
	s.mu.Lock()
	s.segments = append(s.segments,
		&segment{path: path, ordinal: ordinal, salt: salt, first: f.first, next: f.first})
	s.mu.Unlock()
	return 0, len(s.buf), nil
}

func (s *Spool) wholeState(changes []change) []change {
	changed := make(map[string]bool, len(changes))
	all := make([]change, 0, len(s.state)+len(changes))
	for _, c := range changes {
		changed[c.key] = true
		if c.value != nil {
			all = append(all, c)
		}
	}
	for key, value := range s.state {
		if !changed[key] {
			all = append(all, change{key, value})
		}
	}
	return all
}

// apply makes the written frame visible. The caller holds s.mu.
func (s *Spool) apply(f *frame, offset int64, size int) {
	if more := f.ledger.lost.Events - s.ledger.lost.Events; more > 0 {
		s.options.Logger.Warn("events were lost before they could be delivered", "events", more,
			"total", f.ledger.lost.Events, "max_bytes", s.options.MaxBytes, "max_age", s.options.MaxAge)
	}
	s.ledger.lost, s.ledger.gaps, s.ledger.cut = f.ledger.lost, f.ledger.gaps, f.ledger.cut
	s.ledger.forgetGaps()
	for _, c := range f.changes {
		s.change(c)
	}
	s.segments[len(s.segments)-1].note(f, offset, size)
	if f.count > 0 {
		s.recent.add(chunk{f.first, f.count, f.batch})
		s.next = f.first + uint64(f.count)
	}
	s.wake()
	if cap(s.buf)+cap(s.batch) > keptBuffer {
		s.buf, s.batch = nil, nil
	}
}

// keptBuffer bounds, in bytes, what stays allocated from one commit to the next.
const keptBuffer = 1 << 20

func (s *Spool) change(c change) {
	if old, ok := s.state[c.key]; ok {
		s.stateLen -= int64(len(c.key) + len(old))
		delete(s.state, c.key)
	}
	if c.value != nil {
		s.state[c.key] = append([]byte{}, c.value...)
		s.stateLen += int64(len(c.key) + len(c.value))
	}
}

func writeAndSync(f file, data []byte, offset int64) error {
	if _, err := f.WriteAt(data, offset); err != nil {
		return err
	}
	return f.Sync()
}

// appendEvent appends an event to a marshalled Batch.
func appendEvent(batch []byte, sequence uint64, agent string, e *attack.Event) ([]byte, error) {
	message := wire.Encode(sequence, agent, e)
	if _, _, err := wire.Decode(message); err != nil {
		return nil, err
	}
	size := proto.Size(message)
	grown := append(batch, eventTag)
	grown = protowire.AppendVarint(grown, uint64(size))
	return proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(grown, message)
}
