package history_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"

	"github.com/pialert/pialert/display/internal/history"
)

// What a hostile or broken agent did can be taken away: nothing of it is counted any more, a line says
// so, the other agents notice nothing, and what it sends again is not counted twice.
func TestForget(t *testing.T) {
	t.Parallel()
	path := file(t)
	h := start(t, options(path))
	h.commit(batch{agent: "good", epoch: 1, first: 1, events: events(30)})
	h.commit(batch{agent: "broken", epoch: 1, first: 1, events: events(700)})
	h.commit(batch{agent: "broken", epoch: 1, through: 710, attempts: 99})
	if err := h.Forget(t.Context(), "broken"); err != nil {
		t.Fatal(err)
	}
	check := func() {
		t.Helper()
		if got := h.totals(); len(got) != 1 || got[0].Agent != "good" || got[0].Attempts != 30 {
			t.Errorf("totals %+v", got)
		}
		if got := h.sums(); len(got) != 1 || got[0].Attempts != 30 {
			t.Errorf("the hours add up to %+v", got)
		}
		if top, err := h.Top(t.Context(), history.Networks, history.Filter{}, 5); err != nil || len(top) != 1 || top[0].Attempts != 30 {
			t.Errorf("networks %+v, error %v", top, err)
		}
		records, err := h.Recent(t.Context(), 1000, history.Filter{Agent: "broken"})
		if err != nil || len(records) != 1 || records[0].By != -700 || records[0].Note == "" {
			t.Errorf("%d records, error %v; want one line that says what was forgotten", len(records), err)
		}
		for _, agent := range h.Agents() {
			if agent.Dropped.Events > 0 {
				t.Errorf("agent %+v", agent)
			}
		}
	}
	check()
	if got := h.commit(batch{agent: "broken", epoch: 1, first: 1, events: events(700)}); got != 710 {
		t.Errorf("committed up to %d, want 710", got)
	}
	check()
	h.stop()
	h = start(t, options(path))
	check()
	err := h.View(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		var left int
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM stored").Scan(&left); err != nil || left != 1 {
			return fmt.Errorf("%d agents have events, error %w", left, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if err := h.Forget(t.Context(), "nobody"); !errors.Is(err, history.ErrUnknownAgent) {
		t.Errorf("error %v", err)
	}
}
