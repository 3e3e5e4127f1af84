package file

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/agent/internal/source"
)

// looker looks at patterns when it is told, and crashes when it is told.
type looker struct {
	*testing.T
	stored map[string][]byte
	files  *Files
	wake   *waker
	memory *blocks
	lines  []string // "file: line", since they were compared last
}

func newLooker(t *testing.T) *looker {
	l := &looker{T: t, stored: make(map[string][]byte), memory: newBlocks()}
	t.Cleanup(l.crash)
	return l
}

// emit keeps positions as a spool does.
func (l *looker) emit(_ context.Context, chunk source.Chunk) error {
	if l.stored[chunk.Source] = chunk.Position; chunk.Forget {
		delete(l.stored, chunk.Source)
	}
	for line := range strings.Lines(string(chunk.Data)) {
		l.lines = append(l.lines, filepath.Base(chunk.Source)+": "+strings.TrimSuffix(line, "\n"))
	}
	return nil
}

// look brings the followers in line with the folders, starting if it is not running, and has each take at most
// so many steps.
func (l *looker) look(pattern string, steps int) {
	l.Helper()
	first := l.files == nil
	if first {
		restore := func(path string) ([]byte, bool) { stored, ok := l.stored[path]; return stored, ok }
		files, err := New(Options{Logs: []Log{{Paths: []string{pattern}}}, Restore: restore, Stored: slices.Collect(maps.Keys(l.stored))})
		if err != nil {
			l.Fatal(err)
		}
		l.files, l.wake = files, newWaker(files.options.Logger)
	}
	now := time.Now()
	err := l.files.scan(l.Context(), now, first, l.wake, l.emit)
	for _, file := range l.files.followers {
		file.dirty.Store(true)
		file.retry, file.absentLook = time.Time{}, time.Time{}
	}
	for more := true; more && steps > 0 && err == nil; steps-- {
		if more, err = l.files.round(l.Context(), now, l.memory, l.wake, l.emit); err == nil && first {
			err = l.files.markPatterns(l.Context(), now, l.emit)
		}
		first = false
	}
	if err != nil {
		l.Fatal(err)
	}
}

// crash leaves what is stored.
func (l *looker) crash() {
	if l.files != nil {
		l.files.closeAll()
		l.wake.close()
	}
	l.files = nil
}

// want compares what was read since the last call.
func (l *looker) want(what string, lines ...string) {
	l.Helper()
	if !slices.Equal(l.lines, lines) {
		l.Errorf("%s: read %s, want %s", what, brief(l.lines), brief(lines))
	}
	l.lines = nil
}

// aged sets back when a file was written to.
func aged(t *testing.T, path string, age time.Duration) {
	t.Helper()
	at := time.Now().Add(-age)
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

// A log that comes and is rotated away between two looks at its folder, or while the agent is away, is read once;
// rotated files of logs that went long ago are not.
func TestRunPatternMissed(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a.log.1", "a.log-20261122", "a-20261122.log", "a.log.1.gz", "a.log-20261122.gz"} {
		for _, away := range []bool{false, true} {
			what := fmt.Sprintf("%s, away %v", name, away)
			dir := t.TempDir()
			pattern := filepath.Join(dir, "*.log")
			l := newLooker(t)
			for _, old := range []string{"dead.log.1", "future.log.1", "dead.log-20251122"} {
				add(t, filepath.Join(dir, old), "old\n")
			}
			aged(t, filepath.Join(dir, "dead.log.1"), time.Hour)
			aged(t, filepath.Join(dir, "dead.log-20251122"), time.Hour)
			aged(t, filepath.Join(dir, "future.log.1"), -time.Hour)
			l.look(pattern, 3)
			l.look(pattern, 3)
			l.want(what)
			if away {
				l.crash()
			}

			add(t, filepath.Join(dir, "a.log"), "1\n2\n")
			plain, zipped := strings.CutSuffix(filepath.Join(dir, name), ".gz")
			rename(t, filepath.Join(dir, "a.log"), plain)
			if zipped {
				compress(t, plain)
			}
			add(t, filepath.Join(dir, "restored.log.1"), "copied back with its time\n")
			aged(t, filepath.Join(dir, "restored.log.1"), time.Hour)
			if away {
				l.look(pattern, 1) // killed once the place is stored, but nothing read
				l.crash()
			}
			l.look(pattern, 5)
			l.want(what, "a.log: 1", "a.log: 2")
			l.crash()
			l.look(pattern, 5)
			l.look(pattern, 5)
			l.want(what + ", after a restart")
			add(t, filepath.Join(dir, "a.log"), "3\n")
			l.look(pattern, 5)
			l.want(what+", with a new one", "a.log: 3")
		}
	}
}

