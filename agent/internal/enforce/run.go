package enforce

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/pialert/pialert/agent/internal/responder"
)

const (
	// retryResponder is the pause after the responder could not be asked.
	retryResponder = time.Second
	// tendEvery is how often the responder is asked how it fares.
	tendEvery = 10 * time.Second
	// compareEvery is how often its bans are compared with whom it must not ban.
	compareEvery = time.Minute
)

// Run hands decisions over until ctx ends, and looks after what became of them.
func (en *Enforcer) Run(ctx context.Context) error {
	if en.mode == Off {
		<-ctx.Done()
		return nil
	}
	tend := time.NewTicker(tendEvery)
	defer tend.Stop()
	retry := time.NewTimer(retryResponder)
	defer retry.Stop()
	var compared time.Time
	var names telling
	for ctx.Err() == nil {
		names.tell(ctx, en)
		err := en.handOver(ctx)
		if due := en.now(); err == nil && (en.loggedIn() || due.Sub(compared) >= compareEvery || due.Before(compared)) {
			if err = en.compare(ctx); err == nil {
				compared = due
			}
		}
		en.failed(ctx, err)
		wake := (<-chan struct{})(en.wake)
		if retry.Stop(); err != nil && en.Stats().Pending > 0 {
			retry.Reset(retryResponder)
			wake = nil // more decisions do not help
		}
		select {
		case <-ctx.Done():
		case <-wake:
		case <-retry.C:
		case <-tend.C:
			if err := en.ended(); err != nil {
				en.logger.Warn("cannot tell of the end of a ban", "error", err)
			}
			if en.over() {
				compared = time.Time{}
			}
			en.tend(ctx)
		}
	}
	return nil
}

// failed notes why the responder cannot be asked, and says it once.
func (en *Enforcer) failed(ctx context.Context, err error) {
	en.mu.Lock()
	first := err != nil && en.stats.Error == ""
	if en.stats.Error = ""; err != nil {
		en.stats.Error = err.Error()
	}
	enforcing := en.mode == Enforce
	en.mu.Unlock()
	if first && enforcing && ctx.Err() == nil {
		en.logger.Error("the responder takes no decisions; they wait", "error", err)
	}
}

// handOver gives every pending decision to the responder. One that it refuses is dropped: asking again
// would not help.
func (en *Enforcer) handOver(ctx context.Context) error {
	for handed := false; ; {
		one, ok := en.next()
		if !ok {
			if handed {
				en.recount(ctx)
			}
			return nil
		}
		left := one.Until.Sub(en.now())
		if left < time.Second {
			en.forget(one.Target) // it waited too long
			continue
		}
		ban, _, err := en.responder.Ban(ctx, responder.Request{Target: one.Target, For: left, Reason: one.Reason, Evidence: one.Evidence})
		if errors.Is(err, responder.ErrRefused) {
			en.mu.Lock()
			en.stats.Refused++
			en.mu.Unlock()
			en.forget(one.Target)
			en.logger.Warn("the responder refused to ban", "source", one.Target, "error", err)
			continue
		}
		if err != nil {
			return err
		}
		en.logger.Info("banned", "source", ban.Target, "until", ban.Until, "because", ban.Reason)
		handed = true
		if err := en.banned(ban); err != nil {
			return fmt.Errorf("cannot tell of a ban: %w", err)
		}
	}
}

func (en *Enforcer) next() (one order, ok bool) {
	en.mu.Lock()
	defer en.mu.Unlock()
	for _, one := range en.pending {
		return one, true
	}
	return one, false
}

// forget drops a decision that is not carried out.
func (en *Enforcer) forget(target netip.Prefix) {
	en.mu.Lock()
	defer en.mu.Unlock()
	en.drop(target)
}
