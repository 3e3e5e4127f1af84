package main

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMetrics(t *testing.T) {
	const out = `goos: linux
pkg: github.com/pialert/pialert/test/e2e
BenchmarkLineToLightly-2 	     10	   1 ns/op
BenchmarkLineToLight-2   	   1000	   7010033 ns/op	         0.8170 median-ms	         1.906 p99-ms
PASS
`
	got, err := metrics(out, "BenchmarkLineToLight")
	if want := map[string]float64{"ns/op": 7010033, "median-ms": 0.817, "p99-ms": 1.906}; err != nil || !maps.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if _, err := metrics(out, "BenchmarkDraw"); err == nil {
		t.Error("a benchmark that did not run has metrics")
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1000005: "1,000,005"} {
		if got := thousands(n); got != want {
			t.Errorf("%d is written %q, want %q", n, got, want)
		}
	}
}

func TestRepeatCopiesWholeSamples(t *testing.T) {
	dir := t.TempDir()
	sample, path := filepath.Join(dir, "sample"), filepath.Join(dir, "log")
	if err := os.WriteFile(sample, []byte("a\nb\nc\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	lines, err := repeat(path, sample, 7)
	if err != nil || lines != 9 {
		t.Errorf("%d lines, %v, want 9", lines, err)
	}
	if text, err := os.ReadFile(path); string(text) != strings.Repeat("a\nb\nc\n", 3) {
		t.Errorf("wrote %q, %v", text, err)
	}
	if err := os.WriteFile(sample, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := repeat(path, sample, 7); err == nil {
		t.Error("an empty sample was repeated for ever, or so it seems")
	}
}

func TestCountLinesStopsAtNUL(t *testing.T) {
	if n := countLines(strings.NewReader("a\nb\nc\n\x00")); n != 3 {
		t.Errorf("%d lines, want 3", n)
	}
}

// The test's own process has what every process has.
func TestProcessFigures(t *testing.T) {
	memory, err := resident(os.Getpid())
	if err != nil || memory.now <= 0 || memory.most < memory.now || memory.file > memory.now {
		t.Errorf("memory %+v, %v", memory, err)
	}
	used, err := processorTime(os.Getpid())
	if err != nil || used <= 0 {
		t.Errorf("processor time %s, %v", used, err)
	}
}

func TestWriteLogins(t *testing.T) {
	path := filepath.Join(t.TempDir(), "auth.log")
	if err := writeLogins(path, 1, 2, 1); err != nil {
		t.Fatal(err)
	}
	if err := writeLogins(path, 3, 1, perLogin); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "\n"); n != 2+perLogin {
		t.Errorf("%d lines, want %d:\n%s", n, 2+perLogin, text)
	}
	if n := strings.Count(string(text), "Failed password for invalid user u"); n != 3 {
		t.Errorf("%d failed passwords, want 3", n)
	}
}
