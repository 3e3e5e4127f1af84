package episode

import (
	"net/netip"
	"slices"
	"time"

	"github.com/pialert/pialert/agent/internal/value"
	"github.com/pialert/pialert/pkg/attack"
)

// Subject is what a [Spread] watches: a network, or a user name that many addresses try.
type Subject struct {
	Network netip.Prefix
	User    string
}

// place spreads subjects over the entries in front of the map.
func (s *Subject) place() int {
	var h uint64
	if n := len(s.User); n > 0 {
		h = uint64(n)<<16 | uint64(s.User[0])<<8 | uint64(s.User[n-1])
	} else {
		high, low := value.Words(s.Network.Addr())
		h = high ^ low
	}
	return int(h * 0x9e3779b97f4a7c15 >> (64 - nearBits))
}

// SpreadLimits says what is too much.
type SpreadLimits struct {
	Distinct    int           // things that differ within a window which make an episode, at most [MaxDistinct]
	Window      time.Duration // in whole seconds
	Share       int           // percent of a subject's hits that must count; 0 for no matter how many
	Linked      int           // things that are excused in a window because something led there; see [Spread.Linked]
	MaxSubjects int           // that are remembered
}

// Spreads are the limits of all kinds of spreads that are looked for.
type Spreads struct{ Scans, Sprays, Distributed SpreadLimits }

// DefaultSpreads are paths that are not there, within a minute and more than half of what was asked for,
// as a browser or a search engine does not; user names, and addresses that try one user name, within ten
// minutes. The pages of a site whose pictures are gone lead to up to a hundred of them.
var DefaultSpreads = Spreads{
	Scans:       SpreadLimits{Distinct: 20, Window: time.Minute, Share: 50, Linked: 100, MaxSubjects: 4096},
	Sprays:      SpreadLimits{Distinct: 10, Window: 10 * time.Minute, MaxSubjects: 4096},
	Distributed: SpreadLimits{Distinct: 20, Window: 10 * time.Minute, MaxSubjects: 2048},
}

// SpreadEvent is what an episode of a Spread gives rise to.
type SpreadEvent struct {
	Subject
	attack.Episode
	Addr  netip.Addr // the only address of the episode; invalid if there are several
	At    time.Time  // in the log
	Count uint64     // hits since the episode's last event
}

// Spread finds subjects that hit many distinct things within a window. Like a [Detector] it is told
// the time in the log, emits an event when an episode starts, at a limited rate while it lasts, and
// when it ends, and is bounded: the subject that was quiet for longest is forgotten.
type Spread struct {
	limits  SpreadLimits
	window  int64 // in seconds
	emit    func(SpreadEvent)
	now     int64
	turn    int64 // the window that now is in
	entries map[Subject]*spreadEntry
	near    [1 << nearBits]*spreadEntry // in front of the map, by place; may be nil
	crowd   [1 << nearBits]uint16       // how many entries have a place
	newest  *spreadEntry                // the entries in the order of their last hit
	oldest  *spreadEntry
	free    *spreadEntry         // entries to be used again, by older
	changed map[Subject]struct{} // since the last Changes; nil until someone asks
	untidy  bool                 // the order has to be made after a Restore
	evicted uint64
}

// MaxDistinct is how many distinct things are remembered of a subject.
const MaxDistinct = 32

const nearBits = 10

// spreadEntry is what is known of a subject.
type spreadEntry struct {
	subject Subject
	things  [MaxDistinct]thing // the last ones, in no order, without gaps
	known   int                // how many there are
	hit     int                // the one that was hit last
	last    int64              // second of the last hit
	turn    int64              // the window that hits and others are of
	hits    [2]uint32          // in this window and the one before
	others  [2]uint32          // what does not count, likewise
	linked  [2][]uint32        // hashes of what something led to and is excused, likewise
	addr    netip.Addr         // of the first hit
	mixed   bool               // there were other addresses

	attempts uint64 // of the running episode; 0 if there is none
	reported uint64 // of those, how many events stand for
	distinct uint64 // things of the running episode
	eventAt  int64  // second of its last event

	older, newer *spreadEntry
}

// thing is something distinct, by its hash.
type thing struct {
	hash uint32
	sec  int64 // when it was hit last
}

// NewSpread returns a Spread that calls emit for every event, from within its own methods.
func NewSpread(limits SpreadLimits, emit func(SpreadEvent)) *Spread {
	limits.Distinct = min(limits.Distinct, MaxDistinct)
	return &Spread{limits: limits, window: max(1, int64(limits.Window/time.Second)), emit: emit, entries: map[Subject]*spreadEntry{}}
}

// Hit counts that a subject, from an address, hit a thing.
func (s *Spread) Hit(subject *Subject, hash uint32, addr netip.Addr, at time.Time) {
	sec := at.Unix()
	s.advance(sec)
	s.hit(s.get(subject, sec, true), hash, addr, sec, at)
}

// Linked is Hit where the subject says that something led it there, as a browser does that follows the
// links of a page. That may be a lie, so only as many things are excused in a window as the limits say. All
// visitors of a page that share an address are led to the same ones.
func (s *Spread) Linked(subject *Subject, hash uint32, addr netip.Addr, at time.Time) {
	sec := at.Unix()
	s.advance(sec)
	e := s.get(subject, sec, true)
	window := e.window(s.turn)
	switch {
	case slices.Contains(e.linked[0], hash), slices.Contains(e.linked[1], hash):
	case len(e.linked[0])+len(e.linked[1]) < s.limits.Linked:
		e.linked[window] = append(e.linked[window], hash)
	default:
		s.hit(e, hash, addr, sec, at)
	}
}

