package file

import (
	"compress/gzip"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/agent/internal/source"
)

// reader drives a follower by hand: a clock that only moves when told, and the position as a caller
// would store it.
type reader struct {
	t          *testing.T
	path       string
	start      source.Start
	now        time.Time
	memory     *blocks
	follower   *follower
	stored     []byte
	lastStored time.Time
	lines      []string
	oversized  int // files of a stored position that an older version wrote
}

// newReader returns a reader of dir/app.log.
func newReader(t *testing.T, start source.Start) *reader {
	r := &reader{t: t, path: filepath.Join(t.TempDir(), "app.log"), start: start, now: time.Now(), memory: newBlocks()}
	t.Cleanup(r.stop)
	return r
}

// run starts the follower if it is not running, and steps until there is nothing more to do.
func (r *reader) run() {
	r.t.Helper()
	r.begin()
	for range 100_000 {
		if !r.step() {
			return
		}
	}
	r.t.Fatal("the follower never comes to rest")
}

// begin starts the follower if it is not running.
func (r *reader) begin() {
	r.t.Helper()
	if r.follower == nil {
		r.follower = &follower{
			path: r.path, start: r.start, logger: slog.New(slog.DiscardHandler),
			claimed: func(fileID) bool { return false }, inherit: func(fileID) *generation { return nil }, fresh: r.stored == nil,
		}
		if err := r.follower.restore(r.stored, r.now, r.lastStored); err != nil && r.lastStored.IsZero() {
			r.t.Fatal(err)
		}
	}
}

// step looks once, and takes over what was read as a caller does.
func (r *reader) step() (more bool) {
	r.t.Helper()
	lines, more := r.follower.step(r.now, r.memory)
	if len(lines) > 0 && lines[len(lines)-1] != '\n' {
		r.t.Fatalf("a chunk ends in %q", lines[max(0, len(lines)-40):])
	}
	for line := range strings.Lines(string(lines)) {
		r.lines = append(r.lines, strings.TrimSuffix(line, "\n"))
	}
	if r.follower.moved {
		position := r.follower.position()
		if most := max(maxMarks, r.oversized); len(position.Files) > most {
			r.t.Fatalf("a position of %d files, at most %d may be", len(position.Files), most)
		}
		r.stored = position.encode()
		r.follower.moved = false
	}
	return more
}

// stop ends the follower as a crash would: only what was stored is left.
func (r *reader) stop() {
	if r.follower != nil {
		r.follower.close()
	}
	r.follower = nil
}

// pass lets time go by and looks.
func (r *reader) pass(d time.Duration) {
	r.t.Helper()
	r.now = r.now.Add(d)
	r.run()
}

// want checks the lines read since the last call.
func (r *reader) want(lines ...string) {
	r.t.Helper()
	r.run()
	if !slices.Equal(r.lines, lines) {
		r.t.Errorf("read %s, want %s", brief(r.lines), brief(lines))
	}
	r.lines = nil
}

func brief(lines []string) string {
	if len(lines) > 12 {
		return fmt.Sprintf("%d lines %q ... %q", len(lines), lines[:4], lines[len(lines)-4:])
	}
	return fmt.Sprintf("%.200q", lines)
}

// write appends text to a file as a daemon does, which keeps it open.
func write(t *testing.T, w io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
}

// openLog opens a log as daemons do.
func openLog(t *testing.T, path string) *os.File {
	t.Helper()
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file
}

// add appends text and closes the file.
func add(t *testing.T, path, text string) {
	t.Helper()
	file := openLog(t, path)
	write(t, file, text)
	file.Close()
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func truncate(t *testing.T, path string, size int64) {
	t.Helper()
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
}

// copyFile does what cp does.
func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

// compress is what logrotate does by default.
func compress(t *testing.T, path string) {
	t.Helper()
	packAs(t, path, ".gz", func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil })
}

func TestFirstStart(t *testing.T) {
	t.Parallel()
	t.Run("at the end", func(t *testing.T) {
		t.Parallel()
		r := newReader(t, source.End)
		add(t, r.path, "old\nolder\n")
		r.want()
		add(t, r.path, "new\n")
		r.want("new")
	})
	t.Run("at the end, in a half line", func(t *testing.T) {
		t.Parallel()
		r := newReader(t, source.End)
		add(t, r.path, "old\nhal")
		r.want()
		add(t, r.path, "f\n")
		r.want("half")
	})
	t.Run("at the beginning", func(t *testing.T) {
		t.Parallel()
		r := newReader(t, source.Beginning)
		add(t, r.path, "old\n")
		r.want("old")
	})
	t.Run("of an empty file, then a restart", func(t *testing.T) {
		t.Parallel()
		r := newReader(t, source.End)
		add(t, r.path, "")
		r.want()
		r.stop()
		add(t, r.path, "one\n")
		r.want("one")
	})
	t.Run("without a file, then a restart", func(t *testing.T) {
		t.Parallel()
		r := newReader(t, source.End)
		r.want()
		r.stop()
		add(t, r.path, "one\n")
		r.want("one")
	})
}

