package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// fullSpool commits 300 events, ten in a commit, into a spool that may hold about half of them.
func fullSpool(t *testing.T, dir string, consumers []string, acked uint64) *Spool {
	t.Helper()
	s := open(t, Options{Dir: dir})
	s.options.MaxBytes, s.segmentBytes = 16<<10, 2<<10
	if err := s.SetConsumers(consumers); err != nil {
		t.Fatal(err)
	}
	for n := range 30 {
		commit(t, s, eventsFrom(1+10*n, 10), nil)
		if n == 0 && acked > 0 {
			if err := s.Ack(consumers[0], epochOf(s, consumers[0]), acked); err != nil {
				t.Fatal(err)
			}
		}
	}
	return s
}

// What does not fit is dropped from the oldest on, and exactly that is counted.
func TestSizeIsBounded(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name      string
		consumers []string
		acked     uint64
	}{
		{"no consumer", nil, 0},
		{"consumer that is away", []string{"desk"}, 0},
		{"consumer that had some events", []string{"desk"}, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := fullSpool(t, dir, test.consumers, test.acked)
			stats := s.Stats()
			if stats.Bytes > 16<<10 || stats.First < 50 || stats.Next != 301 {
				t.Errorf("%d bytes hold %d to %d", stats.Bytes, stats.First, stats.Next-1)
			}
			var want Loss
			for n := int(test.acked) + 1; uint64(n) < stats.First; n++ {
				want.Events++
				want.Attempts += event(n).Count
			}
			if stats.Dropped != want {
				t.Errorf("dropped %+v, want %+v", stats.Dropped, want)
			}
			if got := s.Lost(test.acked, stats.First-1); got != want.Attempts {
				t.Errorf("a consumer hears of %d lost attempts, want %d", got, want.Attempts)
			}
			if got := users(t, s, test.acked, 1000); len(got) != int(301-stats.First) {
				t.Errorf("%d events are left, want those from %d to 300", len(got), stats.First)
			}
			s.Close()
			again := open(t, Options{Dir: dir})
			if got := again.Stats(); got.Dropped != want || got.First != stats.First {
				t.Errorf("after a restart: dropped %+v, first %d", got.Dropped, got.First)
			}
			if got := again.Lost(test.acked, stats.First-1); got != want.Attempts {
				t.Errorf("after a restart a consumer hears of %d lost attempts, want %d", got, want.Attempts)
			}
		})
	}
}

// However large commits are, and whatever they carry, the bound holds behind each.
func TestSizeIsBoundedBehindEachCommit(t *testing.T) {
	t.Parallel()
	s := open(t, Options{Dir: t.TempDir()})
	s.options.MaxBytes, s.segmentBytes = 48<<10, 6<<10
	next := 1
	for n := range 300 {
		key := fmt.Sprintf("%0*d", 1+n%5*200, n%7)
		events := eventsFrom(next, n%13)
		next += len(events)
		commit(t, s, events, map[string][]byte{key: make([]byte, n%11*100), "\x00" + key: nil})
		commit(t, s, nil, map[string][]byte{key: nil})
		if stats := s.Stats(); stats.Bytes > s.options.MaxBytes {
			t.Fatalf("commit %d: %d bytes, at most %d may be", n, stats.Bytes, s.options.MaxBytes)
		}
	}
	if s.Stats().Bytes < s.options.MaxBytes*2/3 {
		t.Errorf("only %d of %d bytes are used", s.Stats().Bytes, s.options.MaxBytes)
	}
}

// However small the bound, the newest segment stays beside the one that is begun: the one before it gives way.
func TestTheNewestSegmentStays(t *testing.T) {
	t.Parallel()
	s := open(t, Options{Dir: t.TempDir()})
	s.segmentBytes = 1 // each commit begins a segment
	commit(t, s, eventsFrom(1, 1), nil)
	s.options.MaxBytes = s.Stats().Bytes
	for n := 2; n < 5; n++ {
		commit(t, s, eventsFrom(n, 1), nil)
		if stats := s.Stats(); len(s.segments) != 2 || stats.First != uint64(n-1) || stats.Dropped.Events != uint64(n-2) {
			t.Errorf("behind event %d there are %d segments from %d on, and %d events were dropped", n, len(s.segments), stats.First, stats.Dropped.Events)
		}
		wantUsers(t, s, uint64(n-2), event(n-1).User, event(n).User)
	}
}

