package ingest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

func TestOneCommitHasEventsMemoryAndPosition(t *testing.T) {
	t.Parallel()
	d := &disk{}
	p, _ := start(t, d, yes)
	feed(t, p, chunk(7, "root", "admin"))
	commit(t, p)
	if d.commits != 1 || d.attempts != 2 || string(d.state["position/log"]) != "7" || string(d.state["memory/log"]) != "2" {
		t.Errorf("%d commits of %d attempts, state %q", d.commits, d.attempts, d.state)
	}
	if commit(t, p); d.commits != 1 {
		t.Error("nothing happened and something was committed")
	}
	again, c := start(t, d, yes)
	if position, ok := again.Position("log"); !ok || string(position) != "7" || c.lines["log"] != 2 {
		t.Errorf("after a restart the position is %q, %v and the memory %v", position, ok, c.lines)
	}
	if _, ok := again.Position("other"); ok {
		t.Error("a source that was never read has a position")
	}
	feed(t, again, Chunk{Source: "log", Forget: true})
	commit(t, again)
	if len(d.state) != 0 {
		t.Errorf("the source was forgotten and %q was kept", d.state)
	}
}

// A source without positions, such as a socket, is detected and leaves nothing behind.
func TestSourceWithoutPosition(t *testing.T) {
	t.Parallel()
	d := &disk{}
	p, _ := start(t, d, yes)
	c := chunk(0, "root")
	c.Position = nil
	feed(t, p, c)
	commit(t, p)
	if _, ok := d.state["position/log"]; ok || d.attempts != 1 {
		t.Errorf("%d attempts, state %q", d.attempts, d.state)
	}
}

func TestDamagedMemoryEndsNothing(t *testing.T) {
	t.Parallel()
	d := &disk{state: map[string][]byte{"memory/log": []byte("damaged"), "position/log": []byte("7")}}
	p, _ := start(t, d, yes)
	if position, ok := p.Position("log"); !ok || string(position) != "7" {
		t.Errorf("position %q, %v", position, ok)
	}
}

func TestCounts(t *testing.T) {
	t.Parallel()
	p, _ := start(t, &disk{}, yes)
	feed(t, p, chunk(1, "root", "admin"))
	if err := p.Add(&attack.Event{Kind: attack.Ban, Count: 1}); err != nil {
		t.Fatal(err)
	}
	counts := p.Counts()
	if counts.Logs["log"][attack.SSHLogin] != 2 || counts.Kinds[attack.SSHLogin] != 2 || counts.Kinds[attack.Ban] != 1 {
		t.Errorf("counts %v", counts)
	}
	feed(t, p, chunk(2, "root"))
	if counts.Logs["log"][attack.SSHLogin] != 2 {
		t.Errorf("counts that were asked for have changed: %v", counts)
	}
	feed(t, p, Chunk{Source: "log", Forget: true})
	if counts := p.Counts(); len(counts.Logs) > 1 || counts.Logs["log"] != nil {
		t.Errorf("the source was forgotten and counts are %v", counts)
	}
}

// Events that are as long as they can be, and none alike, come faster than the disk writes: no
// commit grows beyond what a store takes, and all arrive.
func TestCommitsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &disk{}
		p, _ := start(t, d, yes)
		const events = 4 * maxEvents
		text := strings.Repeat("a", attack.MaxText)
		done, fed := make(chan error), make(chan error)
		go func() {
			for n := range events {
				if err := p.Feed(t.Context(), chunk(n, fmt.Sprint(n, " ", text))); err != nil {
					fed <- err
					return
				}
			}
			fed <- nil
		}()
		synctest.Wait() // it waits for room
		ctx, stop := context.WithCancel(t.Context())
		go func() { done <- p.Run(ctx) }()
		if err := <-fed; err != nil {
			t.Fatal(err)
		}
		stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if d.attempts != events || d.largest > 2*maxBytes || d.commits < 4 {
			t.Errorf("%d of %d events in %d commits, %d bytes in the largest", d.attempts, events, d.commits, d.largest)
		}
	})
}

