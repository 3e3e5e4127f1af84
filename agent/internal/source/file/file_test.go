package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/agent/internal/source"
	"github.com/pialert/pialert/agent/internal/source/sourcetest"
)

// start runs Files until stop is called.
func start(t *testing.T, r *sourcetest.Receiver, options Options) (files *Files, stop func()) {
	t.Helper()
	options.Restore, options.Stored = r.Restore, r.Stored()
	files, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	return files, r.Start(files)
}

func TestRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "auth.log")
	add(t, path, "old\n")
	r := sourcetest.New(t)
	options := Options{
		Logs: []Log{{Name: "auth", Paths: []string{path}}}, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	files, stop := start(t, r, options)
	r.WantMark(path)

	add(t, path, "one\ntwo\n")
	r.Want("auth.log: one", "auth.log: two")
	rename(t, path, path+".1")
	add(t, path, "three\n")
	r.Want("auth.log: three")
	stats := files.Stats()
	if len(stats) != 1 || stats[0].Name != "auth" || stats[0].Source != path {
		t.Errorf("stats %+v", stats)
	}

	stop()
	add(t, path, "four\n")
	rename(t, path, path+".2")
	add(t, path, "five\n")
	_, stop = start(t, r, options)
	r.Want("auth.log: four", "auth.log: five")
	stop()
}

// A daemon that never pauses is rotated all the time, and its old file gets a late line each time.
func TestRunUnderLoad(t *testing.T) {
	t.Parallel()
	const files, lines = 20, 3000
	path := filepath.Join(t.TempDir(), "auth.log")
	r := sourcetest.New(t)
	_, stop := start(t, r, Options{Logs: []Log{{Paths: []string{path}}}})
	r.WantMark(path)
	go func() {
		for number := range files {
			file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
			if err != nil {
				t.Error(err)
				return
			}
			for line := range lines {
				if line == lines-1 {
					err = errors.Join(err, os.Rename(path, fmt.Sprintf("%s.%d", path, files-number)))
				}
				_, writeErr := fmt.Fprintf(file, "%d %d\n", number, line)
				err = errors.Join(err, writeErr)
			}
			if err = errors.Join(err, file.Close()); err != nil {
				t.Error(err)
			}
		}
	}()
	next := make([]int, files)
	for range files * lines {
		var number, line int
		text := sourcetest.Receive(t, r.Lines)
		if _, err := fmt.Sscanf(text, "auth.log: %d %d", &number, &line); err != nil || line != next[number] {
			t.Fatalf("read %q, want line %d of file %d; error %v", text, next[number], number, err)
		}
		next[number]++
	}
	stop()
}

// A pattern takes up files that come later, leaves rotated ones and duplicates alone, and knows after a
// restart what is new.
func TestRunPattern(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pattern := filepath.Join(dir, "*access*")
	a, b, c := filepath.Join(dir, "a_access.log"), filepath.Join(dir, "b_access.log"), filepath.Join(dir, "c_access.log")
	add(t, a, "old\n")
	add(t, a+".1", "older\n")
	add(t, a+".2.gz", "not even compressed\n")
	if err := os.Symlink(a, filepath.Join(dir, "current_access")); err != nil {
		t.Fatal(err)
	}
	r := sourcetest.New(t)
	options := Options{Logs: []Log{{Name: "web", Paths: []string{pattern}}}}
	_, stop := start(t, r, options)
	r.WantMark(pattern)
	add(t, a, "a1\n")
	r.Want("a_access.log: a1")
	add(t, b, "b1\n")
	r.Want("b_access.log: b1")
	stop()
	add(t, c, "c1\n")
	add(t, a, "a2\n")
	_, stop = start(t, r, options)
	r.Want("a_access.log: a2", "c_access.log: c1")
	stop()
}

// A log that is renamed to another name of its pattern goes on under that one, also after a restart, and when
// its daemon makes a new one.
func TestRunPatternRenamed(t *testing.T) {
	t.Parallel()
	for _, begin := range []source.Start{source.Beginning, source.End} {
		dir := t.TempDir()
		pattern := filepath.Join(dir, "*.log")
		a, b := filepath.Join(dir, "a.log"), filepath.Join(dir, "b.log")
		r := sourcetest.New(t)
		options := Options{Logs: []Log{{Paths: []string{pattern}, Start: begin}}}
		_, stop := start(t, r, options)
		r.WantMark(pattern)
		add(t, a, "1\n")
		r.Want("a.log: 1")
		rename(t, a, b)
		r.WantMark(b) // first, so that a crash in between leaves no name without the place
		r.WantMark(a)
		add(t, b, "2\n")
		r.Want("b.log: 2")
		add(t, a, "3\n")
		r.Want("a.log: 3")
		add(t, b, "4\n")
		r.Want("b.log: 4")
		stop()
		add(t, a, "5\n")
		_, stop = start(t, r, options)
		r.Want("a.log: 5")
		add(t, b, "6\n")
		r.Want("b.log: 6")
		stop()
	}
}

