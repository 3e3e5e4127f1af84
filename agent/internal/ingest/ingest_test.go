package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/wire"
)

// counter is a detector for which every line is one attempt: its first word is the user, the rest
// goes into the event. It remembers how many lines each source had.
type counter struct {
	emit    func(*attack.Event)
	lines   map[string]int
	changed map[string]bool
}

func (c *counter) Restore(key string, value []byte) (err error) {
	c.lines[key], err = strconv.Atoi(string(value))
	return err
}

func (c *counter) Feed(chunk Chunk) {
	for line := range bytes.Lines(chunk.Data) {
		c.lines[chunk.Source]++
		c.changed[chunk.Source] = true
		user, rest, _ := strings.Cut(strings.TrimSuffix(string(line), "\n"), " ")
		c.emit(&attack.Event{
			Kind: attack.SSHLogin, Severity: attack.Medium, Rule: "rule", Log: chunk.Source, Observed: chunk.Observed,
			SourceIP: netip.MustParseAddr("192.0.2.1"), User: user, Count: 1, Detail: attack.SSH{Reason: rest},
		})
	}
}

func (c *counter) Forget(chunk Chunk) {
	delete(c.lines, chunk.Source)
	c.changed[chunk.Source] = true
}

func (c *counter) Tick(time.Time) {}

func (c *counter) Changes(visit func(key string, value []byte)) {
	for source := range c.changed {
		if n, ok := c.lines[source]; ok {
			visit(source, strconv.AppendInt(nil, int64(n), 10))
		} else {
			visit(source, nil)
		}
	}
	clear(c.changed)
}

// disk is a store that can fail.
type disk struct {
	fail      func() error // nil never fails
	commits   int
	attempts  uint64
	committed []attack.Event
	state     map[string][]byte
	largest   int // bytes of events in one commit
}

func (d *disk) Commit(events []attack.Event, state map[string][]byte) error {
	if d.fail != nil {
		if err := d.fail(); err != nil {
			return err
		}
	}
	size := 0
	for i := range events {
		d.attempts += events[i].Count
		size += proto.Size(wire.Encode(1, "agent", &events[i]))
	}
	d.commits++
	d.largest = max(d.largest, size)
	d.committed = append(d.committed, events...)
	for key, value := range state {
		if d.state == nil {
			d.state = map[string][]byte{}
		}
		if d.state[key] = value; value == nil {
			delete(d.state, key)
		}
	}
	return nil
}

func yes() bool { return true }
func no() bool  { return false }

