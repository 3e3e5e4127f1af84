package main

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
)

// What is paged goes to $PAGER, with git's defaults for less; Ctrl-C while somebody reads ends neither. An empty $PAGER pages nothing.
func TestPager(t *testing.T) {
	t.Cleanup(func() { signal.Reset(os.Interrupt) })
	t.Setenv("LESS", "")
	os.Unsetenv("LESS")
	read := filepath.Join(t.TempDir(), "read")
	t.Setenv("PAGER", fmt.Sprintf(`cat > '%[1]s'; printf %%s "$LESS" >> '%[1]s'`, read))
	out, finish, err := pager()
	if err != nil || out == os.Stdout {
		t.Fatalf("nothing is paged, error %v", err)
	}
	fmt.Fprintln(out, "an event")
	if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(out, "another one")
	if err := finish(); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(read); err != nil || string(got) != "an event\nanother one\nFRX" {
		t.Errorf("the pager read %q, error %v", got, err)
	}
	for _, none := range []string{"", " ", "cat", "no-such-pager -R"} {
		t.Setenv("PAGER", none)
		if out, _, err := pager(); err != nil || out != os.Stdout {
			t.Errorf("PAGER=%q pages, error %v", none, err)
		}
	}
}