func (s *Spread) hit(e *spreadEntry, hash uint32, addr netip.Addr, sec int64, at time.Time) {
	e.hits[e.window(s.turn)]++
	if !e.addr.IsValid() {
		e.addr = addr
	} else if e.addr != addr {
		e.mixed = true
	}
	isNew := e.note(hash, sec)
	if e.attempts > 0 {
		e.attempts++
		if isNew {
			e.distinct++
		}
		s.goOn(e, sec, at)
	} else if isNew && s.exceeds(e, sec) {
		e.attempts = uint64(e.hits[0]) + uint64(e.hits[1])
		s.tell(e, attack.PhaseStart, at)
	}
}

// Other counts that a subject did something that does not count.
func (s *Spread) Other(subject *Subject, at time.Time) {
	sec := at.Unix()
	s.advance(sec)
	if e := s.get(subject, sec, false); e != nil {
		e.others[e.window(s.turn)]++
		s.touch(&e.subject)
	}
}

// window returns where the window at hand is in what an entry has of two, or the one before it: lines can be
// out of order.
func (e *spreadEntry) window(turn int64) int {
	switch turn {
	case e.turn:
		return 0
	case e.turn - 1:
		return 1
	case e.turn + 1:
		e.hits[1], e.others[1], e.linked[1] = e.hits[0], e.others[0], e.linked[0]
	default:
		e.hits[1], e.others[1], e.linked[1] = 0, 0, nil
	}
	e.hits[0], e.others[0], e.linked[0] = 0, 0, nil
	e.turn = turn
	return 0
}

// note remembers a thing, in place of the one that was hit longest ago, and says whether it is new.
func (e *spreadEntry) note(hash uint32, sec int64) bool {
	if t := &e.things[e.hit]; e.known > 0 && t.hash == hash {
		t.sec = sec
		return false
	}
	for i := range e.things[:e.known] {
		if e.things[i].hash == hash {
			e.things[i].sec, e.hit = sec, i
			return false
		}
	}
	if e.hit = e.known; e.known < MaxDistinct {
		e.known++
	} else {
		e.hit = e.oldest()
	}
	e.things[e.hit] = thing{hash, sec}
	return true
}

// oldest returns the thing that was hit longest ago.
func (e *spreadEntry) oldest() int {
	oldest := 0
	for i := range e.things[:e.known] {
		if e.things[i].sec < e.things[oldest].sec {
			oldest = i
		}
	}
	return oldest
}

// within returns how many distinct things were hit within the window.
func (s *Spread) within(e *spreadEntry, sec int64) int {
	n := 0
	for i := range e.things[:e.known] {
		if e.things[i].sec > sec-s.window {
			n++
		}
	}
	return n
}

// exceeds says whether an episode starts: things enough, and no lesser share of what was done.
func (s *Spread) exceeds(e *spreadEntry, sec int64) bool {
	n := s.within(e, sec)
	if n < s.limits.Distinct {
		return false
	}
	e.distinct = uint64(n)
	hits, others := uint64(e.hits[0])+uint64(e.hits[1]), uint64(e.others[0])+uint64(e.others[1])
	return 100*hits >= uint64(s.limits.Share)*(hits+others)
}

// goOn tells of a running episode when its count doubled or a window passed, and ends it when less
// than half of what makes an episode was hit in a window.
func (s *Spread) goOn(e *spreadEntry, sec int64, at time.Time) {
	switch {
	case sec-e.eventAt >= s.window && s.within(e, sec) < s.limits.Distinct/2:
		s.end(e, at)
	case sec-e.eventAt >= s.window || e.attempts >= 2*e.reported:
		s.tell(e, attack.PhaseUpdate, at)
	}
}

// end ends an episode. No hit belongs to two, so what was hit in it is forgotten.
func (s *Spread) end(e *spreadEntry, at time.Time) {
	s.tell(e, attack.PhaseEnd, at)
	*e = spreadEntry{subject: e.subject, last: e.last, turn: e.turn, linked: e.linked, older: e.older, newer: e.newer}
}

// tell emits an event of an entry's episode.
func (s *Spread) tell(e *spreadEntry, phase attack.Phase, at time.Time) {
	count := e.attempts - e.reported
	e.reported, e.eventAt = e.attempts, e.last
	ev := SpreadEvent{Subject: e.subject, At: at, Count: count, Episode: attack.Episode{
		Phase: phase, Network: e.subject.Network, Distinct: e.distinct, Attempts: e.attempts, Window: s.limits.Window,
	}}
	if !e.mixed && e.subject.User == "" {
		ev.Addr = e.addr
	}
	s.emit(ev)
}

// Evicted returns how many subjects were forgotten for want of room.
func (s *Spread) Evicted() uint64 { return s.evicted }

// Tick tells the time when nothing is hit: episodes that stopped end.
func (s *Spread) Tick(at time.Time) { s.advance(at.Unix()) }

// advance moves the time on, or back where another log is read.
func (s *Spread) advance(sec int64) {
	if sec != s.now || s.untidy {
		s.expire(sec)
	}
}

// expire ends and forgets what is too old at a time, or so far ahead of it that another log is read.
func (s *Spread) expire(sec int64) {
	s.order()
	if s.now = sec; sec < s.turn*s.window || sec >= (s.turn+1)*s.window {
		s.turn = sec / s.window
	}
	for s.oldest != nil && (sec-s.oldest.last >= 2*s.window || s.oldest.last-sec >= s.window) {
		s.remove(s.oldest)
	}
}

// Finish ends all episodes, when there is no more to read.
func (s *Spread) Finish() {
	s.order()
	for s.oldest != nil {
		s.remove(s.oldest)
	}
}
