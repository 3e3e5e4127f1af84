package history

import (
	"context"
	"fmt"
	"time"

	"github.com/pialert/pialert/pkg/backoff"
)

// gather waits until the interval since the last commit has passed, the queue is a quarter full
// or ctx ends.
func (h *History) gather(ctx context.Context, last time.Time) {
	wait := h.options.Interval - time.Since(last)
	if last.IsZero() || wait <= 0 {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-h.full:
	case <-ctx.Done():
	}
}

// Backoff of commits that fail.
const (
	retryFirst = 500 * time.Millisecond
	retryMost  = 30 * time.Second
)

// commitGroup commits all that waits now, however long it takes. When ctx ends it makes one last
// attempt and gives up.
func (h *History) commitGroup(ctx context.Context) {
	group := h.take()
	for wait := (backoff.Backoff{First: retryFirst, Last: retryMost, Least: 0.5}); ; {
		stopping := ctx.Err() != nil
		switch err := h.tryCommit(group); {
		case err == nil:
			h.settle(group, nil)
			h.trim(eventsIn(group))
			return
		case stopping:
			h.settle(group, ErrStopped)
			return
		}
		backoff.Wait(ctx, wait.Next(), nil)
	}
}

// tryCommit makes one attempt and keeps the log quiet about a fault that lasts.
func (h *History) tryCommit(group []pending) error {
	err := h.write(group)
	if isDamage(err) {
		if err = h.repair(err); err == nil {
			err = h.write(group)
		}
	}
	if err != nil {
		if h.setFault(err.Error()) {
			h.log.Error("cannot commit events to the history; they wait, and their agents keep them",
				"file", h.options.Path, "error", err, "do", advice(err))
		}
		return err
	}
	if h.setFault("") {
		h.log.Info("the history takes events again", "file", h.options.Path)
	}
	return nil
}

// write commits the group to the file in use.
func (h *History) write(group []pending) error {
	if h.store == nil {
		return fmt.Errorf("%w: it could not be replaced yet", errDamaged)
	}
	if err := h.store.inPlace(); err != nil {
		return err
	}
	begun := time.Now()
	known, err := h.store.write(h.known, &h.crowd, group, h.takeHeard())
	if err == nil {
		h.count(time.Since(begun))
		h.copied = h.copied && len(group) == 0
		h.compareClocks(group)
	}
	if err != nil && !isDamage(err) {
		// A commit whose outcome is unknown may have succeeded: what the file says counts.
		if loaded, loadErr := h.store.load(); loadErr == nil {
			known = loaded
		}
	}
	h.set(h.store, known)
	return err
}
