package history_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"reflect"
	"testing"
	"testing/synctest"
	"time"
)

// Whoever reads on from the last id sees every event once, in order, while it is written and
// however small the steps; it may begin in the middle.
func TestFollowersSeeEachEventOnce(t *testing.T) {
	t.Parallel()
	h := start(t, options(file(t)))
	h.commit(batch{agent: "a", epoch: 1, first: 1, events: events(50)})
	type reader struct {
		cursor int64
		limit  int
		first  uint64
		saw    []uint64
	}
	const all = 500
	readers := []*reader{{limit: 1000, first: 1}, {limit: 7, first: 1}, {limit: 90, cursor: h.Last(), first: 51}}
	done := make(chan error, len(readers))
	for _, r := range readers {
		go func() {
			for {
				changed := h.Changed()
				records, err := h.After(t.Context(), r.cursor, r.limit)
				if err != nil || len(records) > r.limit {
					done <- errors.Join(err, errors.New("too many records, or none"))
					return
				}
				for _, record := range records {
					r.cursor, r.saw = record.ID, append(r.saw, record.Sequence)
				}
				if r.cursor == all {
					done <- nil
					return
				}
				if len(records) == 0 {
					<-changed
				}
			}
		}()
	}
	for first := uint64(51); first < all; first += 50 {
		h.commit(batch{agent: "a", epoch: 1, first: first, events: events(50)})
	}
	for range readers {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	for i, r := range readers {
		want := make([]uint64, 0, all)
		for n := r.first; n <= all; n++ {
			want = append(want, n)
		}
		if !reflect.DeepEqual(r.saw, want) {
			t.Errorf("reader %d saw %v", i, r.saw)
		}
	}
}

// A cursor stays right when everything behind it was deleted: ids are never given twice.
func TestIdsAreNotGivenTwice(t *testing.T) {
	t.Parallel()
	path := file(t)
	h := start(t, options(path))
	h.commit(batch{agent: "a", epoch: 1, first: 1, events: events(20)})
	last := h.Last()
	h.stop()
	edit(t, path, "DELETE FROM events")
	h = start(t, options(path))
	if got := h.Last(); got != last {
		t.Errorf("the last id is %d, want %d", got, last)
	}
	h.commit(batch{agent: "a", epoch: 1, first: 21, events: events(3)})
	records, err := h.After(t.Context(), last, 100)
	if err != nil || len(records) != 3 || records[0].ID != last+1 {
		t.Errorf("after the cursor come %+v, error %v; want three events from id %d on", records, err, last+1)
	}
}

// Changed wakes at a commit of events, and at nothing else.
func TestChangedWakesAtCommits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := start(t, options(file(t)))
		defer h.stop()
		changed := h.Changed()
		h.Heard("a", noon)
		h.commit(batch{agent: "a", epoch: 1, through: 5})
		time.Sleep(time.Hour) // what was heard is written
		synctest.Wait()
		select {
		case <-changed:
			t.Fatal("it woke though no event was committed")
		default:
		}
		h.commit(batch{agent: "a", epoch: 1, first: 6, events: events(1)})
		<-changed
		if records, err := h.After(t.Context(), 0, 10); err != nil || len(records) != 1 {
			t.Errorf("after it woke there are %d events, error %v; want 1", len(records), err)
		}
	})
}

