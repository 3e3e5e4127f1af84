package responder_test

import (
	"path/filepath"
	"testing"
	"time"
)

// A pause goes on over a restart, and ends when it was to.
func TestAPauseOutlivesARestart(t *testing.T) {
	now := time.Now()
	o := options(filepath.Join(t.TempDir(), "bans.db"), nil)
	o.Now = func() time.Time { return now }
	r := open(t, o)
	paused := func(want time.Duration) {
		t.Helper()
		r = reopen(t, r, o)
		got := r.Status().Paused
		if want == 0 && !got.IsZero() || want != 0 && !got.Equal(now.Add(want)) {
			t.Errorf("paused until %s, want for %s from %s", got, want, now)
		}
	}
	paused(0)
	if err := r.Pause(5 * time.Minute); err != nil {
		t.Fatal(err)
	}
	now = now.Add(2 * time.Minute)
	paused(3 * time.Minute)
	now = now.Add(-48 * time.Hour) // the clock is set back: better no pause than one of days
	paused(0)
	now = now.Add(48*time.Hour + 3*time.Minute)
	paused(0)
	if err := r.Pause(5 * time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := r.Pause(0); err != nil {
		t.Fatal(err)
	}
	paused(0)
	r.Close()
}

// A ban of a time when the clock was a year ahead lasts as long as it was to, not a year longer.
func TestTheClockIsSetBack(t *testing.T) {
	now := time.Now().AddDate(1, 0, 0)
	o := options(filepath.Join(t.TempDir(), "bans.db"), nil)
	o.Now = func() time.Time { return now }
	r := open(t, o)
	if _, _, err := r.Ban(ask("9.9.9.9/32", time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	now = now.AddDate(-1, 0, 0)
	r = open(t, o)
	defer r.Close()
	bans := r.Bans()
	if len(bans) != 1 || !bans[0].Since.Equal(now) || !bans[0].Until.Equal(now.Add(time.Hour)) {
		t.Fatalf("%+v, want one hour from %s", bans, now)
	}
	now = now.Add(61 * time.Minute)
	if bans := r.Bans(); len(bans) != 0 {
		t.Errorf("%+v after an hour", bans)
	}
}
