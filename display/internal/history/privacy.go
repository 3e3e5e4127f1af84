package history

import (
	"context"
	"time"
)

// coarsen leaves only networks of the addresses of events that arrived before a time. It stops as soon
// as there is something to commit and goes on at the next upkeep.
func (h *History) coarsen(before time.Time) {
	// What was summed up since is looked at again.
	if err := h.store.coarsenLists(h.coarseLists-2*dayLong, before.Unix()); err != nil {
		h.log.Warn("cannot shorten the addresses in old lists of the history", "error", err)
		h.suspect(err)
		return
	}
	h.coarseLists = before.Unix()
	for len(h.wake) == 0 {
		last, err := h.store.coarsen(h.coarse, before)
		if err != nil {
			h.log.Warn("cannot shorten the addresses of old events in the history", "error", err)
			h.suspect(err)
			return
		}
		if last == h.coarse {
			return
		}
		h.coarse = last
	}
}

// coarsen does so with at most one step of the events behind an id, and returns the id to go on behind.
// Events of which there is only the network left are not written again.
func (s *store) coarsen(behind int64, before time.Time) (last int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last = behind
	ctx := context.Background()
	err = s.each(ctx, `SELECT coalesce(max(id), ?1) FROM (SELECT id FROM events WHERE id > ?1 AND arrived < ?2 ORDER BY id LIMIT ?3)`,
		[]any{&last}, func() {}, behind, before.UnixNano(), step)
	if err != nil || last == behind {
		return last, err
	}
	return last, s.exec(`UPDATE events SET host = NULL, port = 0, source = CASE length(source)
			WHEN 4 THEN CAST(substr(source, 1, 3) || x'00' AS BLOB)
			WHEN 16 THEN CAST(substr(source, 1, 6) || x'00000000000000000000' AS BLOB) END
		WHERE id > ?1 AND id <= ?2 AND arrived < ?3 AND (host IS NOT NULL OR length(source) = 4 AND substr(source, 4) <> x'00'
			OR length(source) = 16 AND substr(source, 7) <> x'00000000000000000000')`, behind, last, before.UnixNano())
}
