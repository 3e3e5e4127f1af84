package policy

import (
	"container/list"
	"fmt"
	"math"
	"net/netip"
	"time"

	"github.com/pialert/pialert/agent/internal/value"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/plural"
)

// Decision is that a source is to be banned.
type Decision struct {
	Target   netip.Prefix // an IPv4 address, the /64 of an IPv6 address, or a network
	For      time.Duration
	Reason   string // in words
	Evidence Evidence
}

// Evidence is what a decision rests on.
type Evidence struct {
	Kind  attack.Kind
	Rule  string
	Log   string
	First time.Time
	Last  time.Time
}

// Never says who is exempt from bans. Why says whether a source is never banned, and the reason; it is
// asked for each ban that is about to be decided.
type Never interface {
	Why(source netip.Prefix) (reason string, never bool)
}

// Policy decides. Its zero value is not usable.
type Policy struct {
	config Config
	never  Never
	known  map[netip.Prefix]*list.Element // of *offender
	fresh  *list.List                     // those with nothing that lasts, the one that was seen last in front
	noted  *list.List                     // those that were banned, likewise
	guests *list.List                     // those that logged in, likewise: whoever attacks takes no room of theirs
	nets   map[netip.Prefix]time.Time     // banned networks, until when
	near   map[netip.Prefix]neighbours    // those that were banned or logged in, by network
	moved  map[netip.Prefix]bool          // sources of which something has changed since Changes
}

// New returns a policy that knows nobody. The configuration must be valid.
func New(c Config, never Never) *Policy {
	return &Policy{config: c, never: never, known: map[netip.Prefix]*list.Element{}, fresh: list.New(), noted: list.New(), guests: list.New(), nets: map[netip.Prefix]time.Time{}, near: map[netip.Prefix]neighbours{}, moved: map[netip.Prefix]bool{}}
}

// Spared is a ban that was not decided, since its source is never banned.
type Spared struct {
	Source netip.Prefix
	Why    string
}

// Event looks at one event. It returns the decisions that follow, none as a rule, and whom it spared.
// An event counts when it was logged: what is read after an absence bans for what is left of the ban.
func (p *Policy) Event(e *attack.Event) (decisions []Decision, spared *Spared) {
	if e.Test || !e.SourceIP.IsValid() {
		return nil, nil
	}
	now := happened(e)
	o := p.touch(value.Source(e.SourceIP), e.Observed)
	switch {
	case Welcomes(e):
		o.welcome, o.score, o.attempts = now, [parts]float64{}, 0
		p.note(o)
		return nil, nil
	case !bannable(e.Kind):
		return nil, nil
	}
	after, span := p.limits(e.Kind)
	if after == 0 || !p.count(o, e, after, now) || p.lasts(o.banned, now) {
		return nil, nil
	}
	if now.Sub(o.welcome) < time.Duration(p.config.Ban.Remember) {
		return nil, &Spared{o.source, "somebody logged in from there"}
	}
	if why, never := p.never.Why(o.source); never {
		return nil, &Spared{o.source, why}
	}
	full := grown(span, p.config.Ban.Growth, o.bans, time.Duration(p.config.Ban.Most))
	left := full - e.Observed.Sub(now)
	if left <= 0 {
		return nil, nil // it would be over by now
	}
	d := Decision{
		Target: o.source, For: left,
		Evidence: Evidence{Kind: e.Kind, Rule: e.Rule, Log: e.Log, First: o.first, Last: now},
	}
	d.Reason = fmt.Sprintf("%s within %s, the last one %s", plural.Count(o.attempts, "attempt"), now.Sub(o.first).Round(time.Second), e.Kind)
	o.bans++
	o.banned = now.Add(full)
	p.note(o)
	o.score, o.attempts = [parts]float64{}, 0
	decisions = append(decisions, d)
	if network, ok := p.network(o.source, d, now); ok {
		decisions = append(decisions, network)
	}
	return decisions, nil
}

// Welcomes says whether an event is a login by SSH from an address, which is not to be banned then. Other
// logins spare nobody: strangers have accounts of web sites, and FTP lets in anybody.
func Welcomes(e *attack.Event) bool {
	return e.Kind == attack.SSHAccepted && e.SourceIP.IsValid() && !e.Test
}

// lasts says whether a ban goes on. None lasts longer than the longest, so one that does is of a time when
// the clock was ahead.
func (p *Policy) lasts(until, now time.Time) bool {
	left := until.Sub(now)
	return left > 0 && left <= time.Duration(p.config.Ban.Most)
}

// happened returns when an event took place: when it was logged, unless the line has no time or one
// that lies ahead.
func happened(e *attack.Event) time.Time {
	if e.Logged.IsZero() || e.Logged.After(e.Observed) {
		return e.Observed
	}
	return e.Logged
}

