package file

import (
	"bytes"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pialert/pialert/agent/internal/source"
)

func TestUnreadable(t *testing.T) {
	t.Parallel()
	r := newReader(t, source.Beginning)
	dir := filepath.Dir(r.path)
	loop := filepath.Join(dir, "loop")
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	// Root may read everything; a link to itself is an error for root too.
	if err := os.Symlink(loop, r.path); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	r.run()
	r.follower.logger = slog.New(slog.NewTextHandler(&log, nil))
	r.follower.problem = nil
	r.pass(time.Second)
	r.pass(time.Second)
	if n := strings.Count(log.String(), "cannot follow log file"); n != 1 {
		t.Errorf("logged %d times:\n%s", n, log.String())
	}
	if stats := r.follower.snapshot(false); stats.State != source.Failing || !strings.Contains(stats.Error, r.path) {
		t.Errorf("stats %+v", stats)
	}
	remove(t, r.path)
	add(t, r.path, "one\n")
	r.pass(time.Second)
	r.want("one")
	if stats := r.follower.snapshot(false); stats.State != source.Following || stats.Error != "" {
		t.Errorf("stats %+v", stats)
	}
}

// A position that cannot be used, or not wholly, costs no line that certainly was not read.
func TestUnusablePosition(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		damage func(stored string) string
		want   []string
	}{
		{"one file of it", func(s string) string { return strings.Replace(s, `"files":[`, `"files":[{"off":-1},{"head":5},`, 1) },
			[]string{"2", "3", "4", "5"}},
		{"all of it", func(string) string { return "{" }, []string{"3", "4", "5"}},
		{"its only file", func(s string) string { return strings.Replace(s, `"off":`, `"off":-`, 1) }, []string{"3", "4", "5"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newReader(t, source.End)
			add(t, r.path, "0\n")
			r.run()
			add(t, r.path, "1\n")
			r.want("1")
			r.stop()
			r.lastStored = time.Now()
			add(t, r.path, "2\n")
			rename(t, r.path, r.path+".2")
			for _, name := range []string{r.path + ".1", r.path} {
				for born := int64(0); born <= r.lastStored.UnixNano(); born = bornAt(name) { // the clock of files ticks
					os.Remove(name)
					add(t, name, "")
				}
			}
			add(t, r.path+".1", "3\n4\n")
			add(t, r.path, "5\n")
			r.stored = []byte(test.damage(string(r.stored)))
			r.begin()
			if r.follower.stats.Errors == 0 {
				t.Error("the damage was not counted")
			}
			r.want(test.want...)
			add(t, r.path, "6\n")
			r.stop()
			r.want("6")
		})
	}
}

// For a while the agent's user may not read the log, which is rotated meanwhile: it is read once it may.
// While the newest file can be read, older ones that cannot hold up nothing; of those, one that was begun is
// read later, and one that never was is lost.
func TestUnreadableWhileRotated(t *testing.T) {
	t.Parallel()
	r := newReader(t, source.Beginning)
	if err := os.Chmod(filepath.Dir(filepath.Dir(r.path)), 0o755); err != nil {
		t.Fatal(err)
	}
	put := func(line string) {
		add(t, r.path, line+"\n")
		if err := os.Chmod(r.path, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// Permission is asked of the thread's user for files (setfsuid(2)).
	as := func(user int, do func()) {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		unix.Setfsuid(user)
		defer unix.Setfsuid(0)
		do()
	}
	put("one")
	r.want("one")
	for n := range 3 {
		put(fmt.Sprint("before rotation ", n))
		rename(t, r.path, fmt.Sprintf("%s.%d", r.path, 3-n))
	}
	put("now")
	r.stop() // else it has the first file open
	as(65534, func() {
		r.want()
		r.pass(time.Minute)
		r.want()
	})
	if stats := r.follower.snapshot(false); stats.State != source.Failing {
		t.Errorf("stats %+v", stats)
	}
	r.pass(time.Minute)
	r.want("before rotation 0", "before rotation 1", "before rotation 2", "now")

	r.stop()
	for n := 3; n >= 1; n-- {
		rename(t, fmt.Sprintf("%s.%d", r.path, n), fmt.Sprintf("%s.%d", r.path, n+2))
		if err := os.Chmod(fmt.Sprintf("%s.%d", r.path, n+2), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("of a known file")
	rename(t, r.path, r.path+".2")
	put("of a file nobody has seen")
	rename(t, r.path, r.path+".1")
	put("now again")
	if err := os.Chmod(r.path, 0o644); err != nil {
		t.Fatal(err)
	}
	as(65534, func() {
		r.pass(time.Minute)
		r.want("now again")
	})
	r.pass(time.Minute)
	r.want("of a known file")
}

func TestNotRegular(t *testing.T) {
	t.Parallel()
	r := newReader(t, source.Beginning)
	if err := syscall.Mkfifo(r.path, 0o644); err != nil {
		t.Fatal(err)
	}
	r.run()
	if stats := r.follower.snapshot(false); stats.State != source.Failing || !strings.Contains(stats.Error, "not a regular file") {
		t.Errorf("stats %+v", stats)
	}
}

func TestHint(t *testing.T) {
	t.Parallel()
	if got := hint(&fs.PathError{Op: "open", Path: "/var/log/auth.log", Err: syscall.EACCES}); !strings.Contains(got, "group adm") {
		t.Errorf("hint %q", got)
	}
	if got := hint(errNotRegular); got != "" {
		t.Errorf("hint %q, though the error says it all", got)
	}
}

// A file whose compression was cut short gives what is left of it, and the next files are not held up.
func TestDamagedArchive(t *testing.T) {
	t.Parallel()
	r := newReader(t, source.Beginning)
	add(t, r.path, "1\n")
	r.want("1")
	r.stop()
	var text strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&text, "%d\n", i*7919)
	}
	add(t, r.path, text.String())
	rename(t, r.path, r.path+".2")
	compress(t, r.path+".2")
	info, err := os.Stat(r.path + ".2.gz")
	if err != nil {
		t.Fatal(err)
	}
	truncate(t, r.path+".2.gz", info.Size()/2)
	add(t, r.path+".1", "after it\n")
	add(t, r.path, "live\n")
	r.run()
	if n := len(r.lines); n < 1000 || n > 15_000 || r.lines[n-2] != "after it" || r.lines[n-1] != "live" {
		t.Errorf("read %s", brief(r.lines))
	}
	if r.follower.stats.Errors == 0 {
		t.Error("the damage was not noticed")
	}
}
