package detect

import (
	"bytes"
	"errors"
	"net/netip"
	"time"

	"github.com/pialert/pialert/agent/internal/flood"
	"github.com/pialert/pialert/pkg/attack"
)

// Options say how an Engine works.
type Options struct {
	Rules    *Rules         // from [Load]
	Ignore   []netip.Prefix // sources that are never reported nor counted
	Year     int            // year of the first line, for stamps without one; 0 means the latest that is not in the future
	Location *time.Location // of stamps without a zone; nil means the local one
	Remember bool           // keep track of what [Engine.Changes] returns

	Floods *flood.Limits // what makes a flood of requests; nil means that none is looked for

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
	gone     []*memory // whose saved part is still to be deleted
	observed time.Time // of the line or tick at work

	msg     message
	loc     []int
	find    finding
	event   attack.Event
	names   interned
	details []details // by rule

	ignored      uint64
	unattributed uint64
	web          web
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
	e.newWeb()
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
		e.attach(src)
	}
	switch src.typ {
	case TypeAccess, TypeError:
		e.feedWeb(src, line)
		return
	case TypeSSHD:
		e.feedBare(src, line)
		return
	}
	if src.recent.cut(&e.msg, line) {
		e.feedMessage(src, line, 1)
		return
	}
	header := e.msg.cut(line)
	if header && e.msg.stamp.form != stampNone && !src.mem.stamped {
		src.mem.stamped, src.mem.moved = true, true
	}
	if src.typ == TypeAuto {
		if src.recognise(line, header); src.typ != TypeAuto {
			src.mem.typ, src.mem.moved = src.typ, true
		}
		if src.typ == TypeAccess || src.typ == TypeError {
			e.feedWeb(src, line)
			return
		}
	}
	if !header {
		if src.mem.stamped {
			return
		}
		e.feedBare(src, line)
		return
	}
	e.feedMessage(src, line, 1)
	if src.typ == TypeSyslog {
		e.keepHeader(&src.recent, line)
	}
}

// keepHeader keeps the header of a line, and what is looked up by it.
func (e *Engine) keepHeader(r *recentHeader, line []byte) {
	if r.keep(line) {
		r.hash, r.candidates = hash(r.host), e.lookup.forTag(r.tag)
	}
}

// attach gives a source what is remembered of it.
func (e *Engine) attach(src *Source) {
	src.mem = e.memory(src.name)
	if src.typ == TypeAuto && src.mem.typ != "" {
		src.typ = src.mem.typ
	}
}

var sshdTag = []byte("sshd")

// feedMessage finds the rule for e.msg, which stands for a number of occurrences.
func (e *Engine) feedMessage(src *Source, line []byte, occurrences uint64) {
	m := &e.msg
	repeats := occurrences
	if len(m.body) > 0 && (m.body[0] == 'l' || m.body[0] == 'm') {
		if n, ok := lastRepeated(m.body); ok {
			e.repeatLast(src, n)
			return
		}
		if inner, n, ok := repeated(m.body); ok {
			m.body, repeats = inner, min(n*occurrences, maxRepeats)
		}
	}
	if e.feedWebMessage(src, repeats) {
		return
	}
	host := e.hostHash(src)
	length := len(m.body)
	candidates, text := e.candidates(src)
	rules := candidates.first(text)
	if len(rules) == 0 {
		src.mem.forgetLast(host)
		return
	}
	f := &e.find
	f.line = src.lines
	e.date(f, m)
	rule := rules[0].Rule
	if rules[0].connected && repeats == 1 && e.spare(src.mem, rule, connectionKey{host, uint64(m.pid), rule.family}, text) {
		src.mem.forgetLast(host)
		return
	}
	if rule, e.loc = find(rules, text, e.loc); rule == nil || rule.Role == RoleIgnore {
		src.mem.forgetLast(host)
		return
	}
	f.rule, f.text, f.repeats = rule, text, repeats
	f.fields.read(rule, text, e.loc)
	if rule.Longest > 0 && length >= rule.Longest && !rule.sourceLeads(e.loc) || m.pam != nil && ambiguous(m) {
		f.fields.distrust()
	}
	e.address(src, f, host)
	if occurrences == 1 && (rule.Role == RoleAttempt || rule.Role == RoleAnnounce || rule.Role == RoleEvent) {
		src.mem.keepLast(host, line)
	} else if occurrences == 1 {
		src.mem.forgetLast(host)
	}
	e.join(f)
}

