package spool

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// restore reads every segment, oldest first, and opens the newest to go on in it.
func (s *Spool) restore() error {
	segments, names, err := listSegments(s.options.Dir)
	if err != nil {
		return fmt.Errorf("cannot read the spool: %w", err)
	}
	for i, g := range segments {
		if err := s.replay(g, names, i == len(segments)-1); err != nil {
			return fmt.Errorf("cannot read the spool: %w", err)
		}
	}
	if n := len(segments); s.ledger.cut == 0 && n > 0 && (s.endMissing || asideAfter(names, s.segments)) {
		s.ledger.cut = s.next
	}
	s.buf = nil // an agent that rests should not hold a segment in memory
	if err := forgetDamaged(s.options.Dir, names); err != nil {
		s.options.Logger.Error("cannot delete an old damaged file", "error", err)
	}
	if s.ledger.epoch == 0 {
		if s.ledger.epoch, err = s.random(); err != nil {
			return err
		}
	}
	before := s.ledger.lost.Events
	for _, g := range s.missing {
		s.ledger.lose(g.first, g.last, 0)
	}
	s.missing = nil
	if lost := s.ledger.lost.Events - before; lost > 0 {
		s.options.Logger.Error("events in the spool were lost with the damage", "events", lost)
	}
	s.opened = s.next
	now := s.options.Now()
	s.seen = now
	if !s.ledger.wall.IsZero() {
		s.seen = s.ledger.wall
		s.ledger.age = s.grow(now)
	}
	s.dropCovered()
	return nil
}

func listSegments(dir string) (segments []*segment, names []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	for _, entry := range entries {
		names = append(names, entry.Name())
		if ordinal, salt, ok := parseSegmentName(entry.Name()); ok && entry.Type().IsRegular() {
			segments = append(segments, &segment{path: filepath.Join(dir, entry.Name()), ordinal: ordinal, salt: salt})
		}
	}
	slices.SortFunc(segments, func(a, b *segment) int { return cmp.Compare(a.ordinal, b.ordinal) })
	return segments, names, nil
}

// replay takes the frames of one segment.
func (s *Spool) replay(g *segment, names []string, newest bool) error {
	data, err := readFile(g.path, s.buf)
	if err != nil {
		return err
	}
	s.buf = data[:0]
	end, damaged := scan(data, g.salt, func(f *frame, offset, size int) { s.replayFrame(g, f, offset, size) })
	rest := data[end:]
	whole := damaged == 0 && torn(rest, g.salt)
	if newest {
		s.endMissing = len(rest) > 0 || damaged > 0
	}
	if !whole {
		aside, ok, err := setAside(g.path, names, s.options.Now())
		if err != nil {
			s.options.Logger.Error("cannot set a damaged file aside", "error", err)
		}
		if ok {
			s.options.Logger.Error("the spool is damaged: going on with what can be read", "file", g.path,
				"unreadable_bytes", damaged+len(rest), "readable_bytes", end-damaged, "set_aside", aside)
		}
	}
	if len(g.marks) == 0 { // nothing in it can be read, or nothing was ever committed to it
		return s.options.storage.remove(g.path)
	}
	s.segments = append(s.segments, g)
	if !newest {
		return nil
	}
	return s.reopen(g, whole && len(rest) == 0)
}

// readFile reads a file into buf, or into a larger one.
func readFile(path string, buf []byte) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	buf = slices.Grow(buf[:0], int(info.Size()))[:info.Size()]
	n, err := io.ReadFull(f, buf)
	if err == io.EOF || err == io.ErrUnexpectedEOF { // somebody cut it meanwhile
		err = nil
	}
	return buf[:n], err
}

// replayFrame takes one frame.
func (s *Spool) replayFrame(g *segment, f *frame, offset, size int) {
	if f.first < s.next {
		// What could not be read in an earlier run can be now; its numbers were given anew since.
		s.options.Logger.Error("ignoring a part of the spool whose numbers were given twice", "file", g.path,
			"first", f.first, "events", f.count)
		return
	}
	begins := offset == 0 && len(s.segments) == 0 // what was before was released
	if f.first > s.next && !begins {
		s.missing = append(s.missing, gap{first: s.next, last: f.first - 1})
	}
	if f.whole {
		clear(s.state)
		s.stateLen = 0
	}
	for _, c := range f.changes {
		s.change(c)
	}
	s.ledger = f.ledger
	s.next = f.first + uint64(f.count)
	g.note(f, int64(offset), size)
}

// reopen opens the newest segment. What was read from it may still be on its way to the disk, if a
// killed process wrote it, so it is synced before anything of it is sent. Writing goes on there if it is
// whole. Otherwise it is left as it is, and the next commit begins another: that the end is missing must be
// seen again at the next start, unless a frame says so by then.
func (s *Spool) reopen(g *segment, whole bool) error {
	f, err := s.options.storage.open(g.path, os.O_WRONLY)
	if err != nil {
		return err
	}
	err = f.Sync()
	if err != nil || !whole {
		f.Close()
		return err
	}
	s.file = f
	return nil
}

// dropCovered deletes the segments that were to be dropped when the machine stopped.
func (s *Spool) dropCovered() {
	n := 0
	for n < len(s.segments)-1 && s.segments[n].first < s.segments[n].next &&
		s.ledger.covered(s.segments[n].first, s.segments[n].next-1) {
		n++
	}
	s.remove(n)
}
