package notice

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/pialert/pialert/display/internal/notice/channel"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/plural"
)

// gatherTime is how long the first event of a message waits for those that come with it.
const gatherTime = 3 * time.Second

// kept is what a rule remembers, across restarts too.
type kept struct {
	Sent    []time.Time       // the last messages, within the bound's span
	Held    group             // what is to be sent
	Windows windows           // of a rise
	Silent  map[string]bool   // who was reported silent
	Dropped map[string]uint64 // what was reported as dropped, by agent
	Known   map[string]bool   // networks that had a success
	Failing map[string]bool   // channels that were reported as failing
	Digest  time.Time         // until when the last digest reaches
}

// planner decides what is sent, and when. It is pure: records, observations and times come in,
// messages go out.
type planner struct {
	rules  []rule
	config Config
	zone   *time.Location
	lamp   func(agent string, event *attack.Event) string
	state  map[string]*kept // by rule
}

// planned is a message for a rule's channels.
type planned struct {
	to      []string
	message channel.Message
}

// newPlanner goes on from a state that was kept; a rule that is not in it starts anew.
func newPlanner(c Config, zone *time.Location, lamp func(string, *attack.Event) string, state map[string]*kept, now time.Time) *planner {
	p := &planner{config: c, zone: zone, lamp: lamp, state: map[string]*kept{}}
	for _, one := range c.Rules {
		p.addRule(compile(one), state, now)
	}
	if !slices.ContainsFunc(c.Rules, func(r RuleConfig) bool { return r.When != nil && r.When.Failed }) {
		for _, one := range c.Channels { // whoever does not fail tells it
			p.addRule(compile(RuleConfig{To: []string{one.Name}, When: &When{Failed: true}}), state, now)
		}
	}
	return p
}

func (p *planner) addRule(r rule, state map[string]*kept, now time.Time) {
	p.rules = append(p.rules, r)
	one := state[r.key]
	if one == nil {
		one = &kept{Digest: now}
	}
	for _, m := range []*map[string]bool{&one.Silent, &one.Known, &one.Failing} {
		if *m == nil {
			*m = map[string]bool{}
		}
	}
	if one.Windows == nil {
		one.Windows = windows{}
	}
	if one.Dropped == nil {
		one.Dropped = map[string]uint64{}
	}
	p.state[r.key] = one
}

// feed looks at an event.
func (p *planner) feed(record *Record, now time.Time) {
	for i := range p.rules {
		r := &p.rules[i]
		if !r.matches(record) {
			continue
		}
		k := p.state[r.key]
		switch {
		case r.When.Attempts > 0:
			p.rise(r, k, record, now)
		case r.When.First && !k.first(record):
		default:
			k.Held.add(record, now)
		}
	}
}

// maxKnown bounds the networks whose successes are remembered.
const maxKnown = 4096

// first says whether a success is the first of its network.
func (k *kept) first(record *Record) bool {
	name := networkOf(record.Event.SourceIP)
	if name == "" || k.Known[name] {
		return false
	}
	if len(k.Known) < maxKnown {
		k.Known[name] = true
	}
	return true
}

// rise counts an attempt, and takes note when there are too many.
func (p *planner) rise(r *rule, k *kept, record *Record, now time.Time) {
	name := ""
	switch r.When.By {
	case byLamp:
		name = p.lamp(record.Agent, &record.Event)
	case byAgent:
		name = record.Agent
	case byKind:
		name = record.Event.Kind.String()
	case byNetwork:
		name = networkOf(record.Event.SourceIP)
	}
	span := time.Duration(r.When.Within)
	w := k.Windows.add(name, record.Event.Count, record.Arrived, span)
	if !w.Risen && w.sum() >= r.When.Attempts {
		w.Risen, w.Total, w.Begun = true, w.sum(), record.Arrived
		k.Held.say(fmt.Sprintf("%s within %s%s", plural.Count(w.Total, "attempt"), spanText(span), about(r.When.By, name)), attack.Medium, now)
	}
	if w.Risen {
		k.Held.add(record, now)
	}
}

// about names what a rise is of.
func about(by, name string) string {
	switch {
	case by == "":
		return ""
	case name == "":
		return ", of no " + by
	}
	return fmt.Sprintf(", %s %s", by, name)
}

// observed is what the rules look at besides events.
type observed struct {
	heard   []Heard
	dropped []Dropped
	health  health
}

// health says of channels how they fare. Of those that are not in it nothing is known yet.
type health map[string]fare

type fare int

const (
	fails fare = iota // for an hour
	works             // it took its last message
)

