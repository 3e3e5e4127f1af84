package file

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/agent/internal/source"
	"github.com/pialert/pialert/agent/internal/source/sourcetest"
)

// After a week away many logs have many rotated files to read. They are read oldest first over all logs, a
// few at a time: neither memory nor open files grow with their number, and Stats says what is left.
func TestBacklogOfManyLogs(t *testing.T) { // not parallel: it measures memory and counts files
	const logs, rotations, lines = 60, 7, 400
	dir := t.TempDir()
	begin := time.Now().Add(-rotations * 24 * time.Hour)
	var all []string
	r := sourcetest.New(t)
	for log := range logs {
		path := filepath.Join(dir, fmt.Sprintf("site%02d.log", log))
		all = append(all, path)
		add(t, path, "known\n")
	}
	options := Options{Logs: []Log{{Paths: all}}, CaughtUp: nil}
	_, stop := start(t, r, options)
	for _, path := range all {
		r.WantMark(path)
	}
	stop()
	for log, path := range all {
		for day := range rotations {
			var text strings.Builder
			for line := range lines {
				fmt.Fprintf(&text, "%d %d %d %s\n", log, day, line, strings.Repeat("x", 100))
			}
			add(t, path, text.String())
			rotated := fmt.Sprintf("%s.%d", path, rotations-day)
			rename(t, path, rotated)
			if day < rotations-1 {
				compress(t, rotated)
				rotated += ".gz"
			}
			written := begin.Add(time.Duration(day*24*60+log) * time.Minute)
			if err := os.Chtimes(rotated, written, written); err != nil {
				t.Fatal(err)
			}
		}
		add(t, path, fmt.Sprintf("%d %d 0 now\n", log, rotations))
	}
	busy := filepath.Join(dir, "busy.log") // has no past
	options.Logs = append(options.Logs, Log{Paths: []string{busy}, Start: source.Beginning})
	add(t, busy, "an attack\n")

	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	caughtUp := make(chan struct{}, 1)
	options.Restore, options.CaughtUp = r.Restore, func() { caughtUp <- struct{}{} }
	options.Poll = 10 * time.Millisecond
	files, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	next := make([]int, logs) // the number of the next line of each log
	newest, chunks, busyAt, most, left := 0, 0, -1, 0, logs*rotations+1
	var peak uint64
	total, everything := 0, make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- files.Run(ctx, func(_ context.Context, chunk source.Chunk) error {
			chunks++
			if chunk.Source == busy && busyAt < 0 {
				busyAt = chunks
			}
			for text := range strings.Lines(string(chunk.Data)) {
				var log, day, line int
				if _, err := fmt.Sscanf(text, "%d %d %d", &log, &day, &line); err != nil {
					continue // busy
				}
				if next[log] != day*lines+line {
					t.Errorf("log %d: read line %d of day %d, want line %d in all", log, line, day, next[log])
				}
				next[log]++
				if total++; total == logs*(rotations*lines+1) {
					close(everything)
				}
				// The files are numbered in the order in which they were written.
				if file := day*logs + log; day < rotations && file < newest-2*maxCatchingUp {
					t.Errorf("file %d was read after file %d", file, newest)
				} else if day < rotations {
					newest = max(newest, file)
				}
			}
			if chunks%10 == 0 {
				runtime.ReadMemStats(&now)
				peak = max(peak, now.HeapInuse)
				most = max(most, openIn(t, dir))
				behind, bytes := 0, int64(0)
				for _, stats := range files.Stats() {
					if stats.Backlog != nil {
						behind += stats.Backlog.Files
						bytes += stats.Backlog.Bytes
					}
				}
				if chunks > 2*logs { // all are known
					if behind > left || behind > 0 && bytes == 0 {
						t.Errorf("%d files of %d bytes are left after %d", behind, bytes, left)
					}
					left = behind
				}
			}
			return nil
		})
	}()
	for _, event := range []<-chan struct{}{caughtUp, everything} {
		select {
		case <-event:
		case <-time.After(time.Minute):
			t.Error("it does not catch up")
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for log := range next {
		if next[log] != rotations*lines+1 {
			t.Errorf("log %d: read %d lines, want %d", log, next[log], rotations*lines+1)
		}
	}
	if busyAt < 0 || busyAt > logs+2 {
		t.Errorf("a log without a past was read after %d chunks of others", busyAt)
	}
	if grown := int64(peak) - int64(before.HeapInuse); grown > 32<<20 {
		t.Errorf("memory grew by %d bytes", grown)
	}
	if most > 2*logs+2 {
		t.Errorf("%d files of %d were open at a time", most, logs*(rotations+1))
	}
	if n := openIn(t, dir); n > 0 {
		t.Errorf("%d files stayed open", n)
	}
	for _, stats := range files.Stats() {
		if stats.Backlog != nil {
			t.Errorf("in the end %s is %s, backlog %+v", stats.Source, stats.State, stats.Backlog)
		}
	}
}

// openIn counts the files of a folder that this process has open.
func openIn(t *testing.T, dir string) (open int) {
	t.Helper()
	fds, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if target, err := os.Readlink(fd); err == nil && strings.HasPrefix(target, dir) {
			open++
		}
	}
	return open
}

// A log is behind until the source has looked, while it has a backlog, and while its files cannot be
// found because they are being rotated.
func TestBehind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "auth.log")
	add(t, path, "one\n")
	r := sourcetest.New(t)
	files, err := New(Options{Logs: []Log{{Paths: []string{path}}}, Restore: r.Restore})
	if err != nil {
		t.Fatal(err)
	}
	if !files.Behind(path) || !files.Behind("any other") {
		t.Error("nobody has looked and no log is behind")
	}
	for _, test := range []struct {
		name   string
		change func(f *follower)
		more   bool
		want   bool
	}{
		{"at the end", func(*follower) {}, false, false},
		{"more to read", func(*follower) {}, true, true},
		{"files that wait", func(f *follower) { f.waiting = make([]candidate, 2) }, false, true},
		{"files not found again yet", func(f *follower) { f.generations[0].forget() }, false, true},
	} {
		stop := r.Start(files)
		r.WantMark(path)
		stop()
		file := files.followers[0]
		file.run(t)
		test.change(file.follower)
		files.publish(file, test.more)
		if files.Behind(path) != test.want || files.Behind("any other") {
			t.Errorf("%s: behind %v, another log %v", test.name, files.Behind(path), files.Behind("any other"))
		}
		if files, err = New(Options{Logs: []Log{{Paths: []string{path}}}}); err != nil {
			t.Fatal(err)
		}
	}
}

// run has the follower find its files again and read them.
func (f *followed) run(t *testing.T) {
	t.Helper()
	t.Cleanup(f.close)
	f.retry, f.limited = time.Time{}, false
	for memory := newBlocks(); ; {
		if _, more := f.step(time.Now(), memory); !more {
			return
		}
	}
}

// Of the logs that have a past, a few go on at a time: those whose next file is the oldest.
func TestFewLogsCatchUpAtATime(t *testing.T) {
	t.Parallel()
	files := &Files{}
	for log := range 50 {
		written := time.Unix(int64(1e9-log), 0)
		files.followers = append(files.followers, &followed{follower: &follower{waiting: []candidate{{modified: written}, {modified: written}}}})
	}
	for range 3 { // a log that got its turn keeps it
		files.admit()
		for log, file := range files.followers {
			if oldest := log >= 50-maxCatchingUp; file.granted != oldest {
				t.Errorf("log %d goes on: %v", log, file.granted)
			}
		}
	}
}
