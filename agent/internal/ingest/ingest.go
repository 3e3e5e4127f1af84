// Package ingest is a line's way from its source into the spool: lines become events, and events,
// what detection remembers and the reading positions are committed together.
//
// What it promises: events, memory and positions of the same lines are in one commit, so that after
// a crash all three go back together and the lines are read again. A commit that fails, as on a
// full disk, is repeated until it succeeds, and no line is read meanwhile; if the agent is stopped
// first, nothing later is committed either. Sources wait while too much is pending: memory and the
// size of a commit are bounded whatever is attacked. Where more is found than can be kept one by
// one, events that are alike become one with the sum of their counts; the sum is exact.
//
// What it refuses: lines and events once [Pipeline.Run] has ended.
package ingest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/wake"
)

const (
	// tickInterval is how often the detector looks at the clock: what waits for a later line of its
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

// Keys under which the store keeps what is no event.
const (
	positionKey = "position/"
	memoryKey   = "memory/"
)

// ErrStopped says that an event came too late to be committed.
var ErrStopped = errors.New("the agent is stopping or reloading; try again")

// Chunk is a run of whole lines from one source and the position behind them.
type Chunk struct {
	Name     string    // configured name of the source
	Source   string    // key of the position
	Data     []byte    // lines, each ending in '\n'; only valid during the call
	Position []byte    // where reading goes on; nil if the source has no positions
	Forget   bool      // the source is gone for good, and with it what is kept of it
	Observed time.Time // when the lines were read
}

// Detector finds events in lines. Its methods are called by one goroutine at a time.
type Detector interface {
	// Restore takes back what Changes gave, before the first line.
	Restore(key string, value []byte) error
	// Feed looks at the lines of a chunk. The chunk is not valid after the call.
	Feed(chunk Chunk)
	// Forget drops what is remembered of the chunk's source.
	Forget(chunk Chunk)
	// Tick tells the time.
	Tick(now time.Time)
	// Changes visits what is to be remembered and differs from what was visited last; a nil value
	// deletes its key.
	Changes(visit func(key string, value []byte))
}

// Store makes events durable together with changed state, or does neither and says why; the same
// call is then repeated. An error wrapping [os.ErrClosed] is final.
type Store interface {
	Commit(events []attack.Event, state map[string][]byte) error
}

// Options say what a pipeline connects.
type Options struct {
	// Detector makes the detector. It hands the events that it finds to emit, within its methods.
	Detector func(emit func(*attack.Event)) (Detector, error)
	Store    Store
	// State is what the store kept of earlier commits.
	State iter.Seq2[string, []byte]
	// Watched says whether anybody is there to see what is found: while nobody is, commits are
	// rarer and alike events merge, so that a flood does not fill the store with what few numbers
	// say.
	Watched func() bool
	Logger  *slog.Logger
}

// Pipeline is one run of detecting and committing. Its methods may be called from any goroutine, Run
// once.
type Pipeline struct {
	options   Options
	positions map[string][]byte // as they were at the start

	mu       sync.Mutex
	detector Detector
	room     *sync.Cond // signalled when the batch was taken, or nothing more is accepted
	batch    batch
	stopped  bool
	wake     wake.Bell // rings when the batch should be committed soon
	found    Counts
	stored   map[string]bool // sources of which a batch has had a position
	fault    atomic.Pointer[Fault]
	lastTurn atomic.Int64 // when the loop last came round, in Unix nanoseconds
}

// Fault is why nothing can be committed now.
type Fault struct {
	Since time.Time
	Err   error
}

// Counts says how many events were found since the start of a pipeline.
type Counts struct {
	Logs  map[string]map[attack.Kind]uint64 // by log; fired events have none
	Kinds map[attack.Kind]uint64
	Hosts map[string]uint64 // events of machines other than the agent's; of those above maxHosts under ""
}

// maxHosts bounds the machines that are counted by name.
const maxHosts = 1000

func newCounts() Counts {
	return Counts{map[string]map[attack.Kind]uint64{}, map[attack.Kind]uint64{}, map[string]uint64{}}
}

// New returns a pipeline whose detector remembers what the store kept. It starts nothing.
func New(options Options) (*Pipeline, error) {
	p := &Pipeline{
		options: options, positions: map[string][]byte{}, wake: wake.New(),
		batch: newBatch(), stored: map[string]bool{},
		found: newCounts(),
	}
	p.room = sync.NewCond(&p.mu)
	p.lastTurn.Store(time.Now().UnixNano())
	var err error
	if p.detector, err = options.Detector(p.add); err != nil {
		return nil, err
	}
	for key, value := range options.State {
		if source, ok := strings.CutPrefix(key, positionKey); ok {
			p.positions[source] = value
		}
		if memory, ok := strings.CutPrefix(key, memoryKey); ok {
			if err := p.detector.Restore(memory, value); err != nil {
				options.Logger.Warn("cannot restore what was remembered of a log; an attempt across this restart may count twice", "error", err)
			}
		}
	}
	return p, nil
}

// Position returns where reading a source goes on, if it was ever read.
func (p *Pipeline) Position(source string) ([]byte, bool) {
	position, ok := p.positions[source]
	return position, ok
}

// add takes an event of the detector; p.mu is held.
func (p *Pipeline) add(e *attack.Event) {
	kept := *e
	kept.FixTimes() // a clock that is wrong by decades costs no event
	p.batch.events = append(p.batch.events, kept)
	if p.found.Logs[e.Log] == nil {
		p.found.Logs[e.Log] = map[attack.Kind]uint64{}
	}
	p.found.Logs[e.Log][e.Kind]++
	p.found.Kinds[e.Kind]++
	if e.Host != "" {
		host := e.Host
		if _, known := p.found.Hosts[host]; !known && len(p.found.Hosts) >= maxHosts {
			host = ""
		}
		p.found.Hosts[host]++
	}
}

// Add takes an event that comes from no line, such as one that a person fires. Once the pipeline has
// stopped it returns [ErrStopped].
func (p *Pipeline) Add(e *attack.Event) error {
	return p.Do(func(add func(*attack.Event)) { add(e) })
}

// Do lets do add events that come from no line, and change what the detector remembers, in one step: either
// all of it is committed, or nothing is. It waits for no room. Once the pipeline has stopped it returns
// [ErrStopped].
func (p *Pipeline) Do(do func(add func(*attack.Event))) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return ErrStopped
	}
	do(p.add)
	p.wake.Ring()
	return nil
}

