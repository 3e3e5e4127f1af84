package file

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/pialert/pialert/agent/internal/source"
)

const benchLine = "2026-11-20T12:00:00.123456+00:00 host sshd[4711]: Failed password for invalid user admin from 192.0.2.7 port 50022 ssh2\n"

// BenchmarkWake measures the time from a line's write to emit, in a program that is asleep before.
func BenchmarkWake(b *testing.B) {
	path := filepath.Join(b.TempDir(), "auth.log")
	files, err := New(Options{Logs: []Log{{Paths: []string{path}}}})
	if err != nil {
		b.Fatal(err)
	}
	daemon := openBenchLog(b, path)
	ctx, cancel := context.WithCancel(b.Context())
	seen, done := make(chan time.Time, 1), make(chan error, 1)
	go func() {
		done <- files.Run(ctx, func(_ context.Context, chunk source.Chunk) error {
			seen <- time.Now()
			return nil
		})
	}()
	<-seen // the first position
	var took []time.Duration
	for b.Loop() {
		time.Sleep(time.Millisecond)
		start := time.Now()
		if _, err := daemon.WriteString(benchLine); err != nil {
			b.Fatal(err)
		}
		took = append(took, (<-seen).Sub(start))
	}
	cancel()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds()), "median-ns")
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds()), "p99-ns")
}

// BenchmarkCatchUp measures how fast a backlog is read and cut into lines.
func BenchmarkCatchUp(b *testing.B) {
	path := filepath.Join(b.TempDir(), "auth.log")
	backlog := bytes.Repeat([]byte(benchLine), 500_000)
	if _, err := openBenchLog(b, path).Write(backlog); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(backlog)))
	for b.Loop() {
		files, err := New(Options{Logs: []Log{{Paths: []string{path}, Start: source.Beginning}}})
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(b.Context())
		lines := 0
		err = files.Run(ctx, func(_ context.Context, chunk source.Chunk) error {
			if lines += countLines(chunk.Data); lines == 500_000 {
				cancel()
			}
			return nil
		})
		if err != nil || lines != 500_000 {
			b.Fatalf("%d lines, error %v", lines, err)
		}
	}
	b.ReportMetric(float64(b.N)*500_000/b.Elapsed().Seconds(), "lines/s")
}

func openBenchLog(b *testing.B, path string) *os.File {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { file.Close() })
	return file
}
