package history_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/display/internal/history"
)

// written makes a closed history of two agents, each with so many thousands of events, and
// returns its file and its totals.
func written(t *testing.T, thousands int) (path string, totals []history.Total) {
	t.Helper()
	path = file(t)
	h := start(t, options(path))
	for n := range thousands {
		h.commit(batch{agent: "a", epoch: 7, first: uint64(n*1000 + 1), events: events(1000)})
		h.commit(batch{agent: "b", epoch: 9, first: uint64(n*1000 + 1), events: events(1000)})
	}
	totals = h.totals()
	h.stop()
	return path, totals
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// damagedFiles returns the files that were set aside.
func damagedFiles(t *testing.T, path string) []string {
	t.Helper()
	found, err := filepath.Glob(path + ".damaged-*Z")
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestDamagedFileIsSetAside(t *testing.T) {
	t.Parallel()
	page := func(n int) int { return (n - 1) * 4096 }
	tests := []struct {
		name   string
		damage func(b []byte) []byte
		least  int // events that must be left
	}{
		{"cut near the end", func(b []byte) []byte { return b[:len(b)-10*4096-100] }, 5000},
		{"cut in the middle", func(b []byte) []byte { return b[:len(b)/2+100] }, 0}, // without the tree's inner pages
		{"cut to one page", func(b []byte) []byte { return b[:4096] }, 0},
		{"cut in the header", func(b []byte) []byte { return b[:50] }, 0},
		{"emptied", func(b []byte) []byte { return nil }, 0},
		{"no database", func(b []byte) []byte { return bytes.Repeat([]byte("hello\n"), 3000) }, 0},
		{"a bit in the header", func(b []byte) []byte { b[3] ^= 1; return b }, 0},
		{"the schema", func(b []byte) []byte { clear(b[100:4096]); return b }, 0},
		{"the small tables", func(b []byte) []byte { clear(b[page(2):page(7)]); return b }, 6000},
		{"a page of events", func(b []byte) []byte { clear(b[page(121):page(122)]); return b }, 5000},
		{"noise over some pages of events", func(b []byte) []byte {
			for i := page(100); i < page(103); i++ {
				b[i] = byte(i * 31)
			}
			return b
		}, 5000},
	}
	original, totals := written(t, 3)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := file(t)
			content := test.damage(read(t, original))
			write(t, path, content)
			write(t, path+".totals", read(t, original+".totals"))
			h := start(t, options(path))
			asides := damagedFiles(t, path)
			if len(asides) != 1 || h.log.count(asides[0]) == 0 {
				t.Fatalf("set aside %v, which the log must name", asides)
			}
			if kept := read(t, asides[0]); len(kept) < len(content) {
				t.Errorf("%d of %d bytes were kept", len(kept), len(content))
			}
			if got := h.totals(); !reflect.DeepEqual(got, totals) {
				t.Errorf("totals %+v\nwant %+v", got, totals)
			}
			for _, at := range []batch{{agent: "a", epoch: 7}, {agent: "b", epoch: 9}} {
				if got, _ := h.Committed(t.Context(), at.agent, at.epoch); got != 3000 {
					t.Errorf("mark of %s is %d, want 3000", at.agent, got)
				}
			}
			if got := count(h); got < test.least {
				t.Errorf("%d events are left, want at least %d", got, test.least)
			}
			ranking, err := h.Rank(t.Context(), history.Sources, history.Filter{}, 1000)
			named := ranking.Others
			for _, tally := range ranking.Names {
				named += tally.Attempts
			}
			if err != nil || int(named) < test.least || named > 6000 {
				t.Errorf("the sources add up to %d, want at least %d, error %v", named, test.least, err)
			}
			if got := h.commit(batch{agent: "a", epoch: 7, first: 2991, events: events(20)}); got != 3010 {
				t.Errorf("it did not go on: %d", got)
			}
		})
	}
}

// count pages through all events.
func count(h *running) (sum int) {
	h.t.Helper()
	filter := history.Filter{}
	for {
		records, err := h.Recent(h.t.Context(), 1000, filter)
		if err != nil {
			h.t.Fatal(err)
		}
		if len(records) == 0 {
			return sum
		}
		sum += len(records)
		filter.Before = records[len(records)-1].ID
	}
}

// Whatever bits flip, the history opens, goes on, and never counts more than there was.
func TestFlippedBits(t *testing.T) {
	t.Parallel()
	original, _ := written(t, 1)
	content, copied := read(t, original), read(t, original+".totals")
	random := rand.New(rand.NewPCG(1, 2))
	for n := range 8 {
		path := file(t)
		flipped := bytes.Clone(content)
		for range 1 + random.IntN(20) {
			at := random.IntN(len(flipped))
			if n%2 == 0 {
				at = random.IntN(8 * 4096) // the header, the schema and the small tables
			}
			flipped[at] ^= 1 << random.IntN(8)
		}
		write(t, path, flipped)
		write(t, path+".totals", copied)
		h := start(t, options(path))
		if got := h.commit(batch{agent: "new", epoch: 1, first: 1, events: events(1)}); got != 1 {
			t.Errorf("run %d: it did not go on: %d", n, got)
		}
		if got := count(h); got > 2001 {
			t.Errorf("run %d: %d events of 2001", n, got)
		}
		h.stop()
	}
}