// Commit is [Pipeline.Do], but waits for room and returns once all of it is committed. Where nothing can be
// committed it waits, until ctx ends: then it may be committed later. Once the pipeline has stopped it returns
// [ErrStopped] and commits nothing.
func (p *Pipeline) Commit(ctx context.Context, do func(add func(*attack.Event))) error {
	committed, err := p.include(do)
	if err != nil {
		return err
	}
	select {
	case err := <-committed:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// include makes what is done part of the batch, and returns what tells when that is committed.
func (p *Pipeline) include(do func(add func(*attack.Event))) (<-chan error, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.awaitRoom() {
		return nil, ErrStopped
	}
	do(p.add)
	committed := make(chan error, 1)
	p.batch.waiting = append(p.batch.waiting, committed)
	p.batch.grow(0)
	p.wake.Ring()
	return committed, nil
}

// awaitRoom waits while the batch is full, and says whether the pipeline still takes something; p.mu is held.
func (p *Pipeline) awaitRoom() bool {
	for p.batch.full && !p.stopped {
		p.room.Wait()
	}
	return !p.stopped
}

// Feed looks at a chunk, and waits while too much is pending. Once the pipeline has stopped it
// returns [context.Canceled]; the chunk's position will not be committed then.
func (p *Pipeline) Feed(_ context.Context, chunk Chunk) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.awaitRoom() {
		return context.Canceled
	}
	p.detector.Feed(chunk)
	p.batch.grow(len(chunk.Data))
	key := positionKey + chunk.Source
	switch {
	case chunk.Forget:
		p.detector.Forget(chunk)
		p.batch.state[key] = nil
		delete(p.found.Logs, chunk.Source)
		delete(p.stored, chunk.Source)
	case chunk.Position != nil:
		p.batch.state[key] = append([]byte(nil), chunk.Position...)
		if !p.stored[chunk.Source] {
			p.stored[chunk.Source], p.batch.first = true, true
		}
	}
	if len(p.batch.events) > 0 || p.batch.first {
		p.wake.Ring()
	}
	return nil
}

// urgent says whether the batch cannot wait for somebody to watch.
func (p *Pipeline) urgent() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.batch.full || p.batch.first || len(p.batch.waiting) > 0
}

