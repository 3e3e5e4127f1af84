package history

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// load reads the summary.
func (s *store) load() (summary, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := newSummary()
	err := s.loadInto(&known)
	return known, err
}

// loadInto reads as much of the summary as can be read; the error says if that was not all.
func (s *store) loadInto(known *summary) error {
	ctx := context.Background()
	names := make(map[int64]string)
	var id, epoch, test, kind int64
	var heard sql.NullInt64
	var dropped, sum Sum
	var name string
	var m mark
	return errors.Join(
		s.each(ctx, `SELECT value FROM numbers WHERE name = 'last event'`, []any{&known.last}, func() {}),
		s.each(ctx, `SELECT id, name, heard, dropped_events, dropped_attempts FROM agents`,
			[]any{&id, &name, &heard, &dropped.Events, &dropped.Attempts}, func() {
				a := agent{id: id, dropped: dropped}
				if heard.Valid {
					a.heard = time.Unix(0, heard.Int64)
				}
				known.agents[name], names[id] = a, name
			}),
		s.each(ctx, `SELECT agent, epoch, committed, ordinal FROM (`+rankedMarks+`) WHERE age <= ?`,
			[]any{&id, &epoch, &m.committed, &m.ordinal}, func() {
				if name, ok := names[id]; ok {
					known.marks[stream{name, uint64(epoch)}] = m
				}
			}, maxEpochs),
		s.each(ctx, `SELECT agent, kind, test, sum(events), sum(attempts) FROM totals GROUP BY agent, kind, test`,
			[]any{&id, &kind, &test, &sum.Events, &sum.Attempts}, func() {
				if name, ok := names[id]; ok && attack.StoredKind(kind).Valid() {
					to := totalKey{name, attack.StoredKind(kind), test != 0}
					known.totals[to] = known.totals[to].plus(sum)
				}
			}),
	)
}
