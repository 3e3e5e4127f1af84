package spool

import (
	"fmt"
	"testing"
)

// What a commit costs, by how many events it carries; one fdatasync is in each.
func BenchmarkCommit(b *testing.B) {
	for _, size := range []int{1, 100, 2000} {
		b.Run(fmt.Sprintf("events=%d", size), func(b *testing.B) {
			s, err := Open(Options{Dir: b.TempDir(), Agent: "web"})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			events := eventsFrom(1, size)
			for b.Loop() {
				if err := s.Commit(events, map[string][]byte{"auth.log": []byte("position")}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// What reading costs from the disk's cache, in batches of 256 KiB.
func BenchmarkRead(b *testing.B) {
	s, err := Open(Options{Dir: b.TempDir(), Agent: "web"})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	for n := range 50 {
		if err := s.Commit(eventsFrom(n*2000, 2000), nil); err != nil {
			b.Fatal(err)
		}
	}
	s.recent = recent{}
	for b.Loop() {
		for after := uint64(0); after < 100_000; {
			first, count, _, err := s.Read(after, 256<<10)
			if err != nil {
				b.Fatal(err)
			}
			after = first + uint64(count) - 1
		}
	}
	b.ReportMetric(100_000*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
