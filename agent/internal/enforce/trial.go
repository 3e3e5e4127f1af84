package enforce

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// trialFile keeps it over a restart.
const trialFile = "responses.json"

// Begin finds out whether to enforce, before the first event. Where enforcing is new, or was configured
// anew after a trial that nobody confirmed, nobody counts as banned, and it begins a
// trial if somebody is logged in from another machine.
func (en *Enforcer) Begin(anew bool) error {
	en.mu.Lock()
	defer en.mu.Unlock()
	if en.mode != Enforce {
		if err := os.Remove(en.state.Path(trialFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot forget that bans were enforced: %w", err)
		}
		return nil
	}
	text, err := en.state.Read(trialFile, 1<<10)
	known := err == nil
	if known {
		err = json.Unmarshal(text, &en.trial)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot read whether bans are confirmed: %w; delete the file and confirm again", err)
	}
	state := en.trial.state(en.mode, en.now())
	en.last = state
	if known && !(anew && state == stateOver) {
		if state == stateOver {
			en.logger.Warn("observing only: nobody confirmed that bans are to be enforced", "confirm with", confirmCommand)
		}
		return nil
	}
	en.policy.Acquit()
	en.trial = trial{Confirmed: true}
	if en.logins() {
		en.trial = trial{Until: en.now().Add(trialFor)}
		en.last = stateTrial
		en.logger.Warn("enforcing on trial, since somebody is logged in from elsewhere", "until", en.trial.Until, "confirm with", confirmCommand)
	}
	return en.keepTrial()
}

func (en *Enforcer) keepTrial() error {
	text, err := json.Marshal(en.trial)
	if err == nil {
		err = en.state.Write(trialFile, text)
	}
	if err != nil {
		return fmt.Errorf("cannot keep whether bans are confirmed: %w", err)
	}
	return nil
}

// Confirm ends a trial, or what came after it, for good: bans are enforced.
func (en *Enforcer) Confirm() error {
	en.mu.Lock()
	defer en.mu.Unlock()
	if en.mode != Enforce {
		return fmt.Errorf("nothing is to be confirmed: responses.mode is %s", en.mode)
	}
	if en.trial.Confirmed {
		return nil
	}
	en.trial = trial{Confirmed: true}
	for target, one := range en.full {
		if one.Until.After(en.now()) {
			en.order(one)
		}
		delete(en.full, target)
	}
	return en.keepTrial()
}

func (en *Enforcer) loggedIn() bool {
	en.mu.Lock()
	defer en.mu.Unlock()
	seen := en.arrived
	en.arrived = false
	return seen
}

// over says whether a trial has ended since it was asked last, and drops what waits.
func (en *Enforcer) over() bool {
	en.mu.Lock()
	defer en.mu.Unlock()
	before := en.last
	en.last = en.trial.state(en.mode, en.now())
	if before != stateTrial || en.last != stateOver {
		return false
	}
	en.logger.Warn("the trial is over, and nobody confirmed it: observing", "confirm with", confirmCommand)
	for target := range en.pending {
		delete(en.pending, target)
		en.moved[target] = true
	}
	clear(en.full)
	return true
}
