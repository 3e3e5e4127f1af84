package file

import (
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/pialert/pialert/agent/internal/source"
)

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
