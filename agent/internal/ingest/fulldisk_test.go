package ingest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

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
