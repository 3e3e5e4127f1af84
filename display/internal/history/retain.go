package history

import (
	"context"
	"fmt"
	"time"
)

const (
	upkeepEvery = 10 * time.Minute // how often age is looked at, and who was heard is written
	step        = 500              // events that one transaction deletes
	vacuumPages = 256              // pages that one transaction gives back to the file system
)

// upkeep does what is due though nothing arrives.
func (h *History) upkeep() {
	if h.store == nil {
		return // a damaged file could not be replaced yet; the next commit tries again
	}
	if err := h.tryCommit(nil); err != nil {
		return // said by tryCommit
	}
	if err := h.store.forgetRollups(h.options.Now()); err != nil {
		h.log.Warn("cannot delete old roll-ups from the history", "error", err)
		h.suspect(err)
	}
	if h.options.MaxAge > 0 {
		h.expire(h.options.Now().Add(-h.options.MaxAge))
	}
	h.copySummary()
}

// expire deletes events that arrived before a time, oldest first. It stops as soon as there is
// something to commit and goes on at the next upkeep.
func (h *History) expire(before time.Time) {
	for len(h.wake) == 0 {
		deleted, err := h.store.deleteOldest(before)
		if err != nil {
			h.log.Warn("cannot delete old events from the history", "error", err)
			h.suspect(err)
			return
		}
		if deleted == 0 {
			return
		}
	}
}

// trim deletes the oldest events while the file is larger than allowed: at most about twice as
// many as were just added, so that it keeps up and a commit does not wait for long.
func (h *History) trim(added int) {
	if h.options.MaxBytes <= 0 {
		return
	}
	for range 1 + 2*added/step {
		more, err := h.store.trim(h.options.MaxBytes)
		if err != nil {
			h.log.Warn("cannot make the history smaller", "error", err)
			h.suspect(err)
			return
		}
		if !more {
			return
		}
	}
}

// deleteOldest deletes at most one step of events that arrived before a time and returns how
// many. Ids rise with arrival, so it looks no further than the first step of ids.
func (s *store) deleteOldest(before time.Time) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	result, err := s.conn.ExecContext(context.Background(), `DELETE FROM events
		WHERE id IN (SELECT id FROM events WHERE sequence > 0 ORDER BY id LIMIT ?) AND arrived < ? AND sequence > 0`, step, before.UnixNano())
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// trim deletes one step of events if the file's used pages are more than most bytes, and gives
// back free pages if the file is. It reports whether there is more to do.
func (s *store) trim(most int64) (more bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	size, free, err := s.size()
	if err != nil || size <= most {
		return false, err
	}
	if size-free > most {
		return true, s.exec(`DELETE FROM events WHERE id <= (SELECT id FROM events WHERE sequence > 0 ORDER BY id LIMIT 1 OFFSET ?) AND sequence > 0`, step-1)
	}
	return free > 0, s.vacuum()
}

// vacuum gives back some free pages. The pragma frees one page per row that it is asked for.
func (s *store) vacuum() error {
	return s.each(context.Background(), fmt.Sprintf("PRAGMA incremental_vacuum(%d)", vacuumPages), nil, func() {})
}

// size returns the size of the file and of its free pages, in bytes.
func (s *store) size() (total, free int64, err error) {
	page, err := s.number("PRAGMA page_size")
	if err != nil {
		return 0, 0, err
	}
	pages, err := s.number("PRAGMA page_count")
	if err != nil {
		return 0, 0, err
	}
	unused, err := s.number("PRAGMA freelist_count")
	return pages * page, unused * page, err
}
