package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// recorder is a disk that writes down what is asked of it, file by file.
type recorder struct {
	dir  string
	done []string
}

func (r *recorder) note(format string, args ...any) {
	r.done = append(r.done, fmt.Sprintf(format, args...))
}

// name returns a path from the recorder's folder on, and of a segment only its ordinal.
func (r *recorder) name(path string) string {
	name, err := filepath.Rel(r.dir, path)
	if err != nil {
		return path
	}
	if ordinal, _, ok := parseSegmentName(filepath.Base(name)); ok {
		return fmt.Sprint("segment ", ordinal)
	}
	return name
}

func (r *recorder) open(path string, flag int) (file, error) {
	f, err := disk{}.open(path, flag)
	if flag&os.O_CREATE != 0 {
		r.note("create %s", r.name(path))
	}
	return &recordedFile{f, r, r.name(path)}, err
}

func (r *recorder) syncDir(dir string) error {
	r.note("sync directory %s", r.name(dir))
	return disk{}.syncDir(dir)
}

func (r *recorder) remove(path string) error {
	r.note("remove %s", r.name(path))
	return disk{}.remove(path)
}

// take returns what was done since the last call.
func (r *recorder) take() []string {
	done := r.done
	r.done = nil
	return done
}

type recordedFile struct {
	file
	r    *recorder
	name string
}

func (f *recordedFile) WriteAt(data []byte, offset int64) (int, error) {
	f.r.note("write %s", f.name)
	return f.file.WriteAt(data, offset)
}

func (f *recordedFile) Truncate(size int64) error {
	f.r.note("truncate %s", f.name)
	return f.file.Truncate(size)
}

func (f *recordedFile) Sync() error {
	f.r.note("sync %s", f.name)
	return f.file.Sync()
}

