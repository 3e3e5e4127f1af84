package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pialert/pialert/agent/internal/detect"
	"github.com/pialert/pialert/agent/internal/spool"
	"github.com/pialert/pialert/agent/internal/watch"
	"github.com/pialert/pialert/pkg/attack"
)

// newTestPipeline returns a pipeline with the real detection, into a store.
func newTestPipeline(t *testing.T, into store) *pipeline {
	t.Helper()
	rules, err := detect.Load()
	if err != nil {
		t.Fatal(err)
	}
	f := followed{types: map[string]LogSource{}}
	watched := func() bool { return true }
	p := newPipeline(into, f.readers(slog.New(slog.DiscardHandler)), watched, slog.New(slog.DiscardHandler))
	p.engine, err = detect.New(detect.Options{Rules: rules, Remember: true, Emit: p.add})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// chunk is lines of a log, and the position behind them.
func chunk(position int, lines ...string) watch.Chunk {
	text := strings.Join(lines, "")
	return watch.Chunk{
		Name: "log", Source: "log", Data: []byte(text), Lines: len(lines), Position: fmt.Append(nil, position), Observed: time.Now(),
	}
}

// failed is the n-th password that somebody tried.
func failed(n int) string {
	return fmt.Sprintf("2026-11-20T12:00:00.000000+00:00 server sshd[%d]: Failed password for root from 192.0.2.1 port 40022 ssh2\n", 1000+n)
}

// disk is a store that can be full.
type disk struct {
	full      func() bool
	committed []attack.Event
	position  string
}

func (d *disk) Commit(events []attack.Event, state map[string][]byte) error {
	if d.full() {
		return syscall.ENOSPC
	}
	d.committed = append(d.committed, events...)
	if position, ok := state[positionKey+"log"]; ok {
		d.position = string(position)
	}
	return nil
}

// The agent is stopped while the disk is full, which has room again a moment later: what could not
// be committed must be read again, so no later position may be committed.
func TestStopWhileTheDiskIsFull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		d := &disk{full: func() bool { tries++; return tries == 1 }}
		p := newTestPipeline(t, d)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		if err := p.feed(ctx, chunk(1, failed(1))); err != nil {
			t.Fatal(err)
		}
		go func() { done <- p.Run(ctx) }()
		synctest.Wait() // it waits to try again
		if err := p.feed(ctx, chunk(2, failed(2))); err != nil {
			t.Fatal(err)
		}
		stop()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("it ended with %v", err)
		}
		if d.position != "" || len(d.committed) != 0 {
			t.Errorf("position %s and %d events were committed though an event before them was not", d.position, len(d.committed))
		}
		if err := p.feed(ctx, chunk(3, failed(3))); !errors.Is(err, context.Canceled) {
			t.Errorf("a pipeline that has stopped took lines: %v", err)
		}
		if err := p.fire(&attack.Event{Kind: attack.SSHLogin, Count: 1}); err == nil {
			t.Error("a pipeline that has stopped took a shot")
		}
	})
}

// Watchers that wait for room are let go however the pipeline ends.
func TestEndWhileWatchersWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, err := spool.Open(spool.Options{Dir: filepath.Join(t.TempDir(), "spool")})
		if err != nil {
			t.Fatal(err)
		}
		p := newTestPipeline(t, s)
		fed := make(chan error)
		go func() {
			for n := 0; ; n++ {
				line := strings.Replace(failed(n), "root", fmt.Sprint("user", n), 1) // none are alike
				if err := p.feed(t.Context(), chunk(n, line)); err != nil {
					fed <- err
					return
				}
			}
		}()
		synctest.Wait() // there is no room any more
		s.Close()
		if err := p.Run(t.Context()); !errors.Is(err, spool.ErrClosed) {
			t.Errorf("it ended with %v", err)
		}
		if err := <-fed; !errors.Is(err, context.Canceled) {
			t.Errorf("feeding ended with %v", err)
		}
	})
}

// Requests as long as they are recorded, from ever new addresses, so that none are alike, come
// faster than the disk writes: more than one commit may carry, if nothing held them back.
func TestLongRequestsFromEverywhere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, err := spool.Open(spool.Options{Dir: filepath.Join(t.TempDir(), "spool")})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		p := newTestPipeline(t, s)
		long := strings.Repeat("a", attack.MaxText)
		address := netip.MustParseAddr("2001:db8::")
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		const requests = 16 << 10
		fed := make(chan error)
		go func() {
			var lines bytes.Buffer
			for n := range requests {
				address = address.Next()
				fmt.Fprintf(&lines, "%s - - [20/Nov/2026:12:00:00 +0000] \"GET /.env?%s HTTP/1.1\" 404 196 \"-\" \"%s\"\n", address, long, long)
				if n%100 < 99 && n < requests-1 {
					continue
				}
				if err := p.feed(ctx, chunk(n, lines.String())); err != nil {
					fed <- err
					return
				}
				lines.Reset()
			}
			fed <- nil
		}()
		synctest.Wait() // it waits for room, or has fed all
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		if err := <-fed; err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // what is left has been committed, or failed
		if got := s.Next() - 1; got != requests {
			t.Errorf("%d events were kept of %d requests", got, requests)
		}
		stop()
		<-done
	})
}

// An agent whose clock says 1970 keeps what it finds.
func TestWrongClock(t *testing.T) {
	t.Parallel()
	s, err := spool.Open(spool.Options{Dir: filepath.Join(t.TempDir(), "spool")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p := newTestPipeline(t, s)
	c := chunk(1, "Jan  1 00:01:00 server sshd[900]: Failed password for root from 192.0.2.1 port 40022 ssh2\n")
	c.Observed = time.Unix(61, 0)
	if err := p.feed(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if err := p.commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.Next() != 2 {
		t.Errorf("%d events were kept, want 1", s.Next()-1)
	}
}

// While no display is there, a flood of alike attempts takes few numbers and few commits, and every
// attempt counts. Only a log's first position is written down at once: if the log were rotated and
// the agent killed before that, nobody would know to look for the rotated file.
func TestFloodWhileNobodyWatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		commits := 0
		d := &disk{full: func() bool { commits++; return false }}
		p := newTestPipeline(t, d)
		p.watched = func() bool { return false }
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		const attempts = 100_000
		for n := range attempts {
			if err := p.feed(ctx, chunk(n, failed(n))); err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				if synctest.Wait(); commits != 1 {
					t.Errorf("the first position waits: %d commits", commits)
				}
			}
		}
		time.Sleep(restTicks * tickInterval) // by the bubble's clock
		synctest.Wait()
		if len(d.committed) != 2 || d.committed[0].Count+d.committed[1].Count != attempts || commits != 2 {
			t.Errorf("%d events in %d commits, want one for the first attempt and one for all others", len(d.committed), commits)
		}
		stop()
		<-done
	})
}
