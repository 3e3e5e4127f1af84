package spool

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Whatever a spool could not keep, read or delete, its log says once, with what and how much of it.
func TestWhatTheLogSays(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		story func(t *testing.T, options Options)
		want  string
	}{
		"an event outside its bounds": {func(t *testing.T, options Options) {
			bad := event(1)
			bad.Rule = "\xff"
			s := open(t, options)
			commit(t, s, append(eventsFrom(2, 1), bad), nil)
		}, `msg="cannot keep an event" kind=ssh_login`},
		"too much of all": {func(t *testing.T, options Options) {
			s := open(t, options)
			s.options.MaxBytes, s.segmentBytes = 1, 1
			commit(t, s, eventsFrom(1, 3), nil)
			commit(t, s, eventsFrom(4, 1), nil)
			commit(t, s, eventsFrom(5, 1), nil)
		}, `msg="events were lost before they could be delivered" events=3 total=3 max_bytes=1`},
		"what cannot be read": {func(t *testing.T, options Options) {
			s := open(t, options)
			commit(t, s, eventsFrom(1, 3), nil)
			s.miss(1, 2)
		}, `msg="events in the spool are damaged" first=1 last=2`},
		"a folder that cannot be synced": {func(t *testing.T, options Options) {
			d := &failing{}
			options.storage = d
			s := segmentsOf(t, options, 6)
			d.what = "sync of the directory"
			s.Ack("desk", epochOf(s, "desk"), 6)
		}, `msg="cannot delete a segment of the spool, trying again later" error=broken`},
		"a file that cannot be deleted": {func(t *testing.T, options Options) {
			d := &failing{}
			options.storage = d
			s := segmentsOf(t, options, 3)
			d.what = "removal"
			s.Ack("desk", epochOf(s, "desk"), 1)
		}, `msg="cannot delete a segment of the spool" error=broken`},
		"a damaged file that stays": {func(t *testing.T, options Options) {
			for n := range maxDamaged + 1 {
				folder := filepath.Join(options.Dir, fmt.Sprint(damagedPrefix, n), "something")
				if err := os.MkdirAll(folder, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			open(t, options)
		}, `msg="cannot delete an old damaged file" error="remove `},
		"a consumer ahead of an old copy": {func(t *testing.T, options Options) {
			s := segmentsOf(t, options, 3)
			s.Resume("desk", epochOf(s, "desk"), 9)
		}, `beginning a new epoch" consumer=desk committed=9 next=4`},
		"numbers that stand there twice": {func(t *testing.T, options Options) {
			path, _ := damageable(t, options.Dir)
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			ordinal, salt, _ := parseSegmentName(filepath.Base(path))
			if err := os.WriteFile(segmentPath(options.Dir, ordinal+1, salt), data, 0o600); err != nil {
				t.Fatal(err)
			}
			open(t, options)
		}, `first=7 events=2`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			test.story(t, Options{Dir: t.TempDir(), Logger: slog.New(slog.NewTextHandler(&log, nil))})
			if strings.Count(log.String(), test.want) != 1 {
				t.Errorf("the log says\n%s, want once %s", &log, test.want)
			}
		})
	}
}

// segmentsOf returns a spool with an event in each of so many segments, for one consumer.
func segmentsOf(t *testing.T, options Options, events int) *Spool {
	t.Helper()
	s := open(t, options)
	s.segmentBytes = 1 // each commit begins a segment
	for n := range events {
		commit(t, s, eventsFrom(1+n, 1), nil)
	}
	if err := s.SetConsumers([]string{"desk"}); err != nil {
		t.Fatal(err)
	}
	return s
}

// Of a damaged file the log says how much of it can be read, and where all of it is kept.
func TestWhatTheLogSaysOfDamage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, ends := damageable(t, dir)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[ends[0]+headerBytes]++ // the second commit and the last one
	data[ends[2]+headerBytes]++
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	open(t, Options{Dir: dir, Now: func() time.Time { return now }, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	want := fmt.Sprintf(`msg="the spool is damaged: going on with what can be read" file=%s unreadable_bytes=%d readable_bytes=%d set_aside=%s`,
		path, ends[1]-ends[0]+ends[3]-ends[2], ends[0]+ends[2]-ends[1], filepath.Join(dir, "damaged-20261120T120000Z-"+filepath.Base(path)))
	if strings.Count(log.String(), want) != 1 {
		t.Errorf("the log says\n%s, want once %s", &log, want)
	}
}
