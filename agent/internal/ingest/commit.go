package ingest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

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
		committed(answer)
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
func (p *Pipeline) take() ([]attack.Event, map[string][]byte, []func(error)) {
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