// tick looks at what is no event.
func (p *planner) tick(o observed, now time.Time) {
	for i := range p.rules {
		r := &p.rules[i]
		k := p.state[r.key]
		switch w := r.When; {
		case w == nil:
		case w.Silent > 0:
			k.silence(w.listens(o.heard), time.Duration(w.Silent), now)
		case w.Dropped:
			k.drops(o.dropped, now)
		case w.Failed:
			k.failures(o.health, r.To, now)
		case w.Attempts > 0:
			k.ends(r.When, now)
		}
	}
}

// listens chooses whose silence a rule is about.
func (w *When) listens(all []Heard) (chosen []Heard) {
	for _, one := range all {
		named := slices.Contains(w.Logs, one.Log) || slices.Contains(w.Logs, "*")
		if (one.Log != "") == (len(w.Logs) > 0) && (one.Log == "" || named) {
			chosen = append(chosen, one)
		}
	}
	return chosen
}

// silence tells who has fallen silent, and who is back.
func (k *kept) silence(all []Heard, limit time.Duration, now time.Time) {
	known := map[string]bool{}
	for _, one := range all {
		what := one.Name + " " + cmp.Or(one.State, "has been silent")
		known[what] = true
		silent := now.Sub(one.Since) > limit
		switch {
		case silent && !k.Silent[what]:
			k.Silent[what] = true
			k.Held.say(fmt.Sprintf("%s for %s", what, spanText(now.Sub(one.Since))), attack.High, now)
		case !silent && one.Alive && k.Silent[what]: // a restart alone brings nobody back
			delete(k.Silent, what)
			k.Held.say(one.Name+" is back again", attack.Medium, now)
		}
	}
	if len(k.Silent) > maxSilent { // those that are not there now may come back, be it as silent
		maps.DeleteFunc(k.Silent, func(name string, _ bool) bool { return !known[name] })
	}
}

// maxSilent is how many silent ones are remembered whatever becomes of them.
const maxSilent = 1024

// drops tells what agents had to drop since the last notice.
func (k *kept) drops(all []Dropped, now time.Time) {
	for _, one := range all {
		before, ok := k.Dropped[one.Agent]
		if ok && one.Attempts > before {
			k.Held.say(fmt.Sprintf("%s had to drop events of %s: its spool was full while no display was there", one.Agent, plural.Count(one.Attempts-before, "attempt")), attack.Medium, now)
		}
		k.Dropped[one.Agent] = one.Attempts
	}
}

// failures tells which other channels fail, and which work again.
func (k *kept) failures(all health, to []string, now time.Time) {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		switch {
		case all[name] == fails && !k.Failing[name] && !slices.Equal(to, []string{name}):
			k.Failing[name] = true
			k.Held.say(fmt.Sprintf("notices by %s have failed for an hour: see pialert-display notices list", name), attack.High, now)
		case all[name] == works && k.Failing[name]:
			delete(k.Failing, name)
			k.Held.say(fmt.Sprintf("notices by %s arrive again", name), attack.Low, now)
		}
	}
}

// ends tells which rises are over.
func (k *kept) ends(w *When, now time.Time) {
	for _, name := range slices.Sorted(maps.Keys(k.Windows)) {
		one := k.Windows[name]
		one.move(sliceOf(now, time.Duration(w.Within)))
		sum := one.sum()
		if one.Risen && sum < w.Attempts/2 {
			k.Held.say(fmt.Sprintf("over after %s in %s%s", plural.Count(one.Total, "attempt"), spanText(now.Sub(one.Begun)), about(w.By, name)), attack.Low, now)
			one.Risen = false
		}
		if sum == 0 && !one.Risen {
			delete(k.Windows, name)
		}
	}
}

// due returns the messages that are to be sent now, and forgets what they tell.
func (p *planner) due(now time.Time) (all []planned) {
	for i := range p.rules {
		r := &p.rules[i]
		k := p.state[r.key]
		k.Sent = slices.DeleteFunc(k.Sent, func(at time.Time) bool {
			age := now.Sub(at)
			return age >= p.config.AtMost.Per || age < 0 // a clock that went back owes nobody a pause
		})
		waited := now.Sub(k.Held.Since)
		if k.Held.empty() || waited >= 0 && waited < gatherTime || len(k.Sent) >= p.config.AtMost.Most || p.quiet(k.Held.Severity, now) {
			continue
		}
		all = append(all, planned{r.To, k.Held.message(now.In(p.zone), p.config.Link)})
		k.Held = group{}
		k.Sent = append(k.Sent, now)
	}
	return all
}

// quiet says whether nothing of a severity is sent now.
func (p *planner) quiet(s attack.Severity, now time.Time) bool {
	local := now.In(p.zone)
	minute := Clock(local.Hour()*60 + local.Minute())
	for _, q := range p.config.Quiet {
		within := minute >= q.From && minute < q.To
		if q.From > q.To {
			within = minute >= q.From || minute < q.To
		}
		if but, _ := severity(q.But); within && (but == 0 || s < but) {
			return true
		}
	}
	return false
}
