package history_test

import (
	"database/sql"
	"os"
	"testing"
	"testing/synctest"
	"time"

	_ "modernc.org/sqlite"

	"github.com/pialert/pialert/display/internal/history"
)

// edit runs a statement on a closed history.
func edit(t *testing.T, path, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		t.Fatal(err)
	}
}

func TestSizeIsBounded(t *testing.T) {
	t.Parallel()
	path := file(t)
	o := options(path)
	o.MaxBytes = 1 << 19
	h := start(t, o)
	const batches, size = 12, 1000
	for n := range batches {
		h.commit(batch{agent: "a", epoch: 1, first: uint64(n*size + 1), events: events(size)})
	}
	totals := h.totals()
	records, err := h.Recent(t.Context(), 1, history.Filter{})
	if err != nil || len(records) != 1 || records[0].Sequence != batches*size {
		t.Errorf("newest %+v, error %v", records, err)
	}
	h.stop()
	info, err := os.Stat(path)
	if err != nil || info.Size() > o.MaxBytes+150_000 || info.Size() < o.MaxBytes/2 {
		t.Errorf("the file has %d bytes, want about %d", info.Size(), o.MaxBytes)
	}
	if len(totals) != 1 || totals[0].Events != batches*size {
		t.Errorf("totals %+v, want %d events", totals, batches*size)
	}
}

func TestOldEventsAreDeleted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := options(file(t))
		o.Now, o.MaxAge = time.Now, 24*time.Hour
		h := start(t, o)
		h.commit(batch{agent: "a", epoch: 1, first: 1, events: events(1200)})
		time.Sleep(20 * time.Hour)
		h.commit(batch{agent: "a", epoch: 1, first: 1201, events: events(10)})
		time.Sleep(5 * time.Hour)
		synctest.Wait()
		records, err := h.Recent(t.Context(), 1000, history.Filter{})
		if err != nil || len(records) != 10 || records[9].Sequence != 1201 {
			t.Errorf("%d events are left, error %v; want those from 1201 on", len(records), err)
		}
		if got := h.totals(); len(got) != 1 || got[0].Events != 1210 {
			t.Errorf("totals %+v, want 1210 events", got)
		}
		if got := h.commit(batch{agent: "a", epoch: 1, first: 1, events: events(1200)}); got != 1210 {
			t.Errorf("committed %d, want 1210: deleted events were taken again", got)
		}
		h.stop()
	})
}