// networkOf returns the network that is banned when enough of it is.
func (p *Policy) networkOf(source netip.Prefix) netip.Prefix {
	bits := p.config.Network.V4
	if source.Addr().Is6() {
		bits = p.config.Network.V6
	}
	network, _ := source.Addr().Prefix(bits)
	return network
}

// limits returns how many attempts of a kind are too many, 0 for none, and for how long they ban.
func (p *Policy) limits(kind attack.Kind) (after int, span time.Duration) {
	after, span = p.config.Ban.After, time.Duration(p.config.Ban.For)
	special := p.config.Kinds[kind.String()]
	if special.After != nil {
		after = *special.After
	}
	if special.For > 0 {
		span = time.Duration(special.For)
	}
	return after, span
}

// count adds an event to a source's score and says whether that is too much now.
func (p *Policy) count(o *offender, e *attack.Event, after int, now time.Time) bool {
	at := now.UnixNano() / int64(time.Duration(p.config.Ban.Within)/parts)
	switch {
	case at-o.newest >= parts:
		o.score, o.attempts, o.newest = [parts]float64{}, 0, at
	case o.newest-at >= parts && e.Observed.Sub(now) >= time.Duration(p.config.Ban.Within):
		return false // of another log, long before
	case o.newest-at >= parts: // it happens now: the clock was set back
		o.score, o.attempts, o.newest = [parts]float64{}, 0, at
	}
	for o.newest < at {
		o.newest++
		o.score[o.newest%parts] = 0
	}
	if o.attempts == 0 {
		o.first = now
	}
	p.moved[o.source] = true
	o.attempts += max(e.Count, 1)
	o.score[at%parts] += float64(max(e.Count, 1)) / float64(after)
	sum := 0.0
	for _, part := range o.score {
		sum += part
	}
	return sum >= 1-1e-9
}

// grown returns how long a ban lasts after so many before it, without ever overflowing.
func grown(first time.Duration, growth float64, before int, most time.Duration) time.Duration {
	span := float64(first) * math.Pow(growth, float64(before))
	if !(span < float64(most)) { // also of an infinite one
		return most
	}
	return time.Duration(span)
}

// network bans the network of a source that was just banned, where enough of it is banned.
func (p *Policy) network(source netip.Prefix, last Decision, now time.Time) (Decision, bool) {
	network := p.networkOf(source)
	if p.config.Network.After == 0 || network.Bits() >= source.Bits() || p.lasts(p.nets[network], now) {
		return Decision{}, false
	}
	banned, longest := 0, time.Duration(0)
	for o := range p.near[network] {
		if now.Sub(o.welcome) < time.Duration(p.config.Ban.Remember) {
			return Decision{}, false // somebody logged in from there
		}
		if p.lasts(o.banned, now) {
			banned, longest = banned+1, max(longest, o.banned.Sub(now))
		}
	}
	if banned < p.config.Network.After {
		return Decision{}, false
	}
	if _, never := p.never.Why(network); never {
		return Decision{}, false
	}
	last.Target, last.For = network, longest
	last.Reason = fmt.Sprintf("%d of its addresses are banned", banned)
	p.nets[network] = now.Add(longest)
	return last, true
}

// Lift forgets the ban of a source or network, as a person wants it lifted; its earlier bans are
// remembered.
func (p *Policy) Lift(target netip.Prefix) {
	delete(p.nets, target)
	if element, ok := p.known[target]; ok {
		o := element.Value.(*offender)
		o.banned, o.score, o.attempts = time.Time{}, [parts]float64{}, 0
		p.moved[target] = true
	}
}

// Banned returns which sources and networks it takes for banned at a time.
func (p *Policy) Banned(now time.Time) (targets []netip.Prefix) {
	for source, element := range p.known {
		if p.lasts(element.Value.(*offender).banned, now) {
			targets = append(targets, source)
		}
	}
	for network, until := range p.nets {
		if p.lasts(until, now) {
			targets = append(targets, network)
		}
	}
	return targets
}

// Welcome says whether somebody has logged in from a source, or from within a network, so lately that
// it is not banned.
func (p *Policy) Welcome(target netip.Prefix, now time.Time) bool {
	welcome := func(o *offender) bool {
		return target.Overlaps(o.source) && now.Sub(o.welcome) < time.Duration(p.config.Ban.Remember)
	}
	if element, ok := p.known[target]; ok {
		return welcome(element.Value.(*offender))
	}
	for o := range p.near[p.networkOf(target)] {
		if welcome(o) {
			return true
		}
	}
	return false
}

// Acquit forgets every ban and every attempt, as if nobody had done anything; who has logged in is
// remembered.
func (p *Policy) Acquit() {
	clear(p.nets)
	for source, element := range p.known {
		o := element.Value.(*offender)
		p.moved[source] = true
		o.bans, o.banned, o.score, o.attempts = 0, time.Time{}, [parts]float64{}, 0
	}
}