// start returns a pipeline into a store that goes on from what the store has.
func start(t *testing.T, into *disk, watched func() bool) (*Pipeline, *counter) {
	t.Helper()
	c := &counter{lines: map[string]int{}, changed: map[string]bool{}}
	p, err := New(Options{
		Detector: func(emit func(*attack.Event)) (Detector, error) { c.emit = emit; return c, nil },
		Store:    into, Watched: watched, Logger: slog.New(slog.DiscardHandler),
		State: func(yield func(string, []byte) bool) {
			for key, value := range into.state {
				if !yield(key, value) {
					return
				}
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p, c
}

// chunk is lines of a log, one for each user, and the position behind them.
func chunk(position int, users ...string) Chunk {
	return Chunk{
		Name: "log", Source: "log", Data: []byte(strings.Join(users, "\n") + "\n"),
		Position: strconv.AppendInt(nil, int64(position), 10), Observed: time.Now(),
	}
}

func feed(t *testing.T, p *Pipeline, c Chunk) {
	t.Helper()
	if err := p.Feed(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

func commit(t *testing.T, p *Pipeline) {
	t.Helper()
	if err := p.commit(t.Context()); err != nil {
		t.Fatal(err)
	}
}

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
	feed(t, p, Chunk{Source: "log", Forget: true})
	if counts := p.Counts(); len(counts.Logs) > 1 || counts.Logs["log"] != nil {
		t.Errorf("the source was forgotten and counts are %v", counts)
	}
}

// The agent is stopped while the disk is full, which has room again a moment later: what could not
// be committed must be read again, so no later position may be committed.
func TestStopWhileTheDiskIsFull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		d := &disk{fail: func() error {
			if tries++; tries == 1 {
				return syscall.ENOSPC
			}
			return nil
		}}
		p, _ := start(t, d, yes)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		feed(t, p, chunk(1, "first"))
		go func() { done <- p.Run(ctx) }()
		synctest.Wait() // it waits to try again
		feed(t, p, chunk(2, "second"))
		stop()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("it ended with %v", err)
		}
		if len(d.state) != 0 || len(d.committed) != 0 {
			t.Errorf("state %q and %d events were committed though an event before them was not", d.state, len(d.committed))
		}
		if err := p.Feed(ctx, chunk(3, "third")); !errors.Is(err, context.Canceled) {
			t.Errorf("a pipeline that has stopped took lines: %v", err)
		}
		if err := p.Add(&attack.Event{Kind: attack.SSHLogin, Count: 1}); !errors.Is(err, ErrStopped) {
			t.Errorf("a pipeline that has stopped took an event: %v", err)
		}
	})
}

// While the disk is full the loop counts as alive, and once there is room everything is committed,
// once.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var full atomic.Bool
		full.Store(true)
		d := &disk{fail: func() error {
			if full.Load() {
				return syscall.ENOSPC
			}
			return nil
		}}
		p, _ := start(t, d, yes)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		feed(t, p, chunk(1, "first"))
		time.Sleep(10 * stuckAfter) // by the bubble's clock
		feed(t, p, chunk(2, "second"))
		synctest.Wait()
		if err := p.Alive(time.Now()); err != nil || d.commits != 0 {
			t.Errorf("the disk is full: %v, %d commits", err, d.commits)
		}
		if fault := p.Fault(); fault == nil || !errors.Is(fault.Err, syscall.ENOSPC) || time.Since(fault.Since) < stuckAfter {
			t.Errorf("the disk is full and the fault is %+v", fault)
		}
		full.Store(false)
		time.Sleep(2 * retryInterval)
		synctest.Wait()
		if fault := p.Fault(); fault != nil {
			t.Errorf("there is room again and the fault is %v", fault.Err)
		}
		if d.attempts != 2 || string(d.state["position/log"]) != "2" {
			t.Errorf("%d attempts and position %s were committed, want 2 and 2", d.attempts, d.state["position/log"])
		}
		stop()
		if err := <-done; err != nil {
			t.Errorf("it ended with %v", err)
		}
	})
}

func TestStuck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		p, _ := start(t, &disk{fail: func() error { <-hang; return nil }}, yes)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		feed(t, p, chunk(1, "first"))
		time.Sleep(stuckAfter + time.Second)
		if p.Alive(time.Now()) == nil {
			t.Error("a store that does not return for so long was not noticed")
		}
		close(hang)
		stop()
		<-done
	})
}

// Sources that wait for room are let go however the pipeline ends.
func TestEndWhileSourcesWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		closed := fmt.Errorf("the store: %w", os.ErrClosed)
		p, _ := start(t, &disk{fail: func() error { return closed }}, yes)
		fed := make(chan error)
		go func() {
			for n := 0; ; n++ { // none are alike
				if err := p.Feed(t.Context(), chunk(n, fmt.Sprint("user", n))); err != nil {
					fed <- err
					return
				}
			}
		}()
		synctest.Wait() // there is no room any more
		if n := len(p.batch.events); n > maxEvents {
			t.Errorf("%d events wait, at most %d may", n, maxEvents)
		}
		if err := p.Run(t.Context()); !errors.Is(err, os.ErrClosed) {
			t.Errorf("it ended with %v", err)
		}
		if err := <-fed; !errors.Is(err, context.Canceled) {
			t.Errorf("feeding ended with %v", err)
		}
	})
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
