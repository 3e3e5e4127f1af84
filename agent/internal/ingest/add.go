package ingest

import (
	"context"

	"github.com/pialert/pialert/pkg/attack"
)

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

// Do calls do, which may add events that come from no line and change what the detector remembers. All of it is in
// one commit. It does not wait for room. Once the pipeline has stopped it returns [ErrStopped] and calls nothing.
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

// Commit does what [Pipeline.Do] does, but waits for room, and until the commit. If ctx ends first it returns the
// context's error, and the commit may still happen. Once the pipeline has stopped it returns [ErrStopped] and
// commits nothing.
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

// include makes what do adds part of the batch, and returns a channel that gets the result of its commit.
func (p *Pipeline) include(do func(add func(*attack.Event))) (<-chan error, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.awaitRoom() {
		return nil, ErrStopped
	}
	do(p.add)
	committed := make(chan error, 1)
	p.batch.waiting = append(p.batch.waiting, func(err error) { committed <- err })
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
