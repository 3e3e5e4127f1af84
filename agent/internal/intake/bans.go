package intake

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/pialert/pialert/agent/internal/value"
	"github.com/pialert/pialert/pkg/attack"
)

const (
	// maxBans bounds the bans that are remembered; above it the one that was reported first goes. As many
	// may wait for their report.
	maxBans = 1 << 14
	// maxJails bounds the jails that are known to report; above it the one that did longest ago goes.
	maxJails = 1 << 10
	// again is how long a ban that was lifted with all others of its jail is awaited anew before it is
	// reported as lifted: as long as fail2ban, or the machine, may take to start.
	again = 5 * time.Minute
	// slack is for how long beyond its end a ban is remembered, if nobody reports that it was lifted.
	slack = time.Hour
	// pairing is how long the line of a log and a report may lie apart that say the same.
	pairing = time.Minute
)

// Bans knows which bans hold, so that each becomes one event: whether it is reported again, as fail2ban does
// when it starts, or stands in fail2ban's log besides. It belongs to one goroutine at a time.
type Bans struct {
	known   map[banKey]*ban
	order   uint64
	jails   map[jailKey]time.Time // that report by themselves, since when they last did
	waiting map[banKey]*awaited   // bans in the log of such a jail, of which the report is to come
	moved   map[banKey]bool       // since Changes, of known
	waited  map[banKey]bool       // since Changes, of waiting
	started time.Time             // the first time that is known
}

// ban is one that holds, or was lifted lately.
type ban struct {
	Order  uint64    `json:"order"`
	Until  time.Time `json:"until,omitzero"`  // when it is forgotten; zero is never
	Lifted time.Time `json:"lifted,omitzero"` // with all others of its jail; announced later
	Over   bool      `json:"over,omitempty"`  // it was lifted, and announced
	Report bool      `json:"report,omitempty"`
}

// NewBans returns a Bans that knows none.
func NewBans() *Bans {
	return &Bans{
		known: map[banKey]*ban{}, jails: map[jailKey]time.Time{}, waiting: map[banKey]*awaited{},
		moved: map[banKey]bool{}, waited: map[banKey]bool{},
	}
}

// Report takes a report and adds its event, unless it was made before.
func (b *Bans) Report(r *Report, now time.Time, add func(*attack.Event)) {
	jail := jailKey{r.Jail, r.Host}
	key := banKey{jail, value.Normal(r.Source)}
	switch {
	case r.Action == ReportAttempt:
		add(r.event(now))
	case r.All:
		b.reports(jail, now)
		b.liftAll(jail, now, add)
	case r.Action == ReportBan:
		b.reports(jail, now)
		b.settle(key)
		if !b.holds(key) {
			add(r.event(now))
		}
		until := time.Time{}
		if r.For > 0 {
			until = now.Add(min(r.For, 100*365*24*time.Hour) + slack)
		}
		b.put(key, ban{Until: until, Report: true})
	default:
		b.reports(jail, now)
		if waiting := b.settle(key); waiting != nil {
			add(waiting.Ban.event(key, attack.Ban)) // its own report did not come through
		} else if known := b.known[key]; known != nil && known.Over {
			return
		}
		add(r.event(now))
		b.put(key, ban{Over: true, Until: now.Add(pairing), Report: true})
	}
}

// Logged takes an event that was read in a log of fail2ban's, and says whether to send it now. Where its
// jail reports by itself, the report is awaited instead.
func (b *Bans) Logged(e *attack.Event, now time.Time) bool {
	info, ok := e.Detail.(attack.BanInfo)
	if !ok || !e.SourceIP.IsValid() {
		return true
	}
	key := banKey{jailKey{info.Jail, e.Host}, netip.PrefixFrom(e.SourceIP, e.SourceIP.BitLen())}
	_, reports := b.jails[key.jailKey]
	known, waiting := b.known[key], b.waiting[key]
	switch {
	case e.Kind == attack.Ban && (b.holds(key) || waiting != nil):
		return false
	case e.Kind == attack.Ban && reports && len(b.waiting) < maxBans:
		b.await(key, &awaited{At: now, Ban: newLine(e)})
		return false
	case e.Kind == attack.Ban:
		// Nobody says how long it lasts; a report of the same follows at once, or none does.
		b.put(key, ban{Until: now.Add(pairing)})
		return true
	case waiting != nil:
		waiting.Unban = newLine(e)
		b.await(key, waiting)
		return false
	case reports || known != nil && known.Over:
		return false
	}
	b.put(key, ban{Over: true, Until: now.Add(pairing)})
	return true
}

