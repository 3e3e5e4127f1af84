package file

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

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

// A position of more files than this version writes, as older ones did, is gone on with in each of them.
func TestOversizedPosition(t *testing.T) {
	t.Parallel()
	r := newReader(t, source.End)
	r.oversized = 4 * maxMarks
	var p position
	var want []string
	for n := range r.oversized {
		name := fmt.Sprintf("%s.%d", r.path, r.oversized-n)
		if n == r.oversized-1 {
			name = r.path
		}
		read, unread := fmt.Sprintln("read", n), fmt.Sprintln("unread", n)
		add(t, name, read+unread)
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		p.Files = append(p.Files, mark{fileID: identify(info), Born: bornAt(name), Head: hashHead([]byte(read)), Offset: int64(len(read))})
		p.Modified = info.ModTime()
		want = append(want, strings.TrimSpace(unread))
	}
	r.stored = p.encode()
	r.want(want...)
	r.pass(2 * drainWait)
	r.oversized = 0
	add(t, r.path, "the end\n")
	r.want("the end")
	r.stop()
	r.want()
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
