package enforce

import "time"

// Modes.
const (
	Off     = "off"     // decide nothing
	Observe = "observe" // decide, and log what would be done
	Enforce = "enforce" // do it
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
	case mode == Off:
		return stateOff
	case mode != Enforce:
		return stateObserving
	case t.Confirmed:
		return stateEnforcing
	case now.Before(t.Until) && t.Until.Sub(now) <= trialFor: // also where the clock went back
		return stateTrial
	default:
		return stateOver
	}
}

const confirmCommand = "sudo pialert-agent responses confirm"
