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
	// maxPending bounds the events that wait for the disk, maxFed the bytes of the lines that they
	// were found in, and so the bytes that one commit takes; watchers wait above either.
	maxPending = 1 << 14
	maxFed     = 4 << 20
	// maxMerged bounds how many more events may have been merged into those that wait.
	maxMerged = 1 << 17
	// mergeAbove is how many events of one commit are sent as they are. In a flood identical ones
	// are merged by count instead.
	mergeAbove = 512
	// tickInterval is how often the engine looks at the clock: what waits for a later line of its
	// connection, and floods, end by time, too.
	tickInterval = time.Second
	// restTicks is after how many ticks that is written down which can wait: reading positions
	// without events, and events while nobody is there to see them. After a crash those lines are
	// read again.
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
	store   store
	watched func() bool // whether a display is connected
	logger  *slog.Logger

	mu      sync.Mutex
	room    *sync.Cond // signalled when the batch was taken, or nothing more is accepted
	batch   batch
	stopped bool
	wake    chan struct{} // holds a token when the batch has events
	found   tally
	begun   map[string]bool // position keys that a batch has had
	turned  atomic.Int64    // when the loop last came round, in Unix nanoseconds
}

// store makes events durable together with changed state, or does neither; see [spool.Spool].
type store interface {
	Commit(events []attack.Event, state map[string][]byte) error
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
	fed    int  // bytes of lines
	merged int  // events that others stand for
	full   bool // it has to be committed before more is read
	first  bool // it has the first position of a log, without which a rotation would hide its lines
}

// newPipeline returns a pipeline into a spool. sources says how the lines of a chunk are to be
// read, watched whether anybody is there to see what is found: while nobody is, commits are rarer
// and alike events merge, so that a flood does not fill the spool with what few numbers say.
func newPipeline(s store, sources func(watch.Chunk) *detect.Source, watched func() bool, logger *slog.Logger) *pipeline {
	p := &pipeline{
		store: s, sources: sources, watched: watched, logger: logger, wake: make(chan struct{}, 1),
		batch: batch{state: map[string][]byte{}},
		begun: map[string]bool{},
		found: tally{map[string]uint64{}, map[attack.Kind]uint64{}},
	}
	p.room = sync.NewCond(&p.mu)
	p.turned.Store(time.Now().UnixNano())
	return p
}

// add is what the engine calls for an event; the pipeline's lock is held.
func (p *pipeline) add(e *attack.Event, _ uint64) {
	kept := *e
	kept.MendTimes() // a clock that is wrong by decades costs no event
	p.batch.events = append(p.batch.events, kept)
	p.found.logs[e.Log]++
	p.found.kinds[e.Kind]++
}

// errStopping says that an event came too late to be committed.
var errStopping = errors.New("the agent is stopping or reloading; try again")

// fire adds an event that a person made.
func (p *pipeline) fire(e *attack.Event) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return errStopping
	}
	p.add(e, 0)
	p.signal()
	return nil
}

// feed looks at a chunk. It is what watchers call, from any goroutine. Once the pipeline has
// stopped it returns context.Canceled.
func (p *pipeline) feed(_ context.Context, chunk watch.Chunk) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.batch.full && !p.stopped {
		p.room.Wait()
	}
	if p.stopped {
		return context.Canceled
	}
	source := p.sources(chunk)
	for line := range bytes.Lines(chunk.Data) {
		p.engine.Feed(source, bytes.TrimSuffix(line, []byte("\n")), chunk.Observed)
	}
	p.batch.fill(len(chunk.Data))
	key := positionKey + chunk.Source
	if chunk.Forget {
		p.engine.Forget(source.Name())
		p.batch.state[key] = nil
		delete(p.found.logs, source.Name())
		delete(p.begun, key)
	} else {
		p.batch.state[key] = append([]byte(nil), chunk.Position...)
		if !p.begun[key] {
			p.begun[key], p.batch.first = true, true
		}
	}
	if len(p.batch.events) > 0 || p.batch.first {
		p.signal()
	}
	return nil
}

// urgent says whether the batch cannot wait for somebody to watch.
func (p *pipeline) urgent() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.batch.full || p.batch.first
}

// fill takes note of bytes that were read. Where too much waits it merges what is alike, and is
// full unless that made much room.
func (b *batch) fill(bytes int) {
	b.fed += bytes
	before := len(b.events)
	if before < maxPending && (before == 0 || b.fed < maxFed) {
		return
	}
	b.events = spool.Merge(b.events)
	b.merged += before - len(b.events)
	b.fed = int(int64(b.fed) * int64(len(b.events)) / int64(before))
	b.full = len(b.events) >= maxPending/2 || b.fed >= maxFed/2 || b.merged >= maxMerged
}

func (p *pipeline) signal() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Run commits batches until ctx ends, then commits what is left and returns. Watchers that wait
// in feed are let go.
func (p *pipeline) Run(ctx context.Context) error {
	defer p.stop()
	tick := time.NewTicker(tickInterval)
	defer tick.Stop()
	for ticks := 0; ; {
		p.turned.Store(time.Now().UnixNano())
		select {
		case <-ctx.Done():
			p.stop()
			return p.commit(ctx)
		case <-p.wake:
			if !p.watched() && !p.urgent() {
				continue
			}
		case now := <-tick.C:
			p.mu.Lock()
			p.engine.Tick(now)
			found := len(p.batch.events) > 0
			p.mu.Unlock()
			if ticks++; ticks < restTicks && !(found && p.watched()) {
				continue
			}
		}
		ticks = 0
		if err := p.commit(ctx); err != nil {
			return err
		}
	}
}

// stop lets nothing more in.
func (p *pipeline) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	p.room.Broadcast()
}

// commit writes the batch down and repeats that until it succeeds: nothing is read on
// meanwhile, so nothing is lost while the disk is full. If ctx ends first the batch is given up,
// and its lines will be read again; nothing may be committed after it then, or their positions
// would pass it by.
func (p *pipeline) commit(ctx context.Context) error {
	events, state := p.take()
	if len(events) == 0 && len(state) == 0 {
		return nil
	}
	failed := false
	for {
		err := p.store.Commit(events, state)
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
			return context.Cause(ctx)
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
	if len(taken.events) > mergeAbove || !p.watched() {
		taken.events = spool.Merge(taken.events)
	}
	return taken.events, taken.state
}
