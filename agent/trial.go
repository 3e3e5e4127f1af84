package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// States of responses.
const (
	stateOff       = "off"
	stateObserving = "observing"
	stateEnforcing = "enforcing"
	stateTrial     = "on trial"
	stateOver      = "trial over" // nobody confirmed it: observing
)

// trialFor is how long a trial lasts.
const trialFor = 5 * time.Minute

// trial is what is known of enforcing: whoever sets it over SSH may lock himself out, so it ends by
// itself unless he confirms that he is still there.
type trial struct {
	Confirmed bool      `json:"confirmed"`
	Until     time.Time `json:"trial_until,omitzero"`
}

func (t trial) state(mode string, now time.Time) string {
	switch {
	case mode == modeOff:
		return stateOff
	case mode != modeEnforce:
		return stateObserving
	case t.Confirmed:
		return stateEnforcing
	case now.Before(t.Until) && t.Until.Sub(now) <= trialFor: // also where the clock went back
		return stateTrial
	default:
		return stateOver
	}
}

// trialFile keeps it over a restart.
const trialFile = "responses.json"

// begin finds out whether to enforce, before the first event. Where that is new, or set anew after a
// trial that nobody confirmed, a trial begins if somebody is logged in from elsewhere; and nobody has been
// banned before.
func (r *responses) begin(anew bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mode != modeEnforce {
		if err := os.Remove(r.state.Path(trialFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot forget that bans were enforced: %w", err)
		}
		return nil
	}
	text, err := r.state.Read(trialFile, 1<<10)
	known := err == nil
	if known {
		err = json.Unmarshal(text, &r.trial)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot read whether bans are confirmed: %w; delete the file and confirm again", err)
	}
	state := r.trial.state(r.mode, r.now())
	r.last = state
	if known && !(anew && state == stateOver) {
		if state == stateOver {
			r.logger.Warn("observing only: nobody confirmed that bans are to be enforced", "confirm with", confirmCommand)
		}
		return nil
	}
	r.policy.Acquit()
	r.trial = trial{Confirmed: true}
	if r.logins() {
		r.trial = trial{Until: r.now().Add(trialFor)}
		r.last = stateTrial
		r.logger.Warn("enforcing on trial, since somebody is logged in from elsewhere", "until", r.trial.Until, "confirm with", confirmCommand)
	}
	return r.keepTrial()
}

const confirmCommand = "sudo pialert-agent responses confirm"

func (r *responses) keepTrial() error {
	text, err := json.Marshal(r.trial)
	if err == nil {
		err = r.state.Write(trialFile, text)
	}
	if err != nil {
		return fmt.Errorf("cannot keep whether bans are confirmed: %w", err)
	}
	return nil
}

// confirm ends a trial, or what came after it, for good: bans are enforced.
func (r *responses) confirm() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mode != modeEnforce {
		return fmt.Errorf("nothing is to be confirmed: responses.mode is %s", r.mode)
	}
	if r.trial.Confirmed {
		return nil
	}
	r.trial = trial{Confirmed: true}
	for target, one := range r.full {
		if one.Until.After(r.now()) {
			r.order(one)
		}
		delete(r.full, target)
	}
	return r.keepTrial()
}

func (r *responses) loggedIn() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := r.arrived
	r.arrived = false
	return seen
}

// over says whether a trial has ended since it was asked last, and drops what waits.
func (r *responses) over() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.last
	r.last = r.trial.state(r.mode, r.now())
	if before != stateTrial || r.last != stateOver {
		return false
	}
	r.logger.Warn("the trial is over, and nobody confirmed it: observing", "confirm with", confirmCommand)
	for target := range r.pending {
		delete(r.pending, target)
		r.moved[target] = true
	}
	clear(r.full)
	return true
}
