package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/pialert/pialert/agent/internal/responder"
	"github.com/pialert/pialert/pkg/attack"
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
func (r *responses) Run(ctx context.Context) error {
	if r.mode == modeOff {
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
		names.tell(ctx, r)
		err := r.handOver(ctx)
		if due := r.now(); err == nil && (r.loggedIn() || due.Sub(compared) >= compareEvery || due.Before(compared)) {
			if err = r.compare(ctx); err == nil {
				compared = due
			}
		}
		r.failed(ctx, err)
		wake := (<-chan struct{})(r.wake)
		if retry.Stop(); err != nil && r.status().Pending > 0 {
			retry.Reset(retryResponder)
			wake = nil // more decisions do not help
		}
		select {
		case <-ctx.Done():
		case <-wake:
		case <-retry.C:
		case <-tend.C:
			if err := r.ended(); err != nil {
				r.logger.Warn("cannot tell of the end of a ban", "error", err)
			}
			if r.over() {
				compared = time.Time{}
			}
			r.tend(ctx)
		}
	}
	return nil
}

// telling is what the responder was told of names in the allow list last.
type telling struct {
	names map[string][]netip.Addr
	at    time.Time
	err   string
}

// tell tells the responder what names have, when that has changed and every minute: it may have begun anew.
// A name that nothing was found for is left out: what the responder was told before stays.
func (t *telling) tell(ctx context.Context, r *responses) {
	names := r.names()
	for name, list := range names {
		if names[name] = list[:min(len(list), responder.MaxAddresses)]; len(list) == 0 {
			delete(names, name)
		}
	}
	now := r.now()
	since := now.Sub(t.at)
	if len(names) == 0 || since >= 0 && since < compareEvery && maps.EqualFunc(names, t.names, slices.Equal[[]netip.Addr]) {
		return
	}
	err := r.client.Tell(ctx, names)
	if !errors.Is(err, responder.ErrRefused) {
		t.err = ""
	} else if t.err != err.Error() {
		t.err = err.Error()
		r.logger.Warn("the responder does not take the addresses of names in responses.allow", "error", err)
	}
	if err == nil || t.err != "" {
		t.names, t.at = names, now
	}
}

// failed notes why the responder cannot be asked, and says it once.
func (r *responses) failed(ctx context.Context, err error) {
	r.mu.Lock()
	first := err != nil && r.stats.Error == ""
	if r.stats.Error = ""; err != nil {
		r.stats.Error = err.Error()
	}
	enforcing := r.mode == modeEnforce
	r.mu.Unlock()
	if first && enforcing && ctx.Err() == nil {
		r.logger.Error("the responder takes no decisions; they wait", "error", err)
	}
}

// handOver gives every pending decision to the responder. One that it refuses is dropped: asking again
// would not help.
func (r *responses) handOver(ctx context.Context) error {
	for {
		one, ok := r.next()
		if !ok {
			return nil
		}
		left := one.Until.Sub(r.now())
		if left < time.Second {
			r.forget(one.Target) // it waited too long
			continue
		}
		ban, _, err := r.client.Ban(ctx, responder.Request{Target: one.Target, For: left, Reason: one.Reason, Evidence: one.Evidence})
		if errors.Is(err, responder.ErrRefused) {
			r.mu.Lock()
			r.stats.Refused++
			r.mu.Unlock()
			r.forget(one.Target)
			r.logger.Warn("the responder refused to ban", "source", one.Target, "error", err)
			continue
		}
		if err != nil {
			return err
		}
		r.logger.Info("banned", "source", ban.Target, "until", ban.Until, "because", ban.Reason)
		if err := r.banned(ban); err != nil {
			return fmt.Errorf("cannot tell of a ban: %w", err)
		}
	}
}

func (r *responses) next() (one order, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, one := range r.pending {
		return one, true
	}
	return one, false
}

// forget drops a decision that is not carried out.
func (r *responses) forget(target netip.Prefix) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(target)
}