// While no display is there, a flood of alike attempts takes few numbers and few commits, and every
// attempt counts. Only a log's first position is written down at once: if the log were rotated and
// the agent killed before that, nobody would know to look for the rotated file.
func TestFloodWhileNobodyWatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &disk{}
		p, _ := start(t, d, no)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		const attempts = 100_000
		for n := range attempts {
			feed(t, p, chunk(n, "root"))
			if n == 0 {
				if synctest.Wait(); d.commits != 1 {
					t.Errorf("the first position waits: %d commits", d.commits)
				}
			}
		}
		time.Sleep(restTicks * tickInterval) // by the bubble's clock
		synctest.Wait()
		if len(d.committed) != 2 || d.attempts != attempts || d.commits != 2 {
			t.Errorf("%d events in %d commits, want one for the first attempt and one for all others", len(d.committed), d.commits)
		}
		stop()
		<-done
	})
}

// Even alike lines are not read without end while the disk does not take them: after a crash all of
// them are read again.
func TestAlikeLinesWaitForTheDisk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, _ := start(t, &disk{}, yes)
		users := strings.Split(strings.Repeat("root\n", 999)+"root", "\n")
		n, done := 0, make(chan struct{})
		go func() {
			defer close(done)
			for n < 1000 && p.Feed(t.Context(), chunk(n, users...)) == nil {
				n++
			}
		}()
		synctest.Wait()
		if read := n * len(users); read > 2*maxMerged {
			t.Errorf("%d lines were read and none committed", read)
		}
		p.stop()
		<-done
	})
}

// What few events say is merged too while nobody watches.
func TestNobodyWatches(t *testing.T) {
	t.Parallel()
	d := &disk{}
	p, _ := start(t, d, no)
	feed(t, p, chunk(1, "root", "root", "admin"))
	commit(t, p)
	if len(d.committed) != 2 || d.attempts != 3 {
		t.Errorf("%d events of %d attempts, want 2 of 3", len(d.committed), d.attempts)
	}
}

// Somebody watches: what is found is committed at once, and told one by one unless it is a flood.
func TestSomebodyWatches(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ events, want int }{{1, 1}, {mergeAbove, mergeAbove}, {mergeAbove + 1, 1}} {
		synctest.Test(t, func(t *testing.T) {
			d := &disk{}
			p, _ := start(t, d, yes)
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan error)
			feed(t, p, chunk(1, strings.Split(strings.Repeat("root\n", test.events-1)+"root", "\n")...))
			go func() { done <- p.Run(ctx) }()
			synctest.Wait()
			if len(d.committed) != test.want || d.attempts != uint64(test.events) {
				t.Errorf("%d attempts became %d events of %d, want %d", test.events, len(d.committed), d.attempts, test.want)
			}
			feed(t, p, chunk(2, "admin"))
			if synctest.Wait(); d.commits != 2 {
				t.Error("what is found later waits")
			}
			stop()
			<-done
		})
	}
}

// What is found in lines that cannot be read again waits for a second at most, though nobody watches; what is
// found in others waits for longer.
func TestLinesThatComeOnce(t *testing.T) {
	t.Parallel()
	for once, want := range map[bool]int{false: 0, true: 1} {
		synctest.Test(t, func(t *testing.T) {
			d := &disk{}
			p, _ := start(t, d, no)
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- p.Run(ctx) }()
			c := chunk(0, "root")
			c.Position, c.Once = nil, once
			feed(t, p, c)
			c.Once = false // others that follow can be read again
			feed(t, p, c)
			time.Sleep(tickInterval + tickInterval/2)
			if synctest.Wait(); d.commits != want {
				t.Errorf("once %v: %d commits, want %d", once, d.commits, want)
			}
			stop()
			<-done
		})
	}
}

