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
	"iter"
	"log/slog"
	"maps"
	"slices"
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
	// restTicks is how many ticks a commit may wait that is not urgent: of reading positions without
	// events, and of events while nobody is there to see them. After a crash those lines are read
	// again. Events of lines that cannot be read again wait for one tick at most.
	restTicks = 5
	// retryInterval is the pause after a commit that failed, such as on a full disk.
	retryInterval = time.Second
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
	Once     bool      // the lines cannot be read again
	// Committed, unless nil, is called when the chunk is committed, or with an error if it never will be. It
	// must not wait for anything.
	Committed func(error)
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
	// Watched says whether anybody is there to see what is found. While nobody is, commits are rarer
	// and events that are alike merge: a flood does not fill the store with what a few sums say as well.
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

// Positions returns the names of the sources that were ever read and not forgotten, in order.
func (p *Pipeline) Positions() []string { return slices.Sorted(maps.Keys(p.positions)) }

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
	p.batch.once = p.batch.once || chunk.Once && len(p.batch.events) > 0
	if chunk.Committed != nil {
		p.batch.waiting = append(p.batch.waiting, chunk.Committed)
	}
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
	if len(p.batch.events) > 0 || p.batch.first || chunk.Committed != nil {
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
	defer p.end()
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
			found, once := p.tick(now)
			if ticks++; ticks < restTicks && !once && !(found && p.options.Watched()) {
				continue
			}
		}
		ticks = 0
		if err := p.commit(ctx); err != nil {
			return err
		}
	}
}

// tick tells the detector the time. It returns whether events are pending, and whether some are of lines that cannot
// be read again.
func (p *Pipeline) tick(now time.Time) (found, once bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.detector.Tick(now)
	return len(p.batch.events) > 0, p.batch.once
}

// end tells those who wait for a commit that none comes any more.
func (p *Pipeline) end() {
	p.stop()
	_, _, waiting := p.take()
	for _, committed := range waiting {
		committed(ErrStopped)
	}
}

// stop lets nothing more in.
func (p *Pipeline) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	p.room.Broadcast()
}