// Run commits batches until ctx ends, then commits what is left and returns nil. Sources that wait
// in Feed are let go. It fails when the store does for good, or ctx ends while it fails.
func (p *Pipeline) Run(ctx context.Context) error {
	defer p.stop()
	tick := time.NewTicker(tickInterval)
	defer tick.Stop()
	for ticks := 0; ; {
		p.turn()
		select {
		case <-ctx.Done():
			p.stop()
			return p.commit(ctx)
		case <-p.wake:
			if !p.options.Watched() && !p.urgent() {
				continue
			}
		case now := <-tick.C:
			found := p.tick(now)
			if ticks++; ticks < restTicks && !(found && p.options.Watched()) {
				continue
			}
		}
		ticks = 0
		if err := p.commit(ctx); err != nil {
			return err
		}
	}
}

// tick tells the detector the time, and says whether events are pending.
func (p *Pipeline) tick(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.detector.Tick(now)
	return len(p.batch.events) > 0
}

// stop lets nothing more in.
func (p *Pipeline) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	p.room.Broadcast()
}

// commit writes the batch down and repeats that until it succeeds: nothing is read on
// meanwhile, so nothing is lost while the disk is full. If ctx ends first the batch is given up,
// and its lines will be read again; nothing may be committed after it then, or their positions
// would pass it by.
func (p *Pipeline) commit(ctx context.Context) error {
	events, state, waiting := p.take()
	err := p.store(ctx, events, state)
	answer := err
	if err != nil {
		answer = ErrStopped
	}
	for _, committed := range waiting {
		committed <- answer
	}
	return err
}

// store commits until that succeeds, or ctx ends.
func (p *Pipeline) store(ctx context.Context, events []attack.Event, state map[string][]byte) error {
	if len(events) == 0 && len(state) == 0 {
		return nil
	}
	for failed := false; ; failed = true {
		err := p.options.Store.Commit(events, state)
		if err == nil {
			p.fault.Store(nil)
		}
		switch {
		case err == nil && failed:
			p.options.Logger.Info("the spool can be written again")
			return nil
		case err == nil:
			return nil
		case errors.Is(err, os.ErrClosed):
			return fmt.Errorf("cannot keep events: %w", err)
		case !failed:
			p.fault.Store(&Fault{time.Now(), err})
			p.options.Logger.Error("cannot write the spool; no log is read on until it can be", "error", err)
		}
		p.turn()
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(retryInterval):
		}
	}
}

// take empties the batch, with what the detector's memory changed.
func (p *Pipeline) take() ([]attack.Event, map[string][]byte, []chan<- error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.detector.Changes(func(key string, value []byte) { p.batch.state[memoryKey+key] = value })
	taken := p.batch
	p.batch = newBatch()
	p.room.Broadcast()
	if len(taken.events) > mergeAbove || !p.options.Watched() {
		taken.events = merge(taken.events)
	}
	return taken.events, taken.state, taken.waiting
}

// Counts returns how many events were found since the start.
func (p *Pipeline) Counts() Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	counts := newCounts()
	counts.Kinds, counts.Hosts = maps.Clone(p.found.Kinds), maps.Clone(p.found.Hosts)
	for log, kinds := range p.found.Logs {
		counts.Logs[log] = maps.Clone(kinds)
	}
	return counts
}

// Inspect calls look while the detector rests, so that look may ask it.
func (p *Pipeline) Inspect(look func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	look()
}

// Fault returns why nothing can be committed, nil if it can: while the disk is full, for example, no log is
// read on.
func (p *Pipeline) Fault() *Fault { return p.fault.Load() }

func (p *Pipeline) turn() { p.lastTurn.Store(time.Now().UnixNano()) }

// Alive returns an error if the loop has not come round for so long that it must be stuck. A
// disk that cannot be written is no reason: a restart would not help.
func (p *Pipeline) Alive(now time.Time) error {
	if silent := now.Sub(time.Unix(0, p.lastTurn.Load())); silent > stuckAfter {
		return fmt.Errorf("the pipeline has not moved for %s", silent.Round(time.Second))
	}
	return nil
}
