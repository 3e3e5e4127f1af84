package file

import (
	"io"
	"os"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"github.com/pialert/pialert/agent/internal/source"
)

// What logrotate packed while the agent was away is read, whatever compresscmd says.
func TestCompressedWhileAway(t *testing.T) {
	t.Parallel()
	for ending, pack := range map[string]func(io.Writer) (io.WriteCloser, error){
		".xz":  func(w io.Writer) (io.WriteCloser, error) { return xz.NewWriter(w) },
		".zst": func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) },
	} {
		r := newReader(t, source.Beginning)
		add(t, r.path, "1\n")
		r.want("1")
		r.stop()
		add(t, r.path, "2\n3\n")
		rename(t, r.path, r.path+"-20261121")
		packAs(t, r.path+"-20261121", ending, pack)
		add(t, r.path, "4\n")
		rename(t, r.path, r.path+"-20261122")
		add(t, r.path, "5\n")
		r.run()
		r.want("2", "3", "4", "5")
		if r.follower.stats.Errors > 0 {
			t.Errorf("%s: %d errors", ending, r.follower.stats.Errors)
		}
	}
}

// packAs does what gzip and the like do: a new file with the old one's times, then the old one is removed.
func packAs(t *testing.T, path, ending string, pack func(io.Writer) (io.WriteCloser, error)) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(path + ending)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	packed, err := pack(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := packed.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := packed.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path+ending, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	remove(t, path)
}
