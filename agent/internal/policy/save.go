package policy

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"time"
)

// record is what lasts of a source: who was banned, and who logged in. Attempts that led to nothing yet
// are of minutes, and are not saved.
type record struct {
	Bans    int       `json:"bans,omitempty"`
	Seen    time.Time `json:"seen"`
	Banned  time.Time `json:"banned,omitzero"`
	Welcome time.Time `json:"welcome,omitzero"`
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
		value, err := json.Marshal(record{o.bans, o.seen, o.banned, o.welcome})
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
	if r.Bans < 0 {
		return fmt.Errorf("what is kept of %s counts %d bans", source, r.Bans)
	}
	o := p.touch(source, r.Seen)
	o.bans, o.banned, o.welcome = r.Bans, r.Banned, r.Welcome
	p.note(o)
	delete(p.moved, source)
	return nil
}
