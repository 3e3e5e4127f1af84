package file

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pialert/pialert/agent/internal/source"
)

// An editor, sed -i, or whoever trims a log puts a new file in its place, with lines that were counted.
func TestReplacedByACopy(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("an older line\n", 2*blockSize/14)
	for _, test := range []struct {
		name     string
		old      string
		replaced string
		want     []string // of the new file
	}{
		{"the same", "one\ntwo\n", "one\ntwo\n", nil},
		{"longer by a line", "one\ntwo\n", "one\ntwo\nthree\n", []string{"three"}},
		{"without its first line", "one\ntwo\n", "two\nthree\n", []string{"three"}},
		{"without its last line", "one\ntwo\n", "one\n", nil},
		{"without one in between", "one\ntwo\nthree\n", "one\nthree\nfour\n", []string{"four"}},
		{"more than a block", long + "one\ntwo\n", long + "one\ntwo\nthree\n", []string{"three"}},
		{"trimmed to its end", long + "one\ntwo\n", "one\ntwo\nthree\n", []string{"three"}},
		{"a half line", "one\ntwo\n", "one\ntwo\nthr", nil},
		{"another file", "one\ntwo\n", "five\n", []string{"five"}},
		{"empty", "one\ntwo\n", "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newReader(t, source.Beginning)
			add(t, r.path, test.old)
			r.want(strings.Split(strings.TrimSuffix(test.old, "\n"), "\n")...)
			daemon := openLog(t, r.path) // has not noticed yet
			if err := os.WriteFile(r.path+".tmp", []byte(test.replaced), 0o644); err != nil {
				t.Fatal(err)
			}
			rename(t, r.path+".tmp", r.path)
			r.want(test.want...)

			write(t, daemon, "late\n")
			r.want("late")
			half := ""
			if i := strings.LastIndexByte(test.replaced, '\n'); i+1 < len(test.replaced) {
				half = test.replaced[i+1:]
			}
			add(t, r.path, "next\n")
			r.want(half + "next")
			r.stop()
			add(t, r.path, "after a restart\n")
			r.want("after a restart")
		})
	}
}

// Editors and sed -i.bak keep the old file under another name, for a moment or for good.
func TestReplacedAndKept(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		replaced string
		want     []string // of the new file
	}{
		{"app.log~", "one\ntwo\nthree\n", nil},
		{"app.log.bak", "two\nthree\nfour\nfive\n", []string{"five"}},
		// A rotation of one's own, in whose second a flood wrote the same lines before and after it.
		{"app.log.old", "four\nthree\nfour\n", []string{"four", "three", "four"}},
		{"app.log.1", "one\ntwo\nthree\n", []string{"one", "two", "three"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newReader(t, source.Beginning)
			add(t, r.path, "one\ntwo\nthree\nfour\n")
			r.want("one", "two", "three", "four")
			kept := filepath.Join(filepath.Dir(r.path), test.name)
			if err := os.WriteFile(r.path+".tmp", []byte(test.replaced), 0o644); err != nil {
				t.Fatal(err)
			}
			rename(t, r.path, kept)
			rename(t, r.path+".tmp", r.path)
			r.want(test.want...)
			add(t, kept, "late\n")
			r.want("late")
			r.stop()
			add(t, r.path, "after a restart\n")
			r.want("after a restart")
		})
	}
}

// What was not read yet of the old file is read from it, and not once more from the copy.
func TestReplacedBeforeItWasRead(t *testing.T) {
	t.Parallel()
	r := newReader(t, source.Beginning)
	add(t, r.path, "one\n")
	r.want("one")
	add(t, r.path, "two\n")
	copyFile(t, r.path, r.path+".tmp")
	add(t, r.path+".tmp", "three\n")
	rename(t, r.path+".tmp", r.path)
	r.want("two", "three")
}

// While this program is down the inode of a deleted file is given to another one, which begins the same.
func TestInodeIsGivenToACopy(t *testing.T) {
	t.Parallel()
	for _, zipped := range []bool{false, true} {
		r := newReader(t, source.Beginning)
		add(t, r.path, "one\n")
		r.want("one")
		copyFile(t, r.path, r.path+".tmp")
		rename(t, r.path+".tmp", r.path)
		add(t, r.path, "two\n")
		r.want("two")
		r.stop()

		add(t, r.path, "three\n")
		name := r.path + ".1"
		copyFile(t, r.path, name)
		truncate(t, r.path, 0)
		add(t, r.path, "four\n")
		if zipped {
			compress(t, name)
			name += ".gz"
		}
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		p, _, err := decodePosition(r.stored)
		if err != nil || len(p.Files) != 2 {
			t.Fatalf("position %s: %v; want the deleted file and the one in its place", r.stored, err)
		}
		p.Files[0].fileID = identify(info)
		r.stored = p.encode()
		r.want("three", "four")
	}
}

// What was skipped is remembered, although no line came of it.
func TestReplacedAndRestarted(t *testing.T) {
	t.Parallel()
	r := newReader(t, source.Beginning)
	add(t, r.path, "one\ntwo\n")
	r.want("one", "two")
	add(t, r.path+".tmp", "two\n")
	rename(t, r.path+".tmp", r.path)
	r.want()
	r.stop()
	r.want()
}

// A flood writes the same line many times a second, on both sides of a rotation: those are no copies.
func TestSameLineAfterARotation(t *testing.T) {
	t.Parallel()
	r := newReader(t, source.Beginning)
	add(t, r.path, "flood\nflood\n")
	r.want("flood", "flood")
	rename(t, r.path, r.path+".1")
	add(t, r.path, "flood\nflood\n")
	r.want("flood", "flood")
}
