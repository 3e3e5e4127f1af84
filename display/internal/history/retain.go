package history

import (
	"context"
	"errors"
	"fmt"
	"os"
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
	if zone := h.options.Zone(); zone.String() != h.zone.Load().String() {
		if err := h.store.followZone(h.options.Now().In(zone)); err != nil {
			h.log.Warn("cannot let the days of the history begin in their new zone", "error", err)
			h.suspect(err)
			return
		}
		h.zone.Store(zone)
	}
	if err := h.store.mergeLists(h.now()); err != nil {
		h.log.Warn("cannot sum up lists of names in the history", "error", err)
		h.suspect(err)
	}
	if !h.clockIsRight(h.options.Now()) {
		h.copySummary()
		return
	}
	if err := h.store.forgetLists(h.options.Now()); err != nil {
		h.log.Warn("cannot delete old roll-ups from the history", "error", err)
		h.suspect(err)
	}
	if h.options.MaxAge > 0 {
		h.expire(h.options.Now().Add(-h.options.MaxAge))
	}
	if h.options.AddressAge > 0 {
		h.coarsen(h.options.Now().Add(-h.options.AddressAge))
	}
	h.copySummary()
}

// agreement is how far an agent's clock may be off for it to say that this one is right, and for how
// long it says so.
const agreement = 24 * time.Hour

// compareClocks notes whether the agents that sent a group agree about the time.
func (h *History) compareClocks(group []pending) {
	for i := range group {
		b := &group[i]
		if len(b.events) == 0 {
			continue
		}
		if b.arrived.Sub(b.events[len(b.events)-1].Observed).Abs() < agreement {
			h.agreed = b.arrived
		}
	}
}

// clockIsRight says whether an agent agreed lately. A clock that nobody confirms, such as that of a
// Pi which has none of its own, may have jumped by years: nothing is deleted by age then. Where
// nothing arrives, nothing needs to be; and by a clock that went back, nothing is old.
func (h *History) clockIsRight(now time.Time) bool {
	return now.Sub(h.agreed) < agreement
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
func (s *store) deleteOldest(before time.Time) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.delete(`id IN (SELECT id FROM events WHERE sequence > 0 ORDER BY id LIMIT ?) AND arrived < ?`, step, before.UnixNano())
}

// delete deletes the events that a condition chooses, and counts what is left of each agent's.
func (s *store) delete(condition string, args ...any) (deleted int, err error) {
	err = s.transaction(func() error {
		var agent int64
		of := make(map[int64]int)
		err := s.each(context.Background(), `DELETE FROM events WHERE `+condition+` RETURNING agent`, []any{&agent}, func() {
			of[agent]++
			deleted++
		}, args...)
		for agent, n := range of {
			if err == nil {
				err = s.exec(`UPDATE stored SET events = max(0, events - ?) WHERE agent = ?`, n, agent)
			}
		}
		return err
	})
	return deleted, err
}

// trim deletes one step of events if the file's used pages are more than most bytes, and gives
// back free pages if the file is. It reports whether there is more to do. The events are the oldest
// of the agent that has the most: one that floods pushes out its own.
func (s *store) trim(most int64) (more bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	size, free, err := s.size()
	if err != nil {
		return false, err
	}
	most -= s.walRoom(most)
	if size <= most {
		return false, nil
	}
	if size-free <= most {
		return free > 0, s.vacuum()
	}
	agent, err := s.number(`SELECT agent FROM stored ORDER BY events DESC LIMIT 1`)
	if err != nil {
		return false, err
	}
	deleted, err := s.delete(`id IN (SELECT id FROM events WHERE agent = ?1 AND id >= ?2 AND sequence > 0 ORDER BY id LIMIT ?3)`,
		agent, s.oldest[agent], step)
	if err == nil {
		// Nothing of the agent's is below what was deleted, so the next look begins there.
		s.oldest[agent], err = s.number(`SELECT coalesce(min(id), 0) FROM (SELECT id FROM events WHERE agent = ?1 AND id >= ?2 ORDER BY id LIMIT 1)`,
			agent, s.oldest[agent])
	}
	return deleted > 0, err
}

// walRoom is what the WAL may take of the file's bound: what it was bounded to, or, if a reader has
// kept it from being emptied, what it has; but never more than half.
func (s *store) walRoom(most int64) int64 {
	room := walBound(most)
	if info, err := os.Stat(s.path + "-wal"); err == nil {
		room = max(room, info.Size())
	}
	return min(room, most/2)
}

// walBound is how large the WAL should get, in bytes.
func walBound(most int64) int64 { return min(4<<20, most/4) }

// boundWAL has the WAL emptied before it takes a large part of what the history may.
func (h *History) boundWAL() error {
	if h.options.MaxBytes <= 0 {
		return nil
	}
	h.store.mu.Lock()
	defer h.store.mu.Unlock()
	bound := walBound(h.options.MaxBytes)
	return errors.Join(h.store.exec(fmt.Sprintf("PRAGMA journal_size_limit=%d", bound)),
		h.store.exec(fmt.Sprintf("PRAGMA wal_autocheckpoint=%d", max(bound/4096/4, 16))))
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
