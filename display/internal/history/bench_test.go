package history_test

import (
	"slices"
	"sync"
	"testing"
	"time"
)

// BenchmarkAppend measures events per second from Append to their commit, in batches as an agent
// that catches up sends them, and the bytes that an event takes.
func BenchmarkAppend(b *testing.B) {
	const size = 1000
	o := options(file(b))
	o.Interval = time.Second
	h := start(b, o)
	batch := events(size)
	var commits sync.WaitGroup
	b.ReportAllocs()
	first := uint64(1)
	for b.Loop() {
		commits.Add(1)
		err := h.Append(b.Context(), "a", 1, first, batch,
			func(uint64, error) { commits.Done() })
		if err != nil {
			b.Fatal(err)
		}
		first += size
	}
	commits.Wait()
	b.ReportMetric(float64(first-1)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkCommit measures how long one event waits for its commit when nothing else happens.
func BenchmarkCommit(b *testing.B) {
	h := start(b, options(file(b)))
	one := events(1)
	first := uint64(1)
	var took []time.Duration
	for b.Loop() {
		done := make(chan struct{})
		begin := time.Now()
		if err := h.Append(b.Context(), "a", 1, first, one,
			func(uint64, error) { close(done) }); err != nil {
			b.Fatal(err)
		}
		<-done
		took = append(took, time.Since(begin))
		first++
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}