// The machine stopped when a commit had said what gives way, and before it was deleted: the next start
// deletes it, and counts nothing twice.
func TestWhatGaveWayIsDeletedAfterACrash(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	s.segmentBytes = 1
	var old []string
	for n := 1; n < 4; n++ { // 3 stays beside 4
		commit(t, s, eventsFrom(n, 1), nil)
		old = append(old, s.segments[n-1].path)
	}
	texts := map[string][]byte{}
	old = old[:2]
	for _, path := range old {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		texts[path] = text
	}
	s.options.MaxBytes = 1
	commit(t, s, eventsFrom(4, 1), nil)
	want := s.Stats()
	abandon(s)
	for path, text := range texts {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s = open(t, Options{Dir: dir})
	for _, path := range old {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is there: %v", filepath.Base(path), err)
		}
	}
	if got := s.Stats(); got.First != 3 || got.Dropped != want.Dropped || got.Dropped.Events != 2 {
		t.Errorf("it begins at %d, dropped %+v; want 3, %+v", got.First, got.Dropped, want.Dropped)
	}
	wantUsers(t, s, 2, event(3).User, event(4).User)
}

func TestTestEventsAreNoAttempts(t *testing.T) {
	t.Parallel()
	s := open(t, Options{Dir: t.TempDir()})
	flood := event(1)
	flood.Kind, flood.Count = attack.HTTPFlood, 1000
	fired := event(2)
	fired.Test = true
	commit(t, s, []attack.Event{flood, fired, event(3)}, nil)
	if got, want := s.segments[0].attempts, event(3).Count; got != want {
		t.Errorf("three events stand for %d attempts, want %d", got, want)
	}
	first := s.attempts(s.segments[0], 0)
	if rest := s.attempts(s.segments[0], 1); first != rest || s.attempts(s.segments[0], 3) != 0 {
		t.Errorf("attempts after the first event %d, of all %d, want the same", rest, first)
	}
}

// Of a segment that a consumer had in part, only the rest is lost with it.
func TestAttemptsAfterANumber(t *testing.T) {
	t.Parallel()
	s := open(t, Options{Dir: t.TempDir()})
	for n := range 4 {
		commit(t, s, eventsFrom(1+3*n, 3), nil)
	}
	for after := range 13 {
		var want uint64
		for n := after + 1; n <= 12; n++ {
			want += event(n).Count
		}
		if got := s.attempts(s.segments[0], uint64(after)); got != want {
			t.Errorf("%d attempts after %d, want %d", got, after, want)
		}
	}
}

// Age is measured so that a clock that jumps by years drops nothing, and one that jumps by less at most
// what a day would have.
func TestAgeIsBounded(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	dir := t.TempDir()
	options := Options{Dir: dir, MaxAge: 8 * 24 * time.Hour, Now: func() time.Time { return now }}
	s := open(t, options)
	step := func(d time.Duration) {
		now = now.Add(d)
		commit(t, s, eventsFrom(int(s.Next()), 1), nil)
	}
	step(0)
	for range 8 {
		step(24*time.Hour - time.Minute)
	}
	if s.First() != 1 {
		t.Fatalf("first %d before eight days have passed", s.First())
	}
	step(20 * 365 * 24 * time.Hour)
	if events, _ := s.Dropped(); events > 0 || s.First() > 1 {
		t.Errorf("the clock jumped years ahead: %d events dropped, first %d", events, s.First())
	}
	step(40 * 24 * time.Hour)
	if events, _ := s.Dropped(); events > 2 || s.First() > 3 {
		t.Errorf("the clock jumped weeks ahead: %d events dropped, first %d", events, s.First())
	}
	first := s.First()
	step(-40 * 365 * 24 * time.Hour)
	s.Close()
	s = open(t, options)
	step(-time.Hour)
	if s.First() != first {
		t.Errorf("the clock jumped back: first %d, was %d", s.First(), first)
	}
	for range 12 {
		step(23 * time.Hour)
	}
	if s.First() < 10 {
		t.Errorf("first %d after all events had become too old", s.First())
	}
}

