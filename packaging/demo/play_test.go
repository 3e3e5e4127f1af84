package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestLoad reads the recordings that are shipped: every line once, in the order of time, over
// less than the time that a demonstration may take.
func TestLoad(t *testing.T) {
	lines, err := load(".", recordings)
	if err != nil {
		t.Fatal(err)
	}
	want := 0
	for _, name := range recordings {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		want += bytes.Count(text, []byte("\n"))
	}
	if len(lines) != want || want == 0 {
		t.Fatalf("%d lines were loaded, want %d", len(lines), want)
	}
	for i := range lines[1:] {
		if lines[i+1].at.Before(lines[i].at) {
			t.Errorf("%q comes before %q", lines[i].text, lines[i+1].text)
		}
	}
	if span := lines[len(lines)-1].at.Sub(lines[0].at); span < 5*time.Second || span > 20*time.Second {
		t.Errorf("the recording takes %s", span)
	}
}

// TestPlay writes the lines of each log in their order.
func TestPlay(t *testing.T) {
	dir := t.TempDir()
	at := time.Unix(0, 0)
	err := play(t.Context(), dir, []line{
		{at, "auth.log", []byte("one\n")},
		{at, "error.log", []byte("two\n")},
		{at.Add(time.Millisecond), "auth.log", []byte("three\n")},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"auth.log": "one\nthree\n", "error.log": "two\n"} {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || string(got) != want {
			t.Errorf("%s holds %q (%v), want %q", name, got, err, want)
		}
	}
}

// TestShare lets both servers be attacked, and leaves every line of a process in one log.
func TestShare(t *testing.T) {
	lines, err := load(".", recordings)
	if err != nil {
		t.Fatal(err)
	}
	before := len(lines)
	share(lines)
	logs, processes := map[string]int{}, map[string]string{}
	for _, l := range lines {
		logs[l.log]++
		if _, rest, ok := bytes.Cut(l.text, []byte("sshd[")); ok {
			pid, _, _ := bytes.Cut(rest, []byte("]"))
			if was := processes[string(pid)]; was != "" && was != l.log {
				t.Errorf("process %s writes to %s and %s", pid, was, l.log)
			}
			processes[string(pid)] = l.log
		}
	}
	if len(lines) != before || logs["auth.log"] < 20 || logs[secondLog] < 20 || logs["access.log"] == 0 {
		t.Errorf("%d lines became %v", before, logs)
	}
}
