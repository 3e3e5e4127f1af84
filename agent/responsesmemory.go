package main

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/pialert/pialert/agent/internal/ingest"
)

// Keys of what is kept beside detection's memory.
const (
	policyKey    = "\x00responses/source/"
	pendingKey   = "\x00responses/pending/"
	announcedKey = "\x00responses/told/"
)

// Changes visits what is to be committed with the events.
func (r *responses) Changes(visit func(key string, value []byte)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.policy.Changes(func(key string, value []byte) { visit(policyKey+key, value) })
	for target := range r.moved {
		var pending, announced []byte
		if one, ok := r.pending[target]; ok {
			pending, _ = json.Marshal(one) // text and times
		}
		if until, ok := r.announced[target]; ok {
			announced, _ = until.MarshalText()
		}
		visit(pendingKey+target.String(), pending)
		visit(announcedKey+target.String(), announced)
	}
	clear(r.moved)
}

// Restore takes back what Changes visited, and says whether the key was one of its own.
func (r *responses) Restore(key string, value []byte) (own bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if source, ok := strings.CutPrefix(key, policyKey); ok {
		return true, r.policy.Restore(source, value)
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
		r.pending[target] = one
		return true, nil
	}
	var until time.Time
	if err := until.UnmarshalText(value); err != nil {
		return true, fmt.Errorf("cannot read a ban of %s: %w", target, err)
	}
	r.announced[target] = until
	return true, nil
}

// responding is a detector that also keeps what responses remember.
type responding struct {
	ingest.Detector
	responses *responses
}

// Restore implements [ingest.Detector].
func (d responding) Restore(key string, value []byte) error {
	if own, err := d.responses.Restore(key, value); own {
		return err
	}
	return d.Detector.Restore(key, value)
}

// Changes implements [ingest.Detector].
func (d responding) Changes(visit func(key string, value []byte)) {
	d.Detector.Changes(visit)
	d.responses.Changes(visit)
}