// The first position of a log is committed at once, though nobody watches: without it a rotation would hide its
// lines. A log that was gone for good and came again has a first one again.
func TestFirstPositionIsUrgent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &disk{}
		p, _ := start(t, d, no)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		for _, step := range []struct {
			what   string
			forget bool
			want   int
		}{{"first", false, 1}, {"second", false, 1}, {"gone", true, 1}, {"back", false, 2}, {"second again", false, 2}} {
			c := chunk(1)
			c.Data, c.Forget = nil, step.forget
			feed(t, p, c)
			if synctest.Wait(); d.commits != step.want {
				t.Errorf("%s: %d commits, want %d", step.what, d.commits, step.want)
			}
		}
		stop()
		<-done
	})
}

// A source hears when its chunk is on the disk, at once though nobody watches, or that it never will be.
func TestCommittedIsTold(t *testing.T) {
	t.Parallel()
	for _, full := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			d := &disk{fail: func() error {
				if full {
					return syscall.ENOSPC
				}
				return nil
			}}
			p, _ := start(t, d, no)
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan error)
			var told []error
			hear := func(err error) { told = append(told, err) }
			first := chunk(1) // the log's first position is urgent by itself
			if full {
				first.Committed = hear // it hears of the commit that is being tried, the next of the one that never is
			}
			feed(t, p, first)
			go func() { done <- p.Run(ctx) }()
			synctest.Wait()
			c := chunk(2)
			c.Data = nil // the wish alone is urgent
			c.Committed = hear
			feed(t, p, c)
			synctest.Wait()
			if full {
				if len(told) > 0 {
					t.Errorf("told %v while the disk is full", told)
				}
				stop()
				<-done
				if len(told) != 2 || !errors.Is(told[0], ErrStopped) || !errors.Is(told[1], ErrStopped) {
					t.Errorf("told %v in the end", told)
				}
				return
			}
			if len(told) != 1 || told[0] != nil || string(d.state["position/log"]) != "2" {
				t.Errorf("told %v, position %s", told, d.state["position/log"])
			}
			stop()
			<-done
		})
	}
}

// An agent whose clock says 1970 keeps what it finds.
func TestWrongClock(t *testing.T) {
	t.Parallel()
	d := &disk{}
	p, _ := start(t, d, yes)
	c := chunk(1, "root")
	c.Observed = time.Unix(61, 0)
	feed(t, p, c)
	commit(t, p)
	if err := d.committed[0].Check(); err != nil {
		t.Error(err)
	}
}

// TestEveryLineOnce feeds a log in random chunks into a store that fails at random, stops and starts
// at random from what was committed, and wants every line counted once.
func TestEveryLineOnce(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 3))
			broken := rand.New(rand.NewPCG(seed, 4)) // only the pipeline's loop asks it
			d := &disk{fail: func() error {
				if broken.IntN(4) == 0 {
					return syscall.ENOSPC
				}
				return nil
			}}
			const lines = 5000
			var watching atomic.Bool
			watching.Store(true)
			for read := 0; read < lines; {
				p, c := start(t, d, watching.Load)
				position, _ := p.Position("log")
				read, _ = strconv.Atoi(string(position))
				if c.lines["log"] != read || d.attempts != uint64(read) {
					t.Fatalf("seed %d: restarted at line %d, the memory has %d, the store %d attempts", seed, read, c.lines["log"], d.attempts)
				}
				ctx, stop := context.WithCancel(t.Context())
				done := make(chan error)
				go func() { done <- p.Run(ctx) }()
				for range random.IntN(60) {
					n := min(random.IntN(100), lines-read)
					users := make([]string, n)
					for i := range users {
						users[i] = fmt.Sprint(random.IntN(5))
					}
					if n > 0 {
						read += n
						feed(t, p, chunk(read, users...))
					}
					watching.Store(random.IntN(2) == 0)
					time.Sleep(time.Duration(random.IntN(1500)) * time.Millisecond)
				}
				stop()
				if err := <-done; err != nil {
					read = 0 // what the store has decides
				}
			}
			if d.attempts != lines || string(d.state["memory/log"]) != fmt.Sprint(lines) {
				t.Errorf("seed %d: %d attempts of %d", seed, d.attempts, lines)
			}
		})
	}
}
