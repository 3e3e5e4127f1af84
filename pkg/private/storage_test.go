package private

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// recorder is a disk that writes down what is asked of it, and fails at one call.
type recorder struct {
	done []string
	fail string
}

var errBroken = errors.New("broken")

func (r *recorder) note(what string) error {
	r.done = append(r.done, what)
	if what == r.fail {
		return errBroken
	}
	return nil
}

func (r *recorder) create(dir, pattern string) (file, error) {
	if err := r.note("create"); err != nil {
		return nil, err
	}
	f, err := disk{}.create(dir, pattern)
	return recorded{f, r}, err
}

func (r *recorder) rename(from, to string) error {
	if err := r.note("rename to " + filepath.Base(to)); err != nil {
		return err
	}
	return disk{}.rename(from, to)
}

func (r *recorder) syncDir(dir string) error {
	return errors.Join(disk{}.syncDir(dir), r.note("sync directory"))
}

type recorded struct {
	file
	r *recorder
}

func (f recorded) Write(data []byte) (int, error) {
	n, err := f.file.Write(data)
	return n, errors.Join(err, f.r.note(fmt.Sprintf("write %q", data)))
}

func (f recorded) Sync() error  { return errors.Join(f.file.Sync(), f.r.note("sync")) }
func (f recorded) Close() error { return errors.Join(f.file.Close(), f.r.note("close")) }

// The content is on the disk before it has the name, and the name is before Write returns. Whatever
// fails, the file holds the old content or the new, nothing is left over, and the error says which file.
func TestOrderOfWritesAndSyncs(t *testing.T) {
	steps := []string{"create", `write "new"`, "sync", "close", "rename to key", "sync directory"}
	for at := range len(steps) + 1 {
		dir := Dir(t.TempDir())
		if err := dir.Write("key", []byte("old")); err != nil {
			t.Fatal(err)
		}
		want, done := "new", steps
		r := &recorder{}
		if at < len(steps) {
			r.fail = steps[at]
			if at < slices.Index(steps, "sync directory") {
				want = "old"
			}
			done = steps[:at+1]
			if at > 0 && at < slices.Index(steps, "close") {
				done = append(slices.Clone(done), "close")
			}
		}
		err := dir.write(r, "key", []byte("new"))
		if failed := r.fail != ""; errors.Is(err, errBroken) != failed || failed && !strings.Contains(err.Error(), dir.Path("key")) {
			t.Errorf("%q fails: the error is %v", r.fail, err)
		}
		if !slices.Equal(r.done, done) {
			t.Errorf("%q fails: it does %q, want %q", r.fail, r.done, done)
		}
		if got, err := os.ReadFile(dir.Path("key")); string(got) != want {
			t.Errorf("%q fails: the file holds %q, want %q, error %v", r.fail, got, want, err)
		}
		if entries, _ := os.ReadDir(string(dir)); len(entries) != 1 {
			t.Errorf("%q fails: %v is left over", r.fail, entries)
		}
	}
}

// A directory that cannot be synced is no success: that of a process is none of a disk's.
func TestSyncDirFails(t *testing.T) {
	for _, dir := range []string{"/proc/self", filepath.Join(t.TempDir(), "missing")} {
		if err := SyncDir(dir); err == nil {
			t.Errorf("%s is synced", dir)
		}
	}
	if err := SyncDir(t.TempDir()); err != nil {
		t.Error(err)
	}
}

// A renamed file keeps its name through a power cut.
func TestRenameIsDurable(t *testing.T) {
	dir := Dir(t.TempDir())
	if err := dir.Write("a", []byte("x")); err != nil {
		t.Fatal(err)
	}
	var r recorder
	if err := dir.rename(&r, "a", "b"); err != nil || !slices.Equal(r.done, []string{"rename to b", "sync directory"}) {
		t.Errorf("it does %q, error %v", r.done, err)
	}
	if err := dir.Rename("a", "c"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is gone: %v", err)
	}
}
