package detect

import (
	"bytes"
	"errors"
	"net/netip"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// Options say how an Engine works.
type Options struct {
	Rules    *Rules         // from [Load]
	Ignore   []netip.Prefix // sources that are never reported nor counted
	Year     int            // year of the first line, for stamps without one; 0 means the latest that is not in the future
	Location *time.Location // of stamps without a zone; nil means the local one
	Remember bool           // keep track of what [Engine.Changes] returns

	// Emit takes an event as soon as it is found. The event is the engine's and is overwritten by
	// the next one. Line is the number of the line that the event stems from, counted from 1 for
	// each Source, which need not be the last one fed; 0 if that line was read before a restart.
	Emit func(event *attack.Event, line uint64)
}

// maxRepeats bounds how many occurrences one line may stand for.
const maxRepeats = 1 << 20

// Engine finds attacks in lines.
type Engine struct {
	opts   Options
	lookup lookup
	keeper timekeeper

	memories map[string]*memory // by the source's name; "" is what all logs share
	shared   *memory
	observed time.Time // of the line or tick at work

	msg     message
	loc     []int
	find    finding
	event   attack.Event
	names   interned
	details []details // by rule

	ignored      uint64
	unattributed uint64
}

// New returns an Engine that knows nothing yet; see [Engine.Restore].
func New(opts Options) (*Engine, error) {
	if opts.Rules == nil {
		return nil, errors.New("cannot detect anything without rules")
	}
	if opts.Emit == nil {
		return nil, errors.New("cannot detect anything without somewhere to emit it")
	}
	if opts.Location == nil {
		opts.Location = time.Local
	}
	e := &Engine{
		opts:     opts,
		lookup:   newLookup(&opts.Rules.index),
		keeper:   timekeeper{location: opts.Location, year: opts.Year},
		memories: map[string]*memory{},
		details:  make([]details, len(opts.Rules.rules)),
	}
	e.shared = e.memory("")
	return e, nil
}

// Stats counts what an Engine did not report.
type Stats struct {
	Ignored      uint64 // attempts from sources that Options.Ignore names
	Evicted      uint64 // connections forgotten for want of room
	Unattributed uint64 // connections that ended badly without any line that named their address
}

// Stats returns the counts since the Engine was made.
func (e *Engine) Stats() Stats {
	stats := Stats{Ignored: e.ignored, Unattributed: e.unattributed}
	for _, mem := range e.memories {
		stats.Evicted += mem.conns.evicted
	}
	return stats
}

// Feed reads one line, without its newline, of a log. Observed is when the line was read, or when
// the journal received it; it must not be zero. The line may be overwritten after the call.
func (e *Engine) Feed(src *Source, line []byte, observed time.Time) {
	e.observed = observed
	src.lines++
	if src.mem == nil {
		src.mem = e.memory(src.name)
	}
	switch src.typ {
	case TypeAccess, TypeError:
		e.feedWeb(src, line)
		return
	case TypeSSHD:
		e.msg = message{tag: sshdTag, body: trimEnd(line)}
		e.feedMessage(src, line, 1)
		return
	}
	header := e.msg.cut(line)
	if header && e.msg.stamp.form != stampNone {
		src.stamped = true
	}
	if src.typ == TypeAuto {
		src.recognise(line, &e.msg, header)
		if src.typ == TypeAccess || src.typ == TypeError {
			e.feedWeb(src, line)
			return
		}
	}
	if !header {
		if src.stamped {
			return
		}
		// A file that `sshd -E` writes has no headers at all.
		e.msg = message{tag: sshdTag, body: trimEnd(line)}
	}
	e.feedMessage(src, line, 1)
}

var sshdTag = []byte("sshd")

// feedMessage finds the rule for e.msg, which stands for a number of occurrences.
func (e *Engine) feedMessage(src *Source, line []byte, occurrences uint64) {
	m := &e.msg
	if n, ok := lastRepeated(m.body); ok {
		e.repeatLast(src, n)
		return
	}
	repeats := occurrences
	if inner, n, ok := repeated(m.body); ok {
		m.body, repeats = inner, n*occurrences
	}
	length := len(m.body)
	rule, text := e.match(src)
	if rule == nil || rule.Role == RoleIgnore {
		src.mem.forgetLast(e, e.hostHash(src))
		return
	}
	f := &e.find
	f.rule, f.text, f.repeats, f.line = rule, text, min(repeats, maxRepeats), src.lines
	f.fields.read(rule, text, e.loc)
	if rule.Longest > 0 && length >= rule.Longest || m.pam != nil && ambiguous(m) {
		f.fields.distrust()
	}
	var ok bool
	if f.sec, f.nsec, ok = e.keeper.read(m.stamp, e.observed); !ok {
		f.sec, f.nsec = e.observed.Unix(), int32(e.observed.Nanosecond())
	}
	f.dated = ok
	e.address(src, f)
	if occurrences == 1 && rule.counts() {
		src.mem.keepLast(e, f.key.host, line)
	} else if occurrences == 1 {
		src.mem.forgetLast(e, f.key.host)
	}
	e.join(f)
}

// match returns the rule for e.msg and the text that e.loc points into.
func (e *Engine) match(src *Source) (*Rule, []byte) {
	m := &e.msg
	if service, ok := m.cutPAM(); ok {
		var rule *Rule
		rule, e.loc = e.lookup.forPAM(service).find(m.body, e.loc)
		return rule, m.body
	}
	if src.last.candidates == nil || !bytes.Equal(src.last.tag, m.tag) {
		src.last.tag = append(src.last.tag[:0], m.tag...)
		src.last.candidates = e.lookup.forTag(m.tag)
	}
	text := cutLevel(m.body)
	var rule *Rule
	rule, e.loc = src.last.candidates.find(text, e.loc)
	return rule, text
}

// cutLevel takes off the severity that sshd puts before some messages, depending on its version.
func cutLevel(body []byte) []byte {
	if len(body) > 7 {
		switch {
		case body[0] == 'e' && string(body[:7]) == "error: ":
			return body[7:]
		case body[0] == 'f' && string(body[:7]) == "fatal: ":
			return body[7:]
		}
	}
	return body
}

// ambiguous says whether what a PAM module wrote may hold a forged "rhost=": pam_unix names only
// users that exist, so what stands last there is its own; other modules repeat any name.
func ambiguous(m *message) bool {
	return string(m.pam) != "pam_unix" && bytes.Count(m.body, []byte(" rhost=")) > 1
}

// address fills in which connection the line belongs to.
func (e *Engine) address(src *Source, f *finding) {
	host := e.hostHash(src)
	f.mem = src.mem
	f.key = connectionKey{host: host, id: uint64(e.msg.pid), family: f.rule.family}
	if f.fields.pid != 0 {
		f.key.id = uint64(f.fields.pid)
	}
	if f.rule.Join == JoinSource {
		f.mem = e.shared
		f.key.host = 0
		if f.fields.source.IsValid() {
			bytes := f.fields.source.As16()
			f.key.id = hash(bytes[:])
		} else {
			f.key.id = hash(f.fields.host)
		}
	}
}

func (e *Engine) hostHash(src *Source) uint64 {
	if !bytes.Equal(src.host.name, e.msg.host) || src.host.hash == 0 {
		src.host.name = append(src.host.name[:0], e.msg.host...)
		src.host.hash = hash(e.msg.host)
	}
	return src.host.hash
}

// hash is FNV-1a: stable across restarts, and good enough for names that the machine's own
// daemons choose.
func hash(text []byte) uint64 {
	h := uint64(0xcbf29ce484222325)
	for _, c := range text {
		h = (h ^ uint64(c)) * 0x100000001b3
	}
	return h
}

// Tick ends what time ends: doubts that no later line settled. Call it about once a second, with
// the clock that Feed's observed comes from.
func (e *Engine) Tick(now time.Time) {
	e.observed = now
	for _, mem := range e.memories {
		for list := range lists {
			for c := mem.conns.oldest(list); c != nil && c.observed < now.Unix()-patience[list]; c = mem.conns.oldest(list) {
				e.forget(mem, c)
			}
		}
	}
	e.tickWeb(now)
}

// Finish counts what is pending, as if all time had passed. For logs that are read to their end
// and not followed.
func (e *Engine) Finish() {
	for _, mem := range e.memories {
		e.forgetAll(mem)
	}
}

// advance moves the clock of a log on to the time of a line, and forgets what is too old by it. A
// clock that goes back by more than a little starts anew, and with it the processes' numbers.
func (e *Engine) advance(mem *memory, sec int64) {
	switch {
	case sec == mem.clock:
		return
	case sec < mem.clock-backwards:
		e.forgetAll(mem)
	case sec < mem.clock:
		return
	}
	mem.clock = sec
	for list := range lists {
		for c := mem.conns.oldest(list); c != nil && c.seen < sec-patience[list]; c = mem.conns.oldest(list) {
			e.forget(mem, c)
		}
	}
}

// backwards is how many seconds a log's stamps may go back and still be of the same run: lines of
// several hosts, or of programs that are slow to log.
const backwards = 10 * 60

// open adds a connection.
func (e *Engine) open(mem *memory, key connectionKey) *connection {
	for mem.conns.used >= maxConnections {
		mem.conns.evicted++
		for list := range lists {
			if c := mem.conns.oldest(list); c != nil {
				e.forget(mem, c)
				break
			}
		}
	}
	return mem.conns.add(key)
}

// forget counts what is pending on a connection and drops it.
func (e *Engine) forget(mem *memory, c *connection) {
	e.settle(mem, c)
	e.drop(mem, c)
}

func (e *Engine) forgetAll(mem *memory) {
	for list := range lists {
		for c := mem.conns.oldest(list); c != nil; c = mem.conns.oldest(list) {
			e.forget(mem, c)
		}
	}
}
