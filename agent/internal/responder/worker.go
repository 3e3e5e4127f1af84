package responder

import (
	"context"
	"log/slog"
	"maps"
	"net/netip"
	"sync"
	"time"

	"github.com/pialert/pialert/agent/internal/value"
	"github.com/pialert/pialert/pkg/wake"
)

const (
	// syncEvery is how often actual state is compared with desired state without any reason to.
	syncEvery = 10 * time.Second
	// syncRest is the least pause between two looks: each of many bans notices the others.
	syncRest = 100 * time.Millisecond
)

// worker keeps one backend right.
type worker struct {
	name    string
	backend Backend
	desired func(now time.Time) (bans []Ban, allow value.Networks)
	now     func() time.Time
	logger  *slog.Logger
	wake    wake.Bell // rings when a look is due

	busy sync.Mutex // held while the backend works

	mu    sync.Mutex // guards what follows, and is never held for long
	state BackendStatus
	last  map[netip.Prefix]time.Time // what the last look made sure of
}

// add puts one ban in force at once, where the backend can. Where it cannot, or is busy, the next look
// does it.
func (w *worker) add(ban Ban, now time.Time) {
	if quick, ok := w.backend.(Quick); ok && w.busy.TryLock() {
		defer w.busy.Unlock()
		if quick.Add(ban, now) == nil {
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.last != nil {
				w.last[ban.Target] = ban.Until
			}
			return
		}
	}
	w.wake.Ring()
}

// look compares and repairs.
func (w *worker) look(ctx context.Context) {
	w.busy.Lock()
	defer w.busy.Unlock()
	now := w.now()
	bans, allow := w.desired(now)
	changed, err := w.backend.Sync(ctx, bans, allow, now)
	if err != nil && ctx.Err() != nil {
		return // it was told to stop
	}
	packets, counts := uint64(0), false
	if counting, ok := w.backend.(Counting); ok && err == nil {
		n, _, failed := counting.Dropped()
		packets, counts = n, failed == nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case err != nil && w.state.Error == "":
		w.logger.Error("cannot carry out bans; trying again", "backend", w.name, "error", err)
	case err == nil && w.state.Error != "":
		w.logger.Info("bans are carried out again", "backend", w.name)
	}
	if err != nil {
		if w.state.Failing.IsZero() {
			w.state.Failing = now
		}
		w.state.Error = err.Error()
		w.state.Failures++
		return
	}
	desired := make(map[netip.Prefix]time.Time, len(bans))
	for _, ban := range bans {
		desired[ban.Target] = ban.Until
	}
	if changed > 0 && !w.state.Synced.IsZero() && maps.Equal(desired, w.last) {
		w.state.Repaired++ // nothing was decided, so somebody else did it
	}
	if counts {
		w.state.Dropped = packets
	}
	w.state.Error, w.state.Failing, w.state.Synced, w.last = "", time.Time{}, now, desired
}

// holds says whether a ban is in force in the backend, as far as is known.
func (w *worker) holds(ban Ban) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state.Error == "" && w.last[ban.Target].Equal(ban.Until)
}

// run looks again and again until ctx ends; then the backend takes back what would not end by itself.
func (w *worker) run(ctx context.Context) error {
	tick := time.NewTicker(syncEvery)
	defer tick.Stop()
	rest := time.NewTimer(0)
	defer rest.Stop()
	for {
		select {
		case <-ctx.Done():
			return w.leave()
		case <-rest.C:
		}
		w.look(ctx)
		rest.Reset(syncRest)
		select {
		case <-ctx.Done():
			return w.leave()
		case <-w.wake:
		case <-tick.C:
		}
	}
}

// leave is the end of run.
func (w *worker) leave() error {
	w.busy.Lock()
	defer w.busy.Unlock()
	if err := w.backend.Leave(); err != nil {
		w.logger.Error("cannot take bans back that do not end by themselves", "backend", w.name, "error", err)
	}
	return nil
}

// watch has a look made whenever the backend notices something. Where it cannot notice, the looks
// every ten seconds have to do.
func (w *worker) watch(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := w.backend.Watch(ctx, w.wake.Ring); err != nil {
			w.logger.Warn("cannot watch what is in force; looking every ten seconds", "backend", w.name, "error", err)
		}
		timer := time.NewTimer(syncEvery)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
	return nil
}

func (w *worker) status() BackendStatus {
	w.mu.Lock()
	defer w.mu.Unlock()
	state := w.state
	state.Name = w.name
	return state
}

// BackendStatus is how one backend fares.
type BackendStatus struct {
	Name     string    `json:"name"`
	Synced   time.Time `json:"synced,omitzero"`        // when what is in force was last seen to be what was decided
	Repaired uint64    `json:"repaired"`               // looks that found it otherwise without a decision
	Failures uint64    `json:"failures"`               // looks that failed
	Failing  time.Time `json:"failing_since,omitzero"` // since when every look has failed
	Error    string    `json:"error,omitempty"`        // what is wrong now

	// Dropped is how many packets were dropped since what drops them was made, by a backend that counts them.
	Dropped uint64 `json:"dropped_packets,omitempty"`
}