// Time makes events old once, however often the spool looks at the clock meanwhile, and also while no agent runs.
func TestAgeIsTheTimeThatPassed(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	options := Options{Dir: t.TempDir(), MaxAge: 8 * 24 * time.Hour, Now: func() time.Time { return now }}
	s := open(t, options)
	for range 7 * 24 {
		commit(t, s, eventsFrom(int(s.Next()), 1), nil)
		now = now.Add(time.Hour)
	}
	if s.First() != 1 {
		t.Errorf("first %d after seven days, want 1", s.First())
	}
	for range 3 {
		s.Close()
		now = now.Add(24 * time.Hour)
		s = open(t, options)
		commit(t, s, eventsFrom(int(s.Next()), 1), nil)
	}
	if s.First() != 26 { // the first segment holds what came in its first day
		t.Errorf("first %d after ten days, want 26", s.First())
	}
	for step, want := range map[time.Duration]time.Duration{time.Hour: time.Hour, maxStep + 1: maxStep, maxAway: maxStep, maxAway + 1: 0, -time.Hour: 0} {
		s.seen = now
		if got := s.grow(now.Add(step)) - s.ledger.age; got != want {
			t.Errorf("it ages by %v in %v, want %v", got, step, want)
		}
	}
}

// What has to give way goes by segments: an eighth of all, of a large spool less.
func TestSegmentsArePartsOfTheSpool(t *testing.T) {
	t.Parallel()
	for most, want := range map[int64]int64{1: 32 << 10, 256 << 10: 32 << 10, 8 << 20: 1 << 20, DefaultMaxBytes: 4 << 20} {
		if s := open(t, Options{Dir: t.TempDir(), MaxBytes: most}); s.segmentBytes != want {
			t.Errorf("of %d bytes segments have %d, want %d", most, s.segmentBytes, want)
		}
	}
}

// The oldest segments give way to what is too much or too old, and no more of them than needed; what nobody had is lost with them.
func TestWhatGivesWay(t *testing.T) {
	t.Parallel()
	segments := []*segment{
		{first: 1, next: 4, attempts: 30, size: 100, last: 10}, {first: 4, next: 4, size: 100, last: 20},
		{first: 4, next: 5, attempts: 7, size: 100, last: 30}, {first: 5, next: 9, attempts: 40, size: 100, last: 40},
	}
	for _, test := range []struct {
		released      uint64
		bytes         int64
		age, expected int64
		segments      int
		lost          Loss
	}{
		{0, 450, 40, 50, 0, Loss{}}, {0, 449, 40, 50, 1, Loss{3, 30}}, {0, 350, 40, 50, 1, Loss{3, 30}}, {0, 349, 40, 50, 2, Loss{3, 30}},
		{0, 249, 40, 50, 3, Loss{4, 37}}, {0, 1, 40, 50, 3, Loss{4, 37}}, {4, 1, 40, 50, 3, Loss{}},
		{0, 1000, 40, 0, 0, Loss{}}, {0, 1000, 41, 0, 1, Loss{3, 30}}, {0, 1000, 50, 0, 1, Loss{3, 30}}, {0, 1000, 61, 0, 3, Loss{4, 37}}, {0, 1000, 90, 0, 3, Loss{4, 37}},
	} {
		s := &Spool{options: Options{MaxBytes: test.bytes, MaxAge: 30}}
		l := ledger{released: test.released, age: time.Duration(test.age)}
		given := s.overdue(segments, &l, test.expected)
		if len(given) != test.segments || len(given) > 0 && given[0] != segments[0] || l.lost != test.lost {
			t.Errorf("%+v: %d segments give way, and %+v is lost", test, len(given), l.lost)
		}
	}
}
