package history

import (
	"context"
	"database/sql"

	"github.com/pialert/pialert/pkg/attack"
)

// SizeOf is how much room a batch of events takes in the queue.
func SizeOf(b []attack.Event) int { return (&batch{events: b}).measure() }

// Upkeep does what Run does every ten minutes. Nothing else may use the history meanwhile.
func (h *History) Upkeep() { h.upkeep() }

// RememberAll has what few lists add up to kept as well.
func (h *History) RememberAll() { h.past.least = 0 }

// RememberAtMost bounds what is kept of the past, in bytes.
func (h *History) RememberAtMost(bytes int) { h.past.most = bytes }

// Forgetful drops what is kept of the past.
func (h *History) Forgetful() { h.past.forget() }

// Remembered is of how many parts of the past something is kept.
func (h *History) Remembered() int {
	h.past.mu.Lock()
	defer h.past.mu.Unlock()
	return len(h.past.kept)
}

// SetBack returns the first and the last of the ids that are looked at because the clock was set back.
func (h *History) SetBack(ctx context.Context) (first, last int64, err error) {
	err = h.View(ctx, func(ctx context.Context, tx *sql.Tx) error {
		ranges, err := setBack(ctx, tx)
		if err == nil {
			first, last = ranges[0].first, ranges[0].last
		}
		return err
	})
	return first, last, err
}

// Where returns what a filter adds to a query.
func Where(f Filter) string {
	where, _ := f.where()
	return where
}

// WALBound is how large the WAL should get of a history of so many bytes.
func WALBound(most int64) int64 { return walBound(most) }

// Summed adds everything of all time up, as totals are.
func (h *History) Summed(ctx context.Context) ([]Total, error) {
	return h.totalsIn(ctx, Span{})
}
