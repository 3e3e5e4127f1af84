package file

import (
	"bytes"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pialert/pialert/agent/internal/source"
)

// TestLogrotate has Debian's logrotate rotate with the options of Debian's rsyslog, while the reader
// follows and while it is down.
func TestLogrotate(t *testing.T) {
	t.Parallel()
	for _, options := range []string{
		"rotate 4\nweekly\nmissingok\nnotifempty\ncompress\ndelaycompress\ncreate",
		"rotate 4\nweekly\nnotifempty\ncompress\ncreate",
		"rotate 4\nweekly\nnotifempty\ncompress\ncopytruncate",
		"rotate 9\nweekly\nnotifempty\ncompress\ndateext\ndateformat -%Y%m%d-%s\ncreate",
	} {
		t.Run(strings.Join(strings.Fields(options), " "), func(t *testing.T) {
			t.Parallel()
			r := newReader(t, source.Beginning)
			if err := os.Chmod(filepath.Dir(r.path), 0o755); err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			config := filepath.Join(dir, "logrotate.conf")
			if err := os.WriteFile(config, []byte(r.path+" {\n"+options+"\n}\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			rotations := 0
			logrotate := func() {
				t.Helper()
				rotations++
				text := options
				if strings.Contains(options, "%s") { // logrotate does not rotate twice in a second
					text = strings.Replace(options, "%s", fmt.Sprint(rotations+1_000_000), 1)
				}
				if err := os.WriteFile(config, []byte(r.path+" {\n"+text+"\n}\n"), 0o644); err != nil {
					t.Fatal(err)
				}
				out, err := exec.Command("/usr/sbin/logrotate", "-f", "-s", filepath.Join(dir, "state"), config).CombinedOutput()
				if err != nil {
					t.Fatalf("logrotate, of Debian's package of that name: %v: %s", err, out)
				}
			}
			number := 0
			next := func() (line string) {
				number++
				line = fmt.Sprintf("line %d", number)
				add(t, r.path, line+"\n")
				return line
			}
			r.want(func() string { return next() }())
			for range 3 {
				a := next()
				logrotate()
				b := next()
				r.want(a, b)
			}
			r.stop()
			var missed []string
			for range 3 {
				missed = append(missed, next(), next())
				logrotate()
			}
			missed = append(missed, next())
			r.want(missed...)
			r.want(next())
		})
	}
}

func TestLongLine(t *testing.T) { // not parallel: it measures memory
	r := newReader(t, source.Beginning)
	file := openLog(t, r.path)
	write(t, file, "before\n")
	r.want("before")
	block := strings.Repeat("x", 1<<20)
	for range 50 {
		write(t, file, block)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r.run()
	runtime.ReadMemStats(&after)
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 3*source.MaxLine {
		t.Errorf("%d bytes were allocated", allocated)
	}
	write(t, file, "\nafter\n"+block+"\nlast\n")
	r.run()
	if r.follower.stats.Overlong != 1 {
		t.Errorf("%d lines left out, want 1", r.follower.stats.Overlong)
	}
	r.want("after", block, "last")
}

// A crash in the middle of a line that is left out must not hand on its rest.
func TestLongLineAndRestart(t *testing.T) {
	t.Parallel()
	r := newReader(t, source.Beginning)
	file := openLog(t, r.path)
	write(t, file, "before\n"+strings.Repeat("x", source.MaxLine+1))
	r.want("before")
	rename(t, r.path, r.path+".1")
	add(t, r.path, "new\n")
	r.want("new")
	r.stop()
	write(t, file, "rest\nlate\n")
	r.want("late")
}

func TestNULs(t *testing.T) {
	t.Parallel()
	r := newReader(t, source.Beginning)
	file, err := os.Create(r.path) // not to append: after a truncation it leaves a hole
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	write(t, file, "one\n\x00\x00two\nth\x00ree\n\x00\n")
	r.want("one", "two", "th\x00ree")
	write(t, file, strings.Repeat("filling\n", 3*blockSize/8))
	r.run()
	r.lines = nil
	copyFile(t, r.path, r.path+".1")
	truncate(t, r.path, 0)
	write(t, file, "after the hole\n")
	r.want("after the hole")
}

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
}

// Links of the form current.log -> 2026-11-20.log move from day to day.
func TestLinkMoves(t *testing.T) {
	t.Parallel()
	r := newReader(t, source.Beginning)
	monday, tuesday := r.path+"-monday", r.path+"-tuesday"
	link := func(target string) {
		t.Helper()
		if err := os.Symlink(target, r.path+".new"); err != nil {
			t.Fatal(err)
		}
		rename(t, r.path+".new", r.path)
	}
	add(t, monday, "monday 1\n")
	link(monday)
	r.want("monday 1")
	add(t, monday, "monday 2\n")
	add(t, tuesday, "tuesday 1\n")
	link(tuesday)
	r.want("monday 2", "tuesday 1")
	add(t, monday, "monday, late\n")
	r.want("monday, late")
	link(monday)
	add(t, monday, "monday, again\n")
	r.want("monday, again")
	r.stop()
	add(t, monday, "monday, at last\n")
	add(t, tuesday, "tuesday 2\n")
	link(tuesday)
	r.want("monday, at last", "tuesday 2")
}

func TestDeletedAndRecreated(t *testing.T) {
	t.Parallel()
	inodes := 0
	for range 20 {
		r := newReader(t, source.Beginning)
		add(t, r.path, "old 1\nold 2\n")
		r.want("old 1", "old 2")
		before, err := os.Stat(r.path)
		if err != nil {
			t.Fatal(err)
		}
		r.stop()
		remove(t, r.path)
		add(t, r.path, "new 1\nnew 2\nnew 3\n")
		after, err := os.Stat(r.path)
		if err != nil {
			t.Fatal(err)
		}
		if identify(before) == identify(after) {
			inodes++
		}
		r.want("new 1", "new 2", "new 3")
	}
	t.Logf("the inode was reused %d times of 20", inodes)
}

// A deleted file's space must come back: its handle is closed after a while, and its rest is read before.
func TestDeletedFileIsClosed(t *testing.T) {
	t.Parallel()
	r := newReader(t, source.Beginning)
	daemon := openLog(t, r.path)
	write(t, daemon, "1\n")
	r.want("1")
	remove(t, r.path)
	write(t, daemon, "2\n")
	r.want("2")
	r.pass(unlinkedWait)
	r.pass(unlinkedWait)
	if r.follower.open() {
		t.Error("the deleted file is still open")
	}
	add(t, r.path, "3\n")
	r.want("3")
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

func TestTruncatedInPlace(t *testing.T) {
	t.Parallel()
	r := newReader(t, source.Beginning)
	add(t, r.path, "1\n2\n")
	r.want("1", "2")
	truncate(t, r.path, 0)
	add(t, r.path, "3\n")
	r.want("3")
	truncate(t, r.path, 0)
	add(t, r.path, "4\n") // of the same size
	r.want("4")
	truncate(t, r.path, 0)
	add(t, r.path, "5 is longer\n")
	r.want("5 is longer")
}

// A file that was created and renamed between two looks is found although no new one follows it.
func TestRotatedTwiceAtOnce(t *testing.T) {
	t.Parallel()
	r := newReader(t, source.Beginning)
	add(t, r.path, "1\n")
	r.want("1")
	rename(t, r.path, r.path+".1")
	add(t, r.path, "2\n")
	rename(t, r.path+".1", r.path+".2")
	rename(t, r.path, r.path+".1")
	r.want("2")
	add(t, r.path, "3\n")
	rename(t, r.path+".2", r.path+".3")
	rename(t, r.path+".1", r.path+".2")
	rename(t, r.path, r.path+".1")
	r.pass(absentWait)
	r.want("3")
}

// A log is rotated more often than a position has files while the agent is down, or is killed and
// started again while it catches up: nothing is lost, and nothing is read twice.
func TestManyRotationsWhileDown(t *testing.T) {
	t.Parallel()
	for _, steps := range []int{0, 1, 5, 50} {
		t.Run(fmt.Sprint("killed after ", steps, " steps"), func(t *testing.T) {
			t.Parallel()
			r := newReader(t, source.Beginning)
			var want []string
			put := func(n int) {
				var text strings.Builder
				for range n {
					want = append(want, fmt.Sprint("line ", len(want)))
					fmt.Fprintln(&text, want[len(want)-1])
				}
				add(t, r.path, text.String())
			}
			put(200)
			r.run()
			r.stop()
			const rotations = 40
			for n := range rotations {
				put(20)
				rename(t, r.path, fmt.Sprintf("%s.%d", r.path, rotations-n))
			}
			put(1)
			for range 5 {
				r.begin()
				for range steps {
					r.step()
				}
				r.stop()
			}
			r.want(want...)
			r.pass(2 * drainWait)
			r.stop()
			put(1)
			r.want(want[len(want)-1])
		})
	}
}

// A log that is rotated every minute has few files open, and once nobody writes to the old ones, one.
func TestDescriptorsComeDown(t *testing.T) { // not parallel: it counts files
	r := newReader(t, source.Beginning)
	const rotations = 61
	for n := range rotations {
		add(t, r.path, fmt.Sprintln("line", n))
		r.pass(time.Minute)
		for i := n; i > 0; i-- {
			rename(t, fmt.Sprintf("%s.%d", r.path, i), fmt.Sprintf("%s.%d", r.path, i+1))
		}
		rename(t, r.path, r.path+".1")
	}
	add(t, r.path, "now\n")
	r.run()
	if len(r.lines) != rotations+1 {
		t.Errorf("%d lines of %d were read", len(r.lines), rotations+1)
	}
	if n := openIn(t, filepath.Dir(r.path)); n > maxMarks {
		t.Errorf("%d files are open after %d rotations", n, rotations)
	}
	r.pass(2 * drainWait)
	r.pass(2 * drainWait)
	if n := openIn(t, filepath.Dir(r.path)); n != 1 {
		t.Errorf("%d files stay open", n)
	}
}

// TestQuietRotatedFilesAreClosed rotates a file whose writer goes on with it much later: it takes no descriptor
// meanwhile, and nothing that is written to it is lost, under whatever name it is by then.
func TestQuietRotatedFilesAreClosed(t *testing.T) {
	t.Parallel()
	for name, later := range map[string]func(path string){
		"as it is":     func(string) {},
		"renamed":      func(path string) { rename(t, path+".1", path+".2") },
		"renamed back": func(path string) { remove(t, path); rename(t, path+".1", path) },
		"moved away": func(path string) {
			rename(t, path+".1", path+".old")
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReader(t, source.Beginning)
			late := openLog(t, r.path)
			write(t, late, "one\n")
			r.want("one")
			rename(t, r.path, r.path+".1")
			write(t, openLog(t, r.path), "two\n")
			r.want("two")
			r.pass(2 * parkWait)
			if open := openGenerations(r.follower); open != 1 {
				t.Errorf("%d files are open when the rotated one has been quiet", open)
			}
			write(t, late, "three\n")
			later(r.path)
			r.pass(retryWait)
			r.want("three")
			r.pass(2 * parkWait)
			write(t, late, "four\n")
			r.pass(retryWait)
			r.want("four")
		})
	}
}

func openGenerations(f *follower) (open int) {
	for _, g := range f.generations {
		if g.file != nil {
			open++
		}
	}
	return open
}