// Damage that appears while the history is in use.
func TestDamageWhileRunning(t *testing.T) {
	t.Parallel()
	path, _ := written(t, 10)
	o := options(path)
	o.NetworksOnly = true
	h := start(t, o)
	h.commit(batch{agent: "a", epoch: 7, first: 10001, events: events(1)})
	before := h.totals()
	// In place, since SQLite holds the file open.
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	damaged, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := damaged.Write(bytes.Repeat([]byte{0xa5}, int(info.Size()))); err != nil {
		t.Fatal(err)
	}
	damaged.Close()
	if _, err := h.TopSources(t.Context(), history.Filter{}, 1); err == nil {
		t.Fatal("a query did not meet the damage: all pages are in the cache")
	}
	last := uint64(10001)
	for n := range 200 {
		if got := h.commit(batch{agent: "a", epoch: 7, first: last + 1, events: events(1000)}); got != last+1000 {
			t.Fatalf("commit %d: %d, want %d", n, got, last+1000)
		}
		last += 1000
		if len(damagedFiles(t, path)) > 0 {
			break
		}
	}
	asides := damagedFiles(t, path)
	if len(asides) != 1 || h.log.count("damaged") == 0 {
		t.Fatalf("set aside %v\n%s", asides, h.log.text.String())
	}
	after := h.totals()
	before[0].Events += last - 10001
	before[0].Attempts += last - 10001
	if !reflect.DeepEqual(after, before) {
		t.Errorf("totals %+v\nwant %+v", after, before)
	}
	h.commit(batch{agent: "a", epoch: 7, first: last + 1, events: from(t, "192.0.2.77")})
	if got := sources(t, h); got[0] != "" || got[1] != "192.0.2.0" {
		t.Errorf("in the new file are %q, want networks alone", got[:2])
	}
	before = h.totals()
	h.stop()
	if got := start(t, options(path)).totals(); !reflect.DeepEqual(got, before) {
		t.Errorf("after a restart %+v\nwant %+v", got, before)
	}
}

// A crash between the last two steps of a replacement leaves only the new file.
func TestCrashWhileReplacing(t *testing.T) {
	t.Parallel()
	path, totals := written(t, 2)
	if err := os.Rename(path, path+".new"); err != nil {
		t.Fatal(err)
	}
	os.Remove(path + ".totals")
	h := start(t, options(path))
	if got := h.totals(); !reflect.DeepEqual(got, totals) || count(h) != 4000 {
		t.Errorf("totals %+v\nwant %+v", got, totals)
	}
}

func TestDamagedFilesDoNotPileUp(t *testing.T) {
	t.Parallel()
	path := file(t)
	now := noon
	o := options(path)
	o.Now = func() time.Time { now = now.Add(time.Second); return now }
	for n := range 6 {
		write(t, path, fmt.Append(nil, "no database, the ", n))
		start(t, o).stop()
	}
	asides := damagedFiles(t, path)
	if len(asides) != 3 {
		t.Fatalf("set aside %v, want the newest 3", asides)
	}
	if newest, _ := os.ReadFile(asides[2]); string(newest) != "no database, the 5" {
		t.Errorf("the newest holds %q", newest)
	}
}

// A file that is deleted while it is in use is made anew of what is known: nothing that was counted is counted
// again or lost, though the events themselves are gone.
func TestDeletedWhileInUse(t *testing.T) {
	t.Parallel()
	path := file(t)
	h := start(t, options(path))
	h.commit(batch{agent: "a", epoch: 7, first: 1, events: events(100)})
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	if got := h.commit(batch{agent: "a", epoch: 7, first: 91, events: events(20)}); got != 110 {
		t.Errorf("it did not go on: %d", got)
	}
	if h.log.count("deleted while in use") != 1 {
		t.Error("the log does not say that the file was deleted")
	}
	totals := h.totals()
	h.stop()
	h = start(t, options(path))
	if got := h.totals(); !reflect.DeepEqual(got, totals) || len(got) != 1 || got[0].Attempts != 110 {
		t.Errorf("totals %+v after a restart, %+v before, want 110", got, totals)
	}
	if got := count(h); got != 10 {
		t.Errorf("%d events are left, want the 10 that came after", got)
	}
}

// Nothing is committed while another file is in the history's place: agents keep it for that one.
func TestReplacedWhileInUse(t *testing.T) {
	t.Parallel()
	path, other := file(t), file(t)
	h := start(t, options(other))
	h.commit(batch{agent: "a", epoch: 7, first: 1, events: events(50)})
	h.stop()
	h = start(t, options(path))
	h.commit(batch{agent: "a", epoch: 7, first: 1, events: events(100)})
	if err := os.Rename(other, path); err != nil {
		t.Fatal(err)
	}
	outcome := make(chan error, 1)
	if err := h.Append(t.Context(), "a", 7, 101, events(20), func(_ uint64, err error) { outcome <- err }); err != nil {
		t.Fatal(err)
	}
	for h.Fault() == "" {
		runtime.Gosched()
	}
	if fault := h.Fault(); !strings.Contains(fault, "restart") {
		t.Errorf("fault %q does not say what to do", fault)
	}
	h.stop()
	if err := <-outcome; !errors.Is(err, history.ErrStopped) {
		t.Errorf("what came then was committed: %v", err)
	}
	h = start(t, options(path))
	if got := h.commit(batch{agent: "a", epoch: 7, first: 101, events: events(20)}); got != 120 {
		t.Errorf("it did not go on: %d", got)
	}
	if got := count(h); got != 70 { // and nothing of the WAL that the first one left
		t.Errorf("%d events, want the 50 of the other file and the 20 that waited", got)
	}
	if got := h.totals(); len(got) != 1 || got[0].Attempts != 70 {
		t.Errorf("totals %+v, want the 50 of the other file and the 20 that waited", got)
	}
}
