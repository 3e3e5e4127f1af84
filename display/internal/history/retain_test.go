package history_test

import (
	"database/sql"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	_ "modernc.org/sqlite"

	"github.com/pialert/pialert/display/internal/history"
	"github.com/pialert/pialert/pkg/attack"
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
		present := func(n int) []attack.Event {
			list := events(n)
			for i := range list {
				list[i].Observed = time.Now()
			}
			return list
		}
		h.commit(batch{agent: "a", epoch: 1, first: 1, events: present(1200)})
		time.Sleep(20 * time.Hour)
		h.commit(batch{agent: "a", epoch: 1, first: 1201, events: present(10)})
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

// A clock that jumps by decades deletes nothing, whatever arrives meanwhile: the agents' clocks do not
// agree. Once it is right again, what is old goes.
func TestAWrongClockDeletesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := options(file(t))
		var jump atomic.Int64 // by how much the display's clock is ahead
		o.Now = func() time.Time { return time.Now().Add(time.Duration(jump.Load())) }
		o.MaxAge = 24 * time.Hour
		h := start(t, o)
		defer h.stop()
		next := uint64(1)
		commit := func() {
			e := event(1)
			e.Observed = time.Now() // the agent's clock is right
			h.commit(batch{agent: "a", epoch: 1, first: next, events: []attack.Event{e}})
			next++
		}
		expect := func(say string, minutes, want int) {
			t.Helper()
			time.Sleep(time.Duration(minutes) * time.Minute)
			synctest.Wait()
			records, err := h.Recent(t.Context(), 1000, history.Filter{})
			if err != nil || len(records) != want {
				t.Errorf("%s: %d events are left, error %v; want %d", say, len(records), err, want)
			}
		}
		commit()
		jump.Store(int64(73 * 365 * 24 * time.Hour))
		expect("in 2099", 30, 1)
		commit()
		expect("in 2099, with new events", 30, 2)
		e := event(1)
		e.Observed = o.Now().AddDate(73, 0, 0)
		h.commit(batch{agent: "b", epoch: 1, first: 1, events: []attack.Event{e}})
		expect("in 2099, with an agent in 2172", 30, 3)
		jump.Store(int64(-73 * 365 * 24 * time.Hour))
		expect("in 1953", 30, 3)
		jump.Store(int64(0))
		commit()
		expect("the clock is right again", 30, 4)
		time.Sleep(24 * time.Hour)
		commit()
		expect("a day later", 30, 3) // and those of 2099, which are not old yet
	})
}

// An agent that floods pushes out its own events, and none of the others'.
func TestAFloodPushesOutItsOwn(t *testing.T) {
	t.Parallel()
	path := file(t)
	o := options(path)
	o.MaxBytes = 1 << 20
	h := start(t, o)
	h.commit(batch{agent: "quiet", epoch: 1, first: 1, events: events(500)})
	for n := range uint64(20) {
		h.commit(batch{agent: "flooder", epoch: 1, first: n*1000 + 1, events: events(1000)})
	}
	left := map[string]int{}
	for _, agent := range []string{"quiet", "flooder"} {
		n, _, err := h.Newest(t.Context(), 1<<30, history.Filter{Agent: agent})
		if err != nil {
			t.Fatal(err)
		}
		left[agent] = n
	}
	if left["quiet"] != 500 || left["flooder"] < 1000 || left["flooder"] > 10000 {
		t.Errorf("%v events are left, want all 500 of the quiet agent", left)
	}
	// The WAL counts, too.
	for _, suffix := range []string{"", "-wal"} {
		if info, err := os.Stat(path + suffix); err != nil || info.Size() > o.MaxBytes*3/4+150_000 {
			t.Errorf("%s has %d bytes, error %v", path+suffix, info.Size(), err)
		}
	}
	h.stop()
	h = start(t, o)
	h.commit(batch{agent: "flooder", epoch: 1, first: 20001, events: events(3000)})
	if n, _, err := h.Newest(t.Context(), 1000, history.Filter{Agent: "quiet"}); err != nil || n != 500 {
		t.Errorf("after a restart %d events of the quiet agent are left, error %v; want 500", n, err)
	}
}

// The WAL counts towards what the history may take: a quarter of a small one, 4 MiB of any other.
func TestWALBound(t *testing.T) {
	for most, want := range map[int64]int64{4 << 20: 1 << 20, 16 << 20: 4 << 20, 1 << 30: 4 << 20} {
		if got := history.WALBound(most); got != want {
			t.Errorf("of %d bytes %d, want %d", most, got, want)
		}
	}
}