// holds says whether a ban is known to hold; one that was lifted with all others does again.
func (b *Bans) holds(key banKey) bool {
	known := b.known[key]
	return known != nil && !known.Over
}

// reports notes that a jail reports by itself.
func (b *Bans) reports(jail jailKey, now time.Time) {
	if _, ok := b.jails[jail]; !ok && len(b.jails) >= maxJails {
		var first jailKey
		oldest := now
		for other, at := range b.jails {
			if !at.After(oldest) {
				first, oldest = other, at
			}
		}
		delete(b.jails, first)
	}
	b.jails[jail] = now
}

// liftAll notes that every ban of a jail was lifted. What waited for its report gets none any more.
func (b *Bans) liftAll(jail jailKey, now time.Time, add func(*attack.Event)) {
	for key := range b.waiting {
		if key.jailKey == jail {
			add(b.settle(key).Ban.event(key, attack.Ban))
			b.put(key, ban{Report: true})
		}
	}
	for key, known := range b.known {
		if key.jailKey == jail && !known.Over && known.Lifted.IsZero() {
			known.Lifted = now
			b.moved[key] = true
		}
	}
}

// put remembers a ban.
func (b *Bans) put(key banKey, known ban) {
	if _, ok := b.known[key]; !ok && len(b.known) >= maxBans {
		var first banKey
		for other, known := range b.known {
			if b.known[first] == nil || known.Order < b.known[first].Order {
				first = other
			}
		}
		b.drop(first)
	}
	b.order++
	known.Order = b.order
	b.known[key], b.moved[key] = &known, true
}

func (b *Bans) drop(key banKey) {
	delete(b.known, key)
	b.moved[key] = true
}

// Tick forgets what is over, and adds the events that waited for nothing.
func (b *Bans) Tick(now time.Time, add func(*attack.Event)) {
	if b.started.IsZero() {
		b.started = now
	}
	for key, known := range b.known {
		switch {
		case !known.Lifted.IsZero() && now.Sub(known.Lifted) >= again && now.Sub(b.started) >= again:
			report := Report{Action: ReportUnban, Source: key.source, Jail: key.jail, Host: key.host}
			e := report.event(now)
			e.Logged = known.Lifted
			add(e)
			b.put(key, ban{Over: true, Until: now.Add(pairing), Report: true})
		case !known.Until.IsZero() && !now.Before(known.Until):
			b.drop(key)
		}
	}
	for key, waiting := range b.waiting {
		if waited := now.Sub(waiting.At); waited >= 0 && waited < pairing {
			continue
		}
		b.settle(key)
		delete(b.jails, key.jailKey) // it reports no more
		add(waiting.Ban.event(key, attack.Ban))
		if waiting.Unban != nil {
			add(waiting.Unban.event(key, attack.Unban))
		}
		b.put(key, ban{Over: waiting.Unban != nil, Until: now.Add(pairing)})
	}
}

// Changes visits what is to be remembered and differs from what was visited last; a nil value deletes
// its key. Which jails report is known from their bans, and from the next report.
func (b *Bans) Changes(visit func(key string, value []byte)) {
	for key := range b.waited {
		visitJSON(visit, waitPrefix+key.String(), b.waiting[key])
	}
	clear(b.waited)
	for key := range b.moved {
		visitJSON(visit, key.String(), b.known[key])
	}
	clear(b.moved)
}

// visitJSON visits a key's value, or that there is none.
func visitJSON[T any](visit func(key string, value []byte), key string, value *T) {
	if value == nil {
		visit(key, nil)
	} else if encoded, err := json.Marshal(value); err == nil {
		visit(key, encoded)
	}
}

// Restore takes back what Changes visited, before the first report.
func (b *Bans) Restore(name string, value []byte) error {
	name, waits := strings.CutPrefix(name, waitPrefix)
	key, err := parseKey(name)
	if err != nil {
		return err
	}
	if waits {
		var waiting awaited
		if err := json.Unmarshal(value, &waiting); err != nil || waiting.Ban == nil {
			return fmt.Errorf("cannot restore a ban that waits for its report: %q (%w)", value, err)
		}
		b.waiting[key] = &waiting
		b.jails[key.jailKey] = time.Time{}
		return nil
	}
	var known ban
	if err := json.Unmarshal(value, &known); err != nil {
		return fmt.Errorf("cannot restore a ban: %w", err)
	}
	b.known[key], b.order = &known, max(b.order, known.Order)
	if known.Report {
		b.jails[key.jailKey] = time.Time{}
	}
	return nil
}

// Len returns how many bans are known to hold.
func (b *Bans) Len() (held int) {
	for _, known := range b.known {
		if !known.Over {
			held++
		}
	}
	return held
}
