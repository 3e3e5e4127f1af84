package enforce

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Keys of what is kept beside detection's memory.
const (
	policyKey    = "\x00responses/source/"
	pendingKey   = "\x00responses/pending/"
	announcedKey = "\x00responses/told/"
)

// Changes visits what is to be committed with the events.
func (en *Enforcer) Changes(visit func(key string, value []byte)) {
	en.mu.Lock()
	defer en.mu.Unlock()
	en.policy.Changes(func(key string, value []byte) { visit(policyKey+key, value) })
	for target := range en.moved {
		var pending, announced []byte
		if one, ok := en.pending[target]; ok {
			pending, _ = json.Marshal(one) // text and times
		}
		if until, ok := en.announced[target]; ok {
			announced, _ = until.MarshalText()
		}
		visit(pendingKey+target.String(), pending)
		visit(announcedKey+target.String(), announced)
	}
	clear(en.moved)
}

// Restore takes back what Changes visited, and says whether the key was one of its own.
func (en *Enforcer) Restore(key string, value []byte) (own bool, err error) {
	en.mu.Lock()
	defer en.mu.Unlock()
	if source, ok := strings.CutPrefix(key, policyKey); ok {
		return true, en.policy.Restore(source, value)
	}
	text, pending := strings.CutPrefix(key, pendingKey)
	if !pending {
		var announced bool
		if text, announced = strings.CutPrefix(key, announcedKey); !announced {
			return false, nil
		}
	}
	target, err := netip.ParsePrefix(text)
	if err != nil {
		return true, fmt.Errorf("cannot read a ban of %q: %w", text, err)
	}
	if pending {
		var one order
		if err := json.Unmarshal(value, &one); err != nil || one.Target != target {
			return true, fmt.Errorf("cannot read a decision about %s: %v", target, err)
		}
		en.pending[target] = one
		return true, nil
	}
	var until time.Time
	if err := until.UnmarshalText(value); err != nil {
		return true, fmt.Errorf("cannot read a ban of %s: %w", target, err)
	}
	en.announced[target] = until
	return true, nil
}
