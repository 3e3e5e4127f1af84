// Package replay decides about the past as a policy would have, and says who of those whom it would have
// banned ever logged in: people to think of before bans are enforced.
//
// # What it promises
//
//   - Events may come in any order, as of several logs; they are decided about in the order of their times.
//   - Of an event it keeps what a policy looks at and no more, in 48 bytes: a month of a busy server's
//     attacks fits.
//
// # What it refuses
//
// It reads no log and bans nobody. Events without a source or a time count nothing. Of more than two
// million events the later ones are left out, and [Past.Full] says so.
package replay

import (
	"cmp"
	"math"
	"net/netip"
	"slices"
	"time"

	"github.com/pialert/pialert/agent/internal/policy"
	"github.com/pialert/pialert/agent/internal/value"
	"github.com/pialert/pialert/pkg/attack"
)

// MaxEvents bounds what a [Past] keeps.
const MaxEvents = 2 << 20

// Past is what logs say, without what a policy does not need. The zero value is empty. It belongs to one
// goroutine.
type Past struct {
	deeds []deed
	names []string          // of rules and logs
	index map[string]uint16 // of names
}

// deed is an event as it is kept.
type deed struct {
	at        int64 // nanoseconds since 1970
	from      netip.Addr
	count     uint32
	kind      attack.Kind
	rule, log uint16
}

// maxNames bounds the names of rules and logs; those above it are empty.
const maxNames = 1 << 15

// Add keeps an event.
func (p *Past) Add(e *attack.Event) {
	if e.SourceIP.IsValid() && !e.Logged.IsZero() && !p.Full() {
		p.deeds = append(p.deeds, deed{e.Logged.UnixNano(), e.SourceIP, uint32(min(e.Count, math.MaxUint32)), e.Kind, p.name(e.Rule), p.name(e.Log)})
	}
}

// Full says whether no further event is kept.
func (p *Past) Full() bool { return len(p.deeds) >= MaxEvents }

// name returns the number of a name.
func (p *Past) name(text string) uint16 {
	if p.index == nil {
		p.index, p.names = map[string]uint16{"": 0}, []string{""}
	}
	if i, ok := p.index[text]; ok || len(p.names) >= maxNames {
		return i
	}
	p.index[text] = uint16(len(p.names))
	p.names = append(p.names, text)
	return p.index[text]
}

// Banned is somebody who would have been banned.
type Banned struct {
	Target   netip.Prefix `json:"target"`
	Bans     int          `json:"bans"`
	First    time.Time    `json:"first"`
	Last     time.Time    `json:"last"`
	Reason   string       `json:"reason"`    // of the first ban
	LoggedIn uint64       `json:"logged_in"` // how often somebody got in from there, at any time
}

// Result is what a policy would have decided.
type Result struct {
	Banned []*Banned      // who has logged in first, then by the number of bans
	Spared map[string]int // sources that are never banned, by the reason
	Events int
}

// Judge decides with a policy that knows nobody yet.
func (p *Past) Judge(by *policy.Policy) *Result {
	slices.SortStableFunc(p.deeds, func(a, b deed) int { return cmp.Compare(a.at, b.at) })
	result := &Result{Spared: map[string]int{}, Events: len(p.deeds)}
	all, spared, logins := map[netip.Prefix]*Banned{}, map[netip.Prefix]bool{}, map[netip.Prefix]uint64{}
	for _, d := range p.deeds {
		at := time.Unix(0, d.at)
		e := &attack.Event{
			Kind: d.kind, Logged: at, Observed: at, SourceIP: d.from, Count: uint64(d.count), Rule: p.names[d.rule], Log: p.names[d.log],
		}
		if d.kind == attack.SSHAccepted || d.kind == attack.LoginAccepted {
			logins[value.Source(d.from)] += uint64(max(d.count, 1))
		}
		decisions, none := by.Event(e)
		if none != nil && !spared[none.Source] {
			spared[none.Source] = true
			result.Spared[none.Why]++
		}
		for _, one := range decisions {
			known := all[one.Target]
			if known == nil {
				known = &Banned{Target: one.Target, First: at, Reason: one.Reason}
				all[one.Target] = known
				result.Banned = append(result.Banned, known)
			}
			known.Bans, known.Last = known.Bans+1, at
		}
	}
	for source, n := range logins {
		for _, one := range result.Banned {
			if one.Target.Overlaps(source) {
				one.LoggedIn += n
			}
		}
	}
	slices.SortStableFunc(result.Banned, func(a, b *Banned) int {
		return cmp.Or(cmp.Compare(b.LoggedIn, a.LoggedIn), cmp.Compare(b.Bans, a.Bans), a.Target.Addr().Compare(b.Target.Addr()))
	})
	return result
}
