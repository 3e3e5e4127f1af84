package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pialert/pialert/agent/internal/detect"
	"github.com/pialert/pialert/agent/internal/spool"
	"github.com/pialert/pialert/agent/internal/watch"
	"github.com/pialert/pialert/pkg/attack"
)

const (
	// maxPending bounds the events that wait for the disk; watchers wait above it.
	maxPending = 1 << 14
	// mergeAbove is how many events of one commit are sent as they are. In a flood identical ones
	// are merged by count instead.
	mergeAbove = 512
	// tickInterval is how often the engine looks at the clock: what waits for a later line of its
	// connection, and floods, end by time, too.
	tickInterval = time.Second
	// restTicks is after how many ticks reading positions without events are written down: those
	// lines would be read again after a crash, with nothing found in them.
	restTicks = 5
	// retryInterval is the pause after a commit that failed, such as on a full disk.
	retryInterval = time.Second
	// stuckAfter is when a loop that turns at every tick counts as stuck.
	stuckAfter = 30 * time.Second
)

// Keys under which the spool keeps what is no event.
const (
	positionKey = "position/"
	memoryKey   = "memory/"
)

// pipeline is a line's way into the spool: chunks of lines come in from the watchers, the
// detection looks at them, and its events are committed together with its memory and the
// reading positions, so that after a crash all three go back together.
type pipeline struct {
	engine  *detect.Engine
	sources func(chunk watch.Chunk) *detect.Source
	spool   *spool.Spool
	logger  *slog.Logger

	mu      sync.Mutex
	room    *sync.Cond // signalled when the batch was taken, or nothing more is accepted
	batch   batch
	stopped bool
	wake    chan struct{} // holds a token when the batch has events
	found   tally
	turned  atomic.Int64 // when the loop last came round, in Unix nanoseconds
}

// tally counts events.
type tally struct {
	logs  map[string]uint64
	kinds map[attack.Kind]uint64
}

// batch is what the next commit takes.
type batch struct {
	events []attack.Event
	state  map[string][]byte
}

// newPipeline returns a pipeline into s. sources says how the lines of a chunk are to be read.
func newPipeline(s *spool.Spool, sources func(watch.Chunk) *detect.Source, logger *slog.Logger) *pipeline {
	p := &pipeline{spool: s, sources: sources, logger: logger, wake: make(chan struct{}, 1), found: tally{map[string]uint64{}, map[attack.Kind]uint64{}}}
	p.room = sync.NewCond(&p.mu)
	p.batch = batch{state: map[string][]byte{}}
	return p
}

// add is what the engine calls for an event; the pipeline's lock is held.
func (p *pipeline) add(e *attack.Event, _ uint64) {
	p.batch.events = append(p.batch.events, *e)
	p.found.logs[e.Log]++
	p.found.kinds[e.Kind]++
}

// fire adds an event that a person made.
func (p *pipeline) fire(e *attack.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.add(e, 0)
	p.signal()
}

// feed looks at a chunk. It is what watchers call, from any goroutine.
func (p *pipeline) feed(ctx context.Context, chunk watch.Chunk) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.batch.events) >= maxPending && !p.stopped {
		p.room.Wait()
	}
	if p.stopped {
		return context.Cause(ctx)
	}
	if len(chunk.Data) > 0 {
		source := p.sources(chunk)
		for line := range bytes.Lines(chunk.Data) {
			p.engine.Feed(source, bytes.TrimSuffix(line, []byte("\n")), chunk.Observed)
		}
	}
	key := positionKey + chunk.Source
	if chunk.Forget {
		p.batch.state[key] = nil
	} else {
		p.batch.state[key] = append([]byte(nil), chunk.Position...)
	}
	if len(p.batch.events) > 0 {
		p.signal()
	}
	return nil
}

func (p *pipeline) signal() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Run commits batches until ctx ends, then commits what is left and returns. Watchers that wait
// in feed are let go with the context's error.
func (p *pipeline) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.stopped = true
		p.room.Broadcast()
	})
	defer stop()
	tick := time.NewTicker(tickInterval)
	defer tick.Stop()
	for ticks := 0; ; {
		p.turned.Store(time.Now().UnixNano())
		select {
		case <-ctx.Done():
			return p.spool.Commit(p.take())
		case <-p.wake:
		case now := <-tick.C:
			p.mu.Lock()
			p.engine.Tick(now)
			found := len(p.batch.events) > 0
			p.mu.Unlock()
			if ticks++; !found && ticks < restTicks {
				continue
			}
		}
		ticks = 0
		if err := p.commit(ctx); err != nil {
			return err
		}
	}
}

// commit writes the batch down and repeats that until it succeeds: nothing is read on
// meanwhile, so nothing is lost while the disk is full.
func (p *pipeline) commit(ctx context.Context) error {
	events, state := p.take()
	if len(events) == 0 && len(state) == 0 {
		return nil
	}
	failed := false
	for {
		err := p.spool.Commit(events, state)
		if err == nil {
			if failed {
				p.logger.Info("the spool can be written again")
			}
			return nil
		}
		if errors.Is(err, spool.ErrClosed) {
			return fmt.Errorf("cannot keep events: %w", err)
		}
		p.turned.Store(time.Now().UnixNano())
		if !failed {
			failed = true
			p.logger.Error("cannot write the spool; no log is read on until it can be", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil // the lines will be read again
		case <-time.After(retryInterval):
		}
	}
}

// counts returns how many events were found since the start.
func (p *pipeline) counts() tally {
	p.mu.Lock()
	defer p.mu.Unlock()
	return tally{maps.Clone(p.found.logs), maps.Clone(p.found.kinds)}
}

// alive returns an error if the loop has not come round for so long that it must be stuck. A
// disk that cannot be written is no reason: a restart would not help.
func (p *pipeline) alive(now time.Time) error {
	if silent := now.Sub(time.Unix(0, p.turned.Load())); silent > stuckAfter {
		return fmt.Errorf("the pipeline has not moved for %s", silent.Round(time.Second))
	}
	return nil
}

// take empties the batch, with what the engine's memory changed.
func (p *pipeline) take() ([]attack.Event, map[string][]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.engine.Changes(func(key string, value []byte) { p.batch.state[memoryKey+key] = value })
	taken := p.batch
	p.batch = batch{state: map[string][]byte{}}
	p.room.Broadcast()
	if len(taken.events) > mergeAbove {
		taken.events = spool.Merge(taken.events)
	}
	return taken.events, taken.state
}