// When a call returns, what it promises has been synced: the folders that lead to the spool, then
// data before the names that make it visible, and a deletion before the next one.
func TestOrderOfWritesAndSyncs(t *testing.T) {
	t.Parallel()
	r := &recorder{dir: t.TempDir()}
	options := Options{Dir: filepath.Join(r.dir, "state", "spool"), storage: r}
	want := func(what string, want ...string) {
		t.Helper()
		if got := r.take(); !slices.Equal(got, want) {
			t.Errorf("%s:\n%s\nwant:\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	s := open(t, options)
	want("the first start", "sync directory .", "sync directory state")
	commit(t, s, eventsFrom(1, 1), nil)
	want("the first commit", "create segment 1", "write segment 1", "sync segment 1", "sync directory state/spool")
	commit(t, s, eventsFrom(2, 1), nil)
	want("a commit", "write segment 1", "sync segment 1")
	s.segmentBytes = 1 // each commit begins a segment
	commit(t, s, eventsFrom(3, 1), nil)
	want("a full segment", "create segment 2", "write segment 2", "sync segment 2", "sync directory state/spool")
	for n := 4; n < 8; n++ {
		commit(t, s, eventsFrom(n, 1), nil)
	}
	if err := s.SetConsumers([]string{"desk"}); err != nil {
		t.Fatal(err)
	}
	r.take()
	if err := s.Ack("desk", epochOf(s, "desk"), 6); err != nil {
		t.Fatal(err)
	}
	want("an acknowledgement of several segments", "remove segment 1", "sync directory state/spool", "remove segment 2",
		"sync directory state/spool", "remove segment 3", "sync directory state/spool", "remove segment 4",
		"sync directory state/spool", "remove segment 5")

	// A process that was killed may have left what is not on the disk yet, and half a commit.
	path := s.segments[len(s.segments)-1].path
	abandon(s)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(data, data[:headerBytes+1]...), 0o600); err != nil {
		t.Fatal(err)
	}
	s = open(t, options)
	last := r.name(path)
	want("a start after a kill", "sync "+last)
	commit(t, s, eventsFrom(9, 1), nil)
	want("the first commit after it", "create segment 8", "write segment 8", "sync segment 8", "sync directory state/spool")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

var errBroken = errors.New("broken")

// failing is a disk on which one thing fails.
type failing struct {
	disk
	what string
}

func (d *failing) fail(what string) error {
	if what == d.what {
		return errBroken
	}
	return nil
}

func (d *failing) open(path string, flag int) (file, error) {
	if err := d.fail("create"); err != nil {
		return nil, err
	}
	f, err := d.disk.open(path, flag)
	return &failingFile{f, d}, err
}

func (d *failing) syncDir(dir string) error {
	return errors.Join(d.fail("sync of the directory"), d.disk.syncDir(dir))
}

func (d *failing) remove(path string) error {
	return errors.Join(d.fail("removal"), d.disk.remove(path))
}

type failingFile struct {
	file
	d *failing
}

func (f *failingFile) WriteAt(data []byte, offset int64) (int, error) {
	if err := f.d.fail("write"); err != nil {
		n, _ := f.file.WriteAt(data[:len(data)/2], offset)
		return n, err
	}
	return f.file.WriteAt(data, offset)
}

func (f *failingFile) Sync() error { return errors.Join(f.d.fail("sync"), f.file.Sync()) }

// What the system cannot sync is no success: folders and files of a process are none of a disk's.
func TestSyncsAreTheSystems(t *testing.T) {
	t.Parallel()
	if err := (disk{}).syncDir("/proc/self"); err == nil {
		t.Error("a folder is synced that cannot be")
	}
	f, err := os.Open("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := (diskFile{f}).Sync(); err == nil {
		t.Error("a file is synced that cannot be")
	}
}

// Whoever waits for events learns that he is no longer a consumer, also while nothing can be written.
func TestConsumersChangeOnAFailingDisk(t *testing.T) {
	t.Parallel()
	d := &failing{}
	s := open(t, Options{Dir: t.TempDir(), storage: d})
	if err := s.SetConsumers([]string{"desk"}); err != nil {
		t.Fatal(err)
	}
	d.what = "write"
	changed := s.Changed()
	if err := s.SetConsumers(nil); !errors.Is(err, errBroken) {
		t.Errorf("the error is %v", err)
	}
	select {
	case <-changed:
	default:
		t.Error("nobody is woken")
	}
	if _, _, err := s.Resume("desk", s.ledger.epoch, 0); !errors.Is(err, ErrUnknown) {
		t.Errorf("who is no consumer any more resumes with %v", err)
	}
	d.what = ""
}

// A commit that the disk refuses says what it could not do and why. The next one goes on as if nothing
// had been.
func TestAFailedCommitLeavesNothing(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"create", "write", "sync", "sync of the directory"} {
		d := &failing{what: what}
		s := open(t, Options{Dir: t.TempDir(), storage: d})
		err := s.Commit(eventsFrom(1, 3), nil)
		if !errors.Is(err, errBroken) || !strings.HasPrefix(err.Error(), "cannot begin a segment of the spool") {
			t.Errorf("without a %s the error is %v", what, err)
		}
		if s.Next() != 1 || len(s.segments) != 0 {
			t.Errorf("without a %s there are %d segments, the next number is %d", what, len(s.segments), s.Next())
		}
		d.what = ""
		commit(t, s, eventsFrom(1, 3), nil)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if again := open(t, Options{Dir: s.options.Dir}); again.Next() != 4 {
			t.Errorf("without a %s the next number is %d, want 4", what, again.Next())
		}
	}
}

// A segment stays as long as a power cut could bring back the one before it, which is deleted already.
func TestSegmentsAreDeletedOneAfterTheOther(t *testing.T) {
	t.Parallel()
	d := &failing{}
	s := segmentsOf(t, Options{Dir: t.TempDir(), storage: d}, 6)
	d.what = "sync of the directory"
	if err := s.Ack("desk", epochOf(s, "desk"), 6); err != nil {
		t.Fatal(err)
	}
	if s.segments[0].ordinal != 2 {
		t.Errorf("the oldest segment is %d while nobody knows whether the first is gone, want 2", s.segments[0].ordinal)
	}
	d.what = ""
	commit(t, s, nil, nil)
	if s.segments[0].ordinal != 7 {
		t.Errorf("the oldest segment is %d once that is known, want 7", s.segments[0].ordinal)
	}
}