// A kill between any two chunks of a log that is forgotten has nothing read anew.
func TestKilledWhileALogIsForgotten(t *testing.T) {
	t.Parallel()
	killed := errors.New("killed")
	for chunks := range 4 {
		dir := t.TempDir()
		pattern, path := filepath.Join(dir, "*.log"), filepath.Join(dir, "a.log")
		l := newLooker(t)
		l.look(pattern, 1)
		add(t, path, "1\n")
		l.look(pattern, 3)
		l.want("before", "a.log: 1")
		rename(t, path, path+".1")

		left := chunks
		emit := func(ctx context.Context, chunk source.Chunk) error {
			if left--; left < 0 {
				return killed
			}
			return l.emit(ctx, chunk)
		}
		now, err := time.Now(), error(nil)
		for range 30 {
			now = now.Add(time.Hour)
			if err = l.files.scan(t.Context(), now, false, l.wake, emit); err != nil {
				break
			}
			for _, file := range l.files.followers {
				file.dirty.Store(true)
			}
			if _, err = l.files.round(t.Context(), now, l.memory, l.wake, emit); err != nil {
				break
			}
		}
		if err == nil && len(l.files.followers) > 0 {
			t.Errorf("%d chunks: neither killed nor forgotten", chunks)
		}
		l.crash()
		l.look(pattern, 5)
		l.look(pattern, 5)
		l.want(fmt.Sprintf("killed after %d chunks", chunks))
	}
}

// A log that gets the name of another one's rotated file goes on from where it was read to.
func TestRunPatternRenamedAsRotated(t *testing.T) {
	t.Parallel()
	for _, away := range []bool{false, true} {
		dir := t.TempDir()
		pattern, a, b := filepath.Join(dir, "*.log"), filepath.Join(dir, "a.log"), filepath.Join(dir, "b.log.1")
		l := newLooker(t)
		l.look(pattern, 1)
		add(t, a, "1\n")
		l.look(pattern, 3)
		l.want("before", "a.log: 1")
		if away {
			l.crash()
		}
		rename(t, a, b)
		add(t, b, "2\n")
		l.look(pattern, 5)
		l.look(pattern, 5)
		if len(l.lines) != 1 || !strings.HasSuffix(l.lines[0], ".log: 2") {
			t.Errorf("away %v: read %q, want line 2 once", away, l.lines)
		}
	}
}

// A rotated file that was there at the last look is not new because somebody touched it.
func TestTouchedIsNotNew(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.log")
	add(t, path+".1", "1\n")
	aged(t, path+".1", -time.Minute)
	for since, want := range map[time.Duration]int{-time.Minute: 1, 30 * time.Second: 0} {
		p := &pattern{path: path, since: time.Now().Add(since)}
		if gone := p.gone(nil, map[string][]string{path: {path + ".1"}}, nil, time.Now().Add(2*time.Minute)); len(gone) != want {
			t.Errorf("looked at %v after it was made: %q are new, want %d", since, gone, want)
		}
	}
}

// bzip2 leaves an archive its original's time without what is less than a second.
func TestWholeSeconds(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.log.1.bz2")
	add(t, path, "")
	now := time.Now()
	looked := now.Add(time.Minute).Truncate(time.Second).Add(time.Second / 2)
	for after, want := range map[time.Duration]bool{0: true, -2 * time.Second: false} {
		at := looked.Truncate(time.Second).Add(after)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
		set, err := listRotationSet(strings.TrimSuffix(path, ".1.bz2"), nil)
		if err != nil || len(set) != 1 || set[0].modified.After(looked) != want {
			t.Errorf("written %v after the second of the last look: %+v, error %v; new %v", after, set, err, want)
		}
	}
}

// A log that is rotated while its folder is looked at was listed under a name that it has not any more; one that was
// packed with the second of the look as its time is no file of the future.
func TestRotatedWhileLookedAt(t *testing.T) {
	t.Parallel()
	path, now := filepath.Join(t.TempDir(), "a.log"), time.Now()
	packed := path + ".2.bz2"
	p := &pattern{path: path, since: now.Add(-time.Minute)}
	for what, gone := range map[string][]string{
		"the log":           p.gone([]string{path}, nil, nil, now),
		"its rotated file":  p.gone([]string{path}, map[string][]string{path: {path + ".1"}}, nil, now),
		"nothing, followed": append(p.gone([]string{path}, nil, map[string]bool{path: true}, now), path),
		"nothing, a folder": append(p.gone(nil, map[string][]string{path: {filepath.Dir(path)}}, nil, now), path),
	} {
		if !slices.Equal(gone, []string{path}) {
			t.Errorf("%s went: %q are to be followed", what, gone)
		}
	}
	add(t, packed, "")
	at := time.Now().Truncate(time.Second)
	if err := os.Chtimes(packed, at, at); err != nil {
		t.Fatal(err)
	}
	if !p.isNew(packed, time.Now()) {
		t.Error("what was packed in this second is not new")
	}
}

