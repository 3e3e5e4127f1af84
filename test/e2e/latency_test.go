package e2e

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/packaging/demo/program"
)

// lines tells when each line was written to it. It is what the display's standard output goes to.
type lines struct {
	rest []byte
	seen chan seen
}

type seen struct {
	line string
	at   time.Time
}

func (l *lines) Write(p []byte) (int, error) {
	now := time.Now()
	l.rest = append(l.rest, p...)
	for {
		line, rest, whole := bytes.Cut(l.rest, []byte("\n"))
		if !whole {
			return len(p), nil
		}
		l.seen <- seen{string(line), now}
		l.rest = rest
	}
}

// BenchmarkLineToLight measures the time from a line's write until the display has handed it to
// its driver: the terminal driver, whose plain line for the event is awaited at the other end of
// a pipe. Agent and display are processes on this machine, linked by mutual TLS, and every event
// is on the agent's disk before it is sent. Lines come 1 to 10 ms apart, at random.
//
//	go -C test test -run '^$' -bench LineToLight -benchtime 1000x ./e2e
func BenchmarkLineToLight(b *testing.B) {
	log, logs := newLogbook(b)
	s := layOut(b, program.Settings{Logs: logs, Driver: "terminal"})
	s.wait(10 * time.Minute)
	out := &lines{seen: make(chan seen, 64)}
	s.Command = func(path string, args ...string) *exec.Cmd {
		cmd := exec.Command(path, args...)
		if path == programs.Display && args[0] == "run" {
			cmd.Stdout = out
		}
		return cmd
	}
	s.startAgent()
	s.startDisplay()
	s.must(s.Join(s.ctx))
	await := func(n int) time.Time {
		user := fmt.Sprintf("u%d", n)
		for {
			select {
			case line := <-out.seen:
				if strings.Contains(line.line, user) {
					return line.at
				}
			case <-s.ctx.Done():
				b.Fatalf("attempt %d was not shown", n)
			}
		}
	}
	log.attempt()
	await(1)

	random := rand.New(rand.NewPCG(1, 2))
	var took []time.Duration
	for b.Loop() {
		time.Sleep(time.Millisecond + time.Duration(random.Int64N(int64(9*time.Millisecond))))
		wrote := time.Now()
		log.attempt()
		took = append(took, await(log.n).Sub(wrote))
	}
	slices.Sort(took)
	for name, part := range map[string]int{"median-ms": 500, "p99-ms": 990, "worst-ms": 1000} {
		at := min(len(took)*part/1000, len(took)-1)
		b.ReportMetric(float64(took[at])/float64(time.Millisecond), name)
	}
}