func TestFileAppearsLate(t *testing.T) {
	t.Parallel()
	r := newReader(t, source.End)
	r.path = filepath.Join(filepath.Dir(r.path), "folder", "of", "app.log")
	r.want()
	if err := os.MkdirAll(filepath.Dir(r.path), 0o755); err != nil {
		t.Fatal(err)
	}
	r.want()
	add(t, r.path, "one\n")
	r.pass(retryWait)
	r.want("one")
}

func TestHalfLine(t *testing.T) {
	t.Parallel()
	r := newReader(t, source.Beginning)
	add(t, r.path, "one\ntw")
	r.want("one")
	r.pass(time.Hour)
	r.want()
	add(t, r.path, "o")
	r.want()
	r.stop()
	add(t, r.path, "\nthree\n")
	r.want("two", "three")
}

func TestRotationWithLateWriter(t *testing.T) {
	t.Parallel()
	r := newReader(t, source.Beginning)
	daemon := openLog(t, r.path)
	write(t, daemon, "1\n2\n")
	r.want("1", "2")
	write(t, daemon, "3\n")
	rename(t, r.path, r.path+".1")
	write(t, daemon, "4\n")
	r.want("3", "4")
	write(t, daemon, "5\n")
	add(t, r.path, "a\n")
	r.want("5", "a")
	write(t, daemon, "6\n")
	add(t, r.path, "b\n")
	r.run()
	if slices.Sort(r.lines); !slices.Equal(r.lines, []string{"6", "b"}) {
		t.Errorf("read %q", r.lines)
	}
	r.lines = nil

	r.stop()
	write(t, daemon, "7\n")
	r.want("7")
	r.pass(drainWait - time.Second)
	write(t, daemon, "8\n")
	r.want("8")
	r.pass(drainWait)
	write(t, daemon, "too late\n")
	add(t, r.path, "c\n")
	r.want("c")
}

// The last line of a rotated file may have no newline, when its writer was killed.
func TestRotationInHalfLine(t *testing.T) {
	t.Parallel()
	r := newReader(t, source.Beginning)
	daemon := openLog(t, r.path)
	write(t, daemon, "1\nhal")
	r.want("1")
	r.pass(time.Minute)
	rename(t, r.path, r.path+".1")
	add(t, r.path, "a\n")
	r.want("a")
	write(t, daemon, "f\nunfinished")
	r.want("half")
	r.pass(lastLineWait - 1)
	r.want()
	r.pass(1)
	r.want("unfinished")
	r.stop()
	r.pass(time.Minute)
	r.want()
}

func TestRotationWhileDown(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		rotate func(t *testing.T, path string, content string)
	}{
		{"plain", func(t *testing.T, path, content string) {
			for n := 4; n >= 1; n-- {
				if _, err := os.Stat(fmt.Sprintf("%s.%d", path, n)); err == nil {
					rename(t, fmt.Sprintf("%s.%d", path, n), fmt.Sprintf("%s.%d", path, n+1))
				}
			}
			rename(t, path, path+".1")
			add(t, path, content)
		}},
		{"compress and delaycompress", func(t *testing.T, path, content string) {
			for n := 4; n >= 2; n-- {
				if _, err := os.Stat(fmt.Sprintf("%s.%d.gz", path, n)); err == nil {
					rename(t, fmt.Sprintf("%s.%d.gz", path, n), fmt.Sprintf("%s.%d.gz", path, n+1))
				}
			}
			if _, err := os.Stat(path + ".1"); err == nil {
				rename(t, path+".1", path+".2")
				compress(t, path+".2")
			}
			rename(t, path, path+".1")
			add(t, path, content)
		}},
		{"dateext", func(t *testing.T, path, content string) {
			for day := 1; ; day++ {
				name := fmt.Sprintf("%s-202611%02d", path, day)
				if _, err := os.Stat(name + ".gz"); err != nil {
					rename(t, path, name)
					compress(t, name)
					add(t, path, content)
					return
				}
			}
		}},
		{"copytruncate", func(t *testing.T, path, content string) {
			for n := 4; n >= 1; n-- {
				if _, err := os.Stat(fmt.Sprintf("%s.%d", path, n)); err == nil {
					rename(t, fmt.Sprintf("%s.%d", path, n), fmt.Sprintf("%s.%d", path, n+1))
				}
			}
			copyFile(t, path, path+".1")
			truncate(t, path, 0)
			add(t, path, content)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newReader(t, source.Beginning)
			add(t, r.path, "long ago\n")
			r.want("long ago")
			test.rotate(t, r.path, "0\n")
			r.want("0")
			add(t, r.path, "1\n")
			r.want("1")
			r.stop()
			add(t, r.path, "2\n")
			test.rotate(t, r.path, "3\n")
			add(t, r.path, "4\n")
			test.rotate(t, r.path, "5\n")
			test.rotate(t, r.path, "6\n")
			add(t, r.path, "7\n")
			r.want("2", "3", "4", "5", "6", "7")
			r.stop()
			add(t, r.path, "8\n")
			r.want("8")
		})
	}
}