// A file that one log was to read and that is gone may have left its inode to another log's.
func TestReadsAnotherFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.log.1")
	add(t, path, "1\n")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	id := identify(info)
	for what, f := range map[string]*follower{
		"waiting": {waiting: []candidate{{name: path, fileID: id}}},
		"parked":  {generations: []*generation{{mark: mark{fileID: id}, name: path, parked: true}}},
	} {
		add(t, path, "")
		if !f.reads(id) {
			t.Errorf("%s: it is not known to be read", what)
		}
		rename(t, path, path+".kept")
		if f.reads(id) {
			t.Errorf("%s: it is taken for another that has its identity", what)
		}
		rename(t, path+".kept", path)
	}
}

func TestRotatedFrom(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		pattern, name, former string
		rotated               bool
	}{
		{"*.log", "a.log", "", false},
		{"*.log", "a.log.1", "a.log", true},
		{"*.log", "a.log.1.xz", "a.log", true},
		{"*.log", "a-20261122.log.zst", "a.log", true},
		{"*.log", "b.txt.1", "", false},
		{"*.log", "b.txt.1.gz", "", true},
		{"access*", "access.log.1-20261122", "access.log", true},
		{"access-*", "access-20261122", "", false},
		{"*access.log", "a_access.log.12", "a_access.log", true},
		{"a?.log", "a1.log", "", false},
	} {
		if former, rotated := rotatedFrom(test.pattern, test.name); former != test.former || rotated != test.rotated {
			t.Errorf("%q of %q: %q %v, want %q %v", test.name, test.pattern, former, rotated, test.former, test.rotated)
		}
	}
}

// hasty is a folder in which logs of a pattern come and go faster than anybody looks.
type hasty struct {
	*looker
	random  *rand.Rand
	dir     string
	day     int                 // the next date of a rotated file
	written map[string][]string // what was written to each log, in order
	history []string
}

// write appends some lines to a log that may be new, and gives it a time of its own: the kernel's clock has few.
func (h *hasty) write(name string) {
	path := filepath.Join(h.dir, name)
	var text strings.Builder
	for range 1 + h.random.IntN(4) {
		line := fmt.Sprintf("%s %d", name, len(h.written[name]))
		h.written[name] = append(h.written[name], line)
		text.WriteString(line + "\n")
	}
	add(h.T, path, text.String())
	aged(h.T, path, 0)
}

// rotate renames a log, if it is there, as logrotate does with numbers or dates, and compresses it or not.
func (h *hasty) rotate(name string) {
	path := filepath.Join(h.dir, name)
	if _, err := os.Stat(path); err != nil {
		return
	}
	rotated := path + ".1"
	if len(name)%2 == 0 { // one log does not change its ways
		h.day++
		rotated = fmt.Sprintf("%s-2026%04d", path, h.day)
	}
	for n := 50; n >= 1; n-- {
		for _, ending := range []string{"", ".gz"} {
			if from := fmt.Sprintf("%s.%d%s", path, n, ending); exists(from) {
				rename(h.T, from, fmt.Sprintf("%s.%d%s", path, n+1, ending))
			}
		}
	}
	rename(h.T, path, rotated)
	if h.random.IntN(2) == 0 {
		compress(h.T, rotated)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// TestMissedLogsEveryLineOnce has logs come, go and come again, whether the agent looks or is away, and wants
// every line once.
func TestMissedLogsEveryLineOnce(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			h := &hasty{
				looker: newLooker(t), random: rand.New(rand.NewPCG(seed, 8)), dir: t.TempDir(), written: make(map[string][]string),
			}
			pattern := filepath.Join(h.dir, "*.log")
			old := filepath.Join(h.dir, "old.log.1")
			add(t, old, "from before\n")
			aged(t, old, time.Hour)
			h.look(pattern, 1)
			for act := range 300 {
				name := fmt.Sprintf("%s.log", []string{"a", "bb", "c", "dd", "e"}[h.random.IntN(5)])
				if act%3 == 0 {
					name = fmt.Sprintf("job%d.log", act)
				}
				did := ""
				switch n := h.random.IntN(100); {
				case n < 40:
					h.write(name)
					did = "write " + name
				case n < 60:
					h.write(name)
					h.rotate(name)
					did = "write and rotate " + name
				case n < 70:
					h.rotate(name)
					did = "rotate " + name
				case n < 80:
					h.crash()
					did = "crash"
				default:
					steps := 1 + h.random.IntN(4)
					h.look(pattern, steps)
					did = fmt.Sprintf("look %d times", steps)
				}
				h.history = append(h.history, did)
			}
			for range 10 { // those that catch up take turns, see admit
				h.look(pattern, 100_000)
			}
			read := make(map[string][]string)
			for _, line := range h.lines {
				name, line, _ := strings.Cut(line, ": ")
				read[name] = append(read[name], line)
			}
			for name, lines := range h.written {
				if !slices.Equal(read[name], lines) {
					t.Errorf("%s: read %s of %d lines, want %s; after\n%s", name, brief(read[name]), len(read[name]), brief(lines), strings.Join(h.history, "\n"))
				}
				delete(read, name)
			}
			if len(read) > 0 {
				t.Errorf("read what was not written: %q", read)
			}
		})
	}
}