// What was not read of a pattern's log is read though its name went while nobody looked, and once if the name is
// another one of the pattern.
func TestRunPatternGoneWhileAway(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a.log.1", "a.log.1.gz", "kept", "b.log"} {
		dir := t.TempDir()
		a, renamed := filepath.Join(dir, "a.log"), filepath.Join(dir, name)
		r := sourcetest.New(t)
		options := Options{Logs: []Log{{Paths: []string{filepath.Join(dir, "*.log")}, Start: source.Beginning}}}
		add(t, a, "1\n")
		_, stop := start(t, r, options)
		r.Want("a.log: 1")
		r.WantMark(options.Logs[0].Paths[0])
		stop()

		add(t, a, "2\n")
		plain, zipped := strings.CutSuffix(renamed, ".gz")
		rename(t, a, plain)
		if zipped {
			compress(t, plain)
		}
		_, stop = start(t, r, options)
		r.Want("a.log: 2")
		if name == "b.log" {
			r.WantMark(renamed)
		}
		stop()
		add(t, a, "3\n")
		_, stop = start(t, r, options)
		r.Want("a.log: 3")
		if name == "b.log" {
			add(t, renamed, "4\n")
			// The one under the old name may still read what was written before it was renamed.
			if line := sourcetest.Receive(t, r.Lines); line != "a.log: 4" && line != "b.log: 4" {
				t.Errorf("read %q, want line 4 once", line)
			}
		}
		stop()
		if len(r.Lines) > 0 {
			t.Errorf("%s: read %q, too", name, <-r.Lines)
		}
	}
}

// A second name of a log is its duplicate until the first one is removed.
func TestRunPatternLinked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pattern := filepath.Join(dir, "*.log")
	a, b := filepath.Join(dir, "a.log"), filepath.Join(dir, "b.log")
	add(t, a, "1\n")
	if err := os.Link(a, b); err != nil {
		t.Fatal(err)
	}
	r := sourcetest.New(t)
	options := Options{Logs: []Log{{Paths: []string{pattern}, Start: source.Beginning}}}
	_, stop := start(t, r, options)
	r.Want("a.log: 1")
	add(t, b, "2\n")
	r.Want("a.log: 2")
	remove(t, a)
	r.WantMark(b)
	r.WantMark(a)
	add(t, b, "3\n")
	r.Want("b.log: 3")
	stop()
	add(t, b, "4\n")
	_, stop = start(t, r, options)
	r.Want("b.log: 4")
	stop()
}

func TestRunLimitsFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pattern := filepath.Join(dir, "*.log")
	paths := []string{filepath.Join(dir, "a.log"), filepath.Join(dir, "b.log"), filepath.Join(dir, "c.log")}
	for i, path := range paths {
		add(t, path, "old\n")
		at := time.Now().Add(time.Duration(i-10) * time.Hour)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	var log bytes.Buffer
	r := sourcetest.New(t)
	files, stop := start(t, r, Options{
		Logs: []Log{{Name: "web", Paths: []string{pattern}}}, MaxFiles: 2,
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	r.WantMark(pattern)
	stop()
	if got := log.String(); strings.Count(got, "skipped=1") != 1 {
		t.Errorf("log: %s", got)
	}
	for _, stats := range files.Stats() {
		if stats.Source == paths[0] || stats.Source == pattern && stats.Skipped != 1 {
			t.Errorf("stats %+v", stats)
		}
	}
}

// A pattern's file that was deleted is forgotten, with its position, once it can be closed and Keep is over.
func TestForget(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pattern, path := filepath.Join(dir, "*.log"), filepath.Join(dir, "a.log")
	add(t, path, "old\n")
	r := sourcetest.New(t)
	files, err := New(Options{Logs: []Log{{Paths: []string{pattern}}}, Restore: r.Restore, Keep: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	wake, memory := newWaker(files.options.Logger), newBlocks()
	t.Cleanup(wake.close)
	now := time.Now()
	look := func(after time.Duration) {
		t.Helper()
		now = now.Add(after)
		if err := files.scan(t.Context(), now, after == 0, wake, r.Emit); err != nil {
			t.Fatal(err)
		}
		for _, file := range files.followers {
			file.dirty.Store(true)
		}
		for more := true; more; {
			if more, err = files.round(t.Context(), now, memory, wake, r.Emit); err != nil {
				t.Fatal(err)
			}
		}
	}
	look(0)
	remove(t, path)
	for range 10 {
		look(time.Minute)
	}
	if _, ok := r.Restore(path); !ok {
		t.Error("the position was forgotten too soon")
	}
	look(time.Hour)
	if _, ok := r.Restore(path); ok || len(files.followers) != 0 {
		t.Error("the position was not forgotten")
	}
	add(t, path, "new\n")
	look(time.Minute)
	r.Want("a.log: new")
}

func TestRunEndsWithEmitsError(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "auth.log")
	add(t, path, "one\n")
	files, err := New(Options{Logs: []Log{{Paths: []string{path}, Start: source.Beginning}}})
	if err != nil {
		t.Fatal(err)
	}
	full := errors.New("the spool is full")
	if err := files.Run(t.Context(), func(context.Context, source.Chunk) error { return full }); !errors.Is(err, full) {
		t.Errorf("Run returned %v", err)
	}
}

func TestNewFilesRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		paths []string
		want  string
	}{
		{[]string{"auth.log"}, "must begin with /"},
		{[]string{"/var/log/[a"}, "syntax error in pattern"},
		{[]string{"/var/log/auth.log.1.gz"}, "does not grow"},
		{[]string{"/var/log/auth.log", "/var/log//auth.log"}, "listed twice"},
	} {
		_, err := New(Options{Logs: []Log{{Name: "auth", Paths: test.paths}}})
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), `"auth"`) {
			t.Errorf("%q: error %v, want one that says %q", test.paths, err, test.want)
		}
	}
}