// A reader that takes its time sees one commit's picture, and holds up no commit.
func TestReadersHoldUpNoCommit(t *testing.T) {
	t.Parallel()
	h := start(t, options(file(t)))
	h.commit(batch{agent: "a", epoch: 1, first: 1, events: events(10)})
	count := func(ctx context.Context, tx *sql.Tx) (n int) {
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM events").Scan(&n); err != nil {
			t.Error(err)
		}
		return n
	}
	err := h.View(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		before := count(ctx, tx)
		if got := h.commit(batch{agent: "a", epoch: 1, first: 11, events: events(5)}); got != 15 {
			t.Errorf("while somebody reads, %d is committed, want 15", got)
		}
		if after := count(ctx, tx); before != 10 || after != 10 {
			t.Errorf("the reader saw %d events and then %d, want 10 twice", before, after)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestReadersCannotWrite(t *testing.T) {
	t.Parallel()
	h := start(t, options(file(t)))
	err := h.View(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM totals")
		return err
	})
	if err == nil {
		t.Error("a reader deleted the totals")
	}
}

// What is acknowledged survives a power cut only if SQLite syncs the WAL at each commit. A note, whatever becomes of it, leaves
// that as it is.
func TestCommitsAreSynced(t *testing.T) {
	t.Parallel()
	h := start(t, options(file(t)))
	holds := func(how string, change func(context.Context, func(context.Context, *sql.Tx) error) error, synchronous string) {
		t.Helper()
		err := change(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
			for pragma, want := range map[string]string{"synchronous": synchronous, "journal_mode": "wal"} {
				var got string
				if err := tx.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(&got); err != nil {
					return err
				}
				if got != want {
					t.Errorf("%s: %s is %s, want %s", how, pragma, got, want)
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	const normal, full = "1", "2"
	holds("at first", h.Update, full)
	holds("a note", h.Note, normal)
	holds("after a note", h.Update, full)
	ctx, cancel := context.WithCancel(t.Context())
	if err := h.Note(ctx, func(context.Context, *sql.Tx) error { cancel(); return ctx.Err() }); !errors.Is(err, context.Canceled) {
		t.Errorf("a note that was broken off: %v", err)
	}
	holds("after a broken note", h.Update, full)
}

// outbox is a table that somebody else keeps in the history.
const outbox = "CREATE TABLE IF NOT EXISTS outbox (id INTEGER PRIMARY KEY, text BLOB) STRICT"

func outboxOf(t *testing.T, h *running) (texts []string) {
	t.Helper()
	err := h.View(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, "SELECT text FROM outbox ORDER BY id")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var text []byte
			if err := rows.Scan(&text); err != nil {
				return err
			}
			texts = append(texts, string(text))
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

func put(ctx context.Context, tx *sql.Tx, texts ...string) error {
	_, err := tx.ExecContext(ctx, outbox)
	for _, text := range texts {
		if err == nil {
			_, err = tx.ExecContext(ctx, "INSERT INTO outbox (text) VALUES (?)", []byte(text))
		}
	}
	return err
}

// Others' tables change as a whole or not at all, and survive a restart and a damaged file.
func TestOthersKeepTables(t *testing.T) {
	t.Parallel()
	path := file(t)
	h := start(t, options(path))
	h.commit(batch{agent: "a", epoch: 1, first: 1, events: events(1000)})
	if err := h.Update(t.Context(), func(ctx context.Context, tx *sql.Tx) error { return put(ctx, tx, "one", "two\x00") }); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	err := h.Update(t.Context(), func(ctx context.Context, tx *sql.Tx) error { return errors.Join(put(ctx, tx, "three"), broken) })
	if !errors.Is(err, broken) {
		t.Errorf("error %v, want the caller's", err)
	}
	want := []string{"one", "two\x00"}
	if got := outboxOf(t, h); !reflect.DeepEqual(got, want) {
		t.Errorf("the outbox holds %q, want %q", got, want)
	}
	if got := h.commit(batch{agent: "a", epoch: 1, first: 1001, events: events(1)}); got != 1001 {
		t.Errorf("afterwards %d is committed, want 1001", got)
	}
	h.stop()

	content := read(t, path)
	clear(content[4096*20 : 4096*21]) // a page of events
	write(t, path, content)
	h = start(t, options(path))
	if len(damagedFiles(t, path)) != 1 {
		t.Fatal("the damage was not found")
	}
	if got := outboxOf(t, h); !reflect.DeepEqual(got, want) {
		t.Errorf("after a repair the outbox holds %q, want %q", got, want)
	}
	if got := h.Last(); got != 1001 {
		t.Errorf("after a repair the last id is %d, want 1001", got)
	}
}

// A history of the first version goes on.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	path, totals := written(t, 1)
	edit(t, path, "DROP TABLE numbers; DROP TABLE lists; DROP TABLE stored; ALTER TABLE events DROP COLUMN machine; PRAGMA user_version=1")
	os.Remove(path + ".totals")
	h := start(t, options(path))
	if len(damagedFiles(t, path)) > 0 {
		t.Fatal("an old file was taken for a damaged one")
	}
	if got := h.totals(); !reflect.DeepEqual(got, totals) || count(h) != 2000 || h.Last() != 2000 {
		t.Errorf("totals %+v, %d events, last id %d", got, count(h), h.Last())
	}
	h.commit(batch{agent: "a", epoch: 7, first: 1001, events: events(1)})
	if got := h.Last(); got != 2001 {
		t.Errorf("the last id is %d, want 2001", got)
	}
}

func TestNothingIsReadAfterTheEnd(t *testing.T) {
	t.Parallel()
	h := start(t, options(file(t)))
	h.stop()
	if _, err := h.After(t.Context(), 0, 1); err == nil {
		t.Error("a closed history was read")
	}
	for _, change := range []func(context.Context, func(context.Context, *sql.Tx) error) error{h.Update, h.Note} {
		if err := change(t.Context(), func(context.Context, *sql.Tx) error { return nil }); err == nil {
			t.Error("a closed history was written to")
		}
	}
}
