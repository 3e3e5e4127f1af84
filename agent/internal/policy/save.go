package policy

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"time"
)

// record is what is kept of a source.
type record struct {
	Bans    int       `json:"bans,omitempty"`
	Seen    time.Time `json:"seen"`
	Banned  time.Time `json:"banned,omitzero"`
	Welcome time.Time `json:"welcome,omitzero"`

	// Attempts that have led to nothing yet, so that nobody begins anew because the agent does.
	Attempts uint64         `json:"attempts,omitempty"`
	First    time.Time      `json:"first,omitzero"`
	Newest   int64          `json:"newest,omitempty"`
	Score    [parts]float64 `json:"score,omitzero"`
}

// Changes visits what is to be saved and differs from what was visited last, by source; a nil value
// deletes its key.
func (p *Policy) Changes(visit func(key string, value []byte)) {
	for source := range p.moved {
		element, ok := p.known[source]
		if !ok {
			visit(source.String(), nil)
			continue
		}
		o := element.Value.(*offender)
		value, err := json.Marshal(record{o.bans, o.seen, o.banned, o.welcome, o.attempts, o.first, o.newest, o.score})
		if err == nil { // numbers and times
			visit(source.String(), value)
		}
	}
	clear(p.moved)
}

// Restore takes back what Changes visited, before the first event and in any order.
func (p *Policy) Restore(key string, value []byte) error {
	source, err := netip.ParsePrefix(key)
	if err != nil || source != source.Masked() {
		return fmt.Errorf("%q is no source", key)
	}
	var r record
	if err := json.Unmarshal(value, &r); err != nil {
		return fmt.Errorf("cannot read what is kept of %s: %w", source, err)
	}
	for _, part := range r.Score {
		if !(part >= 0 && part <= 1<<40) {
			return fmt.Errorf("what is kept of %s scores %g", source, part)
		}
	}
	if r.Bans < 0 {
		return fmt.Errorf("what is kept of %s counts %d bans", source, r.Bans)
	}
	o := p.touch(source, r.Seen)
	o.bans, o.banned, o.welcome = r.Bans, r.Banned, r.Welcome
	o.attempts, o.first, o.newest, o.score = r.Attempts, r.First, r.Newest, r.Score
	if !o.banned.IsZero() || !o.welcome.IsZero() {
		p.note(o)
	}
	delete(p.moved, source)
	return nil
}