// byPolicy says whether a ban was decided here, not by a person.
func byPolicy(ban responder.Ban) bool { return ban.Evidence != "" }

// compare lets those in again who must not be banned any more: who has logged in since, whom a name of the
// allow list now has, or all that were decided, where bans are no longer enforced. And whoever the
// responder no longer bans is decided about anew.
func (r *responses) compare(ctx context.Context) error {
	now := r.now()
	r.mu.Lock()
	state := r.trial.state(r.mode, now)
	r.mu.Unlock()
	enforcing := state == stateEnforcing || state == stateTrial
	banned := map[netip.Prefix]bool{}
	lift := map[netip.Prefix]string{}
	err := r.client.Bans(ctx, func(ban responder.Listed) error {
		banned[ban.Target] = true
		switch why, never := r.never.Why(ban.Target); {
		case never:
			lift[ban.Target] = why
		case byPolicy(ban.Ban) && !enforcing:
			lift[ban.Target] = "bans are not enforced"
		case byPolicy(ban.Ban) && r.welcome(ban.Target, now):
			lift[ban.Target] = "somebody logged in from there"
		}
		return nil
	})
	if err != nil {
		return err
	}
	for target, why := range lift {
		if _, err := r.client.Unban(ctx, target); err != nil && !errors.Is(err, responder.ErrNotBanned) {
			return err
		}
		r.logger.Info("let in again", "source", target, "because", why)
		if err := r.lifted(target); err != nil {
			return fmt.Errorf("cannot tell of an unban: %w", err)
		}
	}
	r.mu.Lock()
	var gone []netip.Prefix
	for target := range r.announced {
		if !banned[target] {
			gone = append(gone, target)
		}
	}
	if enforcing {
		for _, target := range r.policy.Banned(now) {
			if _, waits := r.pending[target]; !banned[target] && !waits {
				r.policy.Lift(target)
			}
		}
	}
	r.mu.Unlock()
	for _, target := range gone { // somebody else had the responder forget them
		if err := r.lifted(target); err != nil {
			return fmt.Errorf("cannot tell of an unban: %w", err)
		}
	}
	return nil
}

func (r *responses) welcome(target netip.Prefix, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.policy.Welcome(target, now)
}

// failing is what is known of a backend that fails.
type failing struct {
	since    time.Time // zero if it is well
	reported time.Time // when an event said so last
}

// tellAgain is the least time between two events of one backend's failure.
const tellAgain = time.Hour

// tend asks how the responder fares, and tells by an event of what fails.
func (r *responses) tend(ctx context.Context) {
	status, err := r.client.Status(ctx)
	if ctx.Err() != nil {
		return
	}
	failures := map[string]string{"responder": ""}
	if err != nil {
		failures["responder"] = err.Error()
	}
	for _, backend := range status.Backends {
		failures[backend.Name] = backend.Error
	}
	var tell []string
	now := r.now()
	r.mu.Lock()
	if r.stats.Bans = status.Bans; err == nil {
		r.stats.Backends = append([]responder.BackendStatus{}, status.Backends...)
	}
	for name, problem := range failures {
		known := r.backends[name]
		switch {
		case problem == "":
			known.since = time.Time{}
		case known.since.IsZero():
			known.since = now
		case r.mode == modeEnforce && now.Sub(known.reported) >= tellAgain: // twice in a row: no hiccup
			known.reported = now
			tell = append(tell, name)
		}
		r.backends[name] = known
	}
	r.mu.Unlock()
	for _, name := range tell {
		event := &attack.Event{
			Kind: attack.Fault, Severity: attack.Fault.Severity(), Rule: "responses", Log: "responses", SourceHost: name, Observed: now, Count: 1,
		}
		if err := r.do(func(emit func(*attack.Event)) { emit(event) }); err != nil {
			r.logger.Warn("cannot tell of a failing backend", "backend", name, "error", err)
		}
	}
}