// date reads the stamp of a message into a finding.
func (e *Engine) date(f *finding, m *message) {
	if f.sec, f.nsec, f.dated = e.keeper.read(m.stamp, e.observed); !f.dated {
		f.sec, f.nsec = e.observed.Unix(), int32(e.observed.Nanosecond())
	}
}

// spare does without a match what can be done so, and says whether it could: for most lines of an
// attack. They end a connection that was counted, or doubt what was counted already, or their
// doubt is settled by the connection's next line, which says more. Rule is one of those that start
// like the text, and all of them end or all of them doubt a connection.
func (e *Engine) spare(mem *memory, rule *Rule, key connectionKey, text []byte) bool {
	f := &e.find
	c := mem.conns.find(key)
	if rule.Role == RoleDoubt {
		switch {
		case c != nil && c.pending.rule == nil && (c.credit > 0 || c.accepted):
			return f.sec >= c.seen && f.sec <= c.seen+patience[waiting]
		case c != nil || string(e.msg.pam) != "pam_unix" || len(text) > maxText:
			return false
		}
		e.advance(mem, f.sec)
		c = e.open(mem, key)
		c.pending = pending{rule: rule, count: 1, sec: f.sec, nsec: f.nsec, dated: f.dated, line: f.line, observed: e.observed.UnixNano()}
		c.text = append(c.text[:0], text...)
		c.seen, c.observed = f.sec, e.observed.Unix()
		mem.conns.touch(c, doubted)
		e.change(mem, c)
		return true
	}
	// Only one line may end a connection so, since the process might serve another one after it.
	if c == nil || c.pending.rule != nil || f.sec < c.seen || f.sec > c.seen+patience[waiting] || c.ended ||
		!c.counted && !c.accepted {
		return false
	}
	c.ended = true
	e.change(mem, c)
	return true
}

// candidates returns the rules that may match e.msg, and the text that they look at.
func (e *Engine) candidates(src *Source) (*candidates, []byte) {
	m := &e.msg
	body := m.body
	if m.pam != nil || len(body) > 0 && (body[0] == 'p' || body[0] == '(') {
		if found := e.candidatesForPAM(src); found != nil {
			return found, m.body
		}
	}
	if m.header != nil {
		return m.header.candidates, cutLevel(body)
	}
	if last := &src.last; last.candidates == nil || !bytes.Equal(last.name, m.tag) {
		last.name = append(last.name[:0], m.tag...)
		last.candidates = e.lookup.forTag(m.tag)
	}
	return src.last.candidates, cutLevel(body)
}

// candidatesForPAM returns the rules that may match what a PAM module wrote, and takes off e.msg
// what names the module; nil if none wrote it.
func (e *Engine) candidatesForPAM(src *Source) *candidates {
	m, last := &e.msg, &src.lastPAM
	if last.candidates != nil && m.pam == nil && bytes.HasPrefix(m.body, last.name) {
		m.pam, m.body = last.module, m.body[len(last.name):]
		return last.candidates
	}
	body := m.body
	service, ok := m.cutPAM()
	if !ok {
		return nil
	}
	found := e.lookup.forPAM(service)
	if named := len(body) - len(m.body); named > 0 && bytes.IndexByte(body[:named], ':') < named-2 { // names the service
		last.name = append(last.name[:0], body[:named]...)
		last.module = append(last.module[:0], m.pam...)
		last.candidates = found
	}
	return found
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
func (e *Engine) address(src *Source, f *finding, host uint64) {
	f.mem = src.mem
	f.key = connectionKey{host: host, id: uint64(e.msg.pid), family: f.rule.family}
	if f.fields.pid != 0 {
		f.key.id = uint64(f.fields.pid)
	}
	if e.msg.pid == 0 && f.rule.Join == JoinPID && e.msg.stamp.form == stampNone {
		f.key = e.bareKey(f, f.key)
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
	if e.msg.header != nil {
		return e.msg.header.hash
	}
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
	e.finishWeb()
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
	mem.clock, mem.moved = sec, true
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
