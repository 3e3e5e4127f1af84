package ingest

import (
	"fmt"
	"maps"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// stuckAfter is when a loop that turns at every tick counts as stuck.
const stuckAfter = 30 * time.Second

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
