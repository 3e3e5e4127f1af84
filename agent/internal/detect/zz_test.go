package detect

import (
	"bytes"
	"os"
	"testing"
	"time"

	"github.com/pialert/pialert/agent/internal/rule"
	"github.com/pialert/pialert/pkg/attack"
)

func benchFile(b *testing.B, name string, typ rule.Type) {
	text, _ := os.ReadFile(name)
	var lines [][]byte
	for l := range bytes.Lines(text) {
		lines = append(lines, bytes.TrimSuffix(l, []byte("\n")))
		if len(lines) >= 100000 {
			break
		}
	}
	rules, _ := Load()
	b.ResetTimer()
	for b.Loop() {
		e, _ := New(Options{Rules: rules, Location: time.UTC, Emit: func(*attack.Event, uint64) {}})
		s, _ := NewSource("x", typ, "")
		for _, l := range lines {
			e.Feed(s, l, time.Unix(1790000000, 0))
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(lines)), "ns/line")
}
func BenchmarkZZSSH(b *testing.B)    { benchFile(b, "/tmp/a-old/ssh250.log", rule.TypeAuto) }
func BenchmarkZZAccess(b *testing.B) { benchFile(b, "/tmp/a-old/access.log", rule.TypeAuto) }
