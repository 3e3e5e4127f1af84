package detect

import (
	"bytes"
	"errors"
	"net/netip"
	"time"

	"github.com/pialert/pialert/agent/internal/detect/episode"
	"github.com/pialert/pialert/agent/internal/header"
	"github.com/pialert/pialert/agent/internal/rule"
	"github.com/pialert/pialert/pkg/attack"
)

// Options say how an Engine works.
type Options struct {
	Rules    *rule.Set      // from [Load]
	Ignore   []netip.Prefix // sources that are never reported nor counted
	Year     int            // year of the first line, for stamps without one; 0 means the latest that is not in the future
	Location *time.Location // of stamps without a zone; nil means the local one
	Remember bool           // keep track of what [Engine.Changes] returns

	Floods *episode.Limits // what makes a flood of requests; nil means that none is looked for

	// Emit takes an event as soon as it is found. The event is the engine's and is overwritten by
	// the next one. Line is the number of the line that the event stems from, counted from 1 for
	// each Source, which need not be the last one fed; 0 if that line was read before a restart.
	Emit func(event *attack.Event, line uint64)
}

// Engine finds attacks in lines.
type Engine struct {
	opts   Options
	lookup rule.Lookup
	clock  header.Clock

	memories map[string]*memory // by the source's name; "" is what all logs share
	shared   *memory
	gone     []*memory // whose saved part is still to be deleted
	observed time.Time // of the line or tick at work

	msg     header.Message
	recent  *recentHeader // the one that msg has, if it was known
	loc     []int
	find    finding
	event   attack.Event
	names   interned
	details []details // by rule
	trace   *trace    // of what becomes of the line at work, if somebody asks

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
		lookup:   opts.Rules.Lookup(),
		clock:    header.Clock{Location: opts.Location, Year: opts.Year},
		memories: map[string]*memory{},
		details:  make([]details, len(opts.Rules.List())),
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
	case rule.TypeAccess, rule.TypeError:
		e.feedWeb(src, line)
		return
	case rule.TypeSSHD:
		e.feedBare(src, line)
		return
	}
	if src.recent.Cut(&e.msg, line) {
		e.recent = &src.recent
		e.feedMessage(src, line, 1)
		return
	}
	e.recent = nil
	hasHeader := e.msg.Cut(line)
	if hasHeader && e.msg.Stamp.Form != header.None && !src.mem.stamped {
		src.mem.stamped, src.mem.moved = true, true
	}
	if src.typ == rule.TypeAuto {
		if src.recognise(line, hasHeader); src.typ != rule.TypeAuto {
			src.mem.typ, src.mem.moved = src.typ, true
		}
		if src.typ == rule.TypeAccess || src.typ == rule.TypeError {
			e.feedWeb(src, line)
			return
		}
	}
	if !hasHeader {
		if src.mem.stamped {
			return
		}
		e.feedBare(src, line)
		return
	}
	e.feedMessage(src, line, 1)
	if src.typ == rule.TypeSyslog {
		e.keepHeader(&src.recent, line)
	}
}

// keepHeader keeps the header of a line, and what is looked up by it.
func (e *Engine) keepHeader(r *recentHeader, line []byte) {
	if r.Keep(line) {
		r.hash, r.candidates = hash(r.Host()), e.lookup.ForTag(r.Tag())
	}
}

// attach gives a source what is remembered of it.
func (e *Engine) attach(src *Source) {
	src.mem = e.memory(src.name)
	if src.typ == rule.TypeAuto && src.mem.typ != "" {
		src.typ = src.mem.typ
	}
}

var sshdTag = []byte("sshd")

// feedMessage finds the rule for e.msg, which stands for a number of occurrences.
func (e *Engine) feedMessage(src *Source, line []byte, occurrences uint64) {
	m := &e.msg
	repeats := occurrences
	if len(m.Body) > 0 && (m.Body[0] == 'l' || m.Body[0] == 'm') {
		if n, ok := header.LastRepeated(m.Body); ok {
			e.repeatLast(src, n)
			return
		}
		if inner, n, ok := header.Repeated(m.Body); ok {
			m.Body, repeats = inner, min(n*occurrences, header.MaxRepeats)
		}
	}
	if e.feedWebMessage(src, repeats) {
		return
	}
	host := e.hostHash(src)
	length := len(m.Body)
	candidates, text := e.candidates(src)
	found, loc := candidates.Find(text, e.loc)
	e.loc = loc
	e.traceMessage(src, found, text)
	if found == nil || found.Role == rule.RoleIgnore {
		src.mem.forgetLast(host)
		return
	}
	f := &e.find
	f.line = src.lines
	e.date(f, m)
	f.rule, f.text, f.repeats = found, text, repeats
	f.fields.Read(found, text, e.loc)
	if found.Longest > 0 && length >= found.Longest && !found.SourceLeads(e.loc) || m.PAM != nil && ambiguous(m) {
		f.fields.Distrust()
	}
	if e.trace != nil {
		e.trace.fields = f.fields
	}
	e.address(src, f, host)
	if occurrences == 1 && (found.Role == rule.RoleAttempt || found.Role == rule.RoleAnnounce || found.Role == rule.RoleEvent) {
		src.mem.keepLast(host, line)
	} else if occurrences == 1 {
		src.mem.forgetLast(host)
	}
	e.join(f)
}

// date reads the stamp of a message into a finding.
func (e *Engine) date(f *finding, m *header.Message) {
	if f.sec, f.nsec, f.dated = e.clock.Read(m.Stamp, e.observed); !f.dated {
		f.sec, f.nsec = e.observed.Unix(), int32(e.observed.Nanosecond())
	}
}

// candidates returns the rules that may match e.msg, and the text that they look at.
func (e *Engine) candidates(src *Source) (*rule.Candidates, []byte) {
	m := &e.msg
	body := m.Body
	if m.PAM != nil || len(body) > 0 && (body[0] == 'p' || body[0] == '(') {
		if found := e.candidatesForPAM(src); found != nil {
			return found, m.Body
		}
	}
	if e.recent != nil {
		return e.recent.candidates, cutLevel(body)
	}
	if last := &src.last; last.candidates == nil || !bytes.Equal(last.name, m.Tag) {
		last.name = append(last.name[:0], m.Tag...)
		last.candidates = e.lookup.ForTag(m.Tag)
	}
	return src.last.candidates, cutLevel(body)
}

// candidatesForPAM returns the rules that may match what a PAM module wrote, and takes off e.msg
// what names the module; nil if none wrote it.
func (e *Engine) candidatesForPAM(src *Source) *rule.Candidates {
	m, last := &e.msg, &src.lastPAM
	if last.candidates != nil && m.PAM == nil && bytes.HasPrefix(m.Body, last.name) {
		m.PAM, m.Body = last.module, m.Body[len(last.name):]
		return last.candidates
	}
	body := m.Body
	service, ok := m.CutPAM()
	if !ok {
		return nil
	}
	found := e.lookup.ForPAM(service)
	if named := len(body) - len(m.Body); named > 0 && bytes.IndexByte(body[:named], ':') < named-2 { // names the service
		last.name = append(last.name[:0], body[:named]...)
		last.module = append(last.module[:0], m.PAM...)
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
func ambiguous(m *header.Message) bool {
	return string(m.PAM) != "pam_unix" && bytes.Count(m.Body, []byte(" rhost=")) > 1
}

// address fills in which connection the line belongs to.
func (e *Engine) address(src *Source, f *finding, host uint64) {
	f.mem = src.mem
	f.key = connectionKey{host: host, id: uint64(e.msg.PID), family: f.rule.Family()}
	if f.fields.PID != 0 {
		f.key.id = uint64(f.fields.PID)
	}
	if e.msg.PID == 0 && f.rule.Join == rule.JoinPID && e.msg.Stamp.Form == header.None {
		f.key = e.bareKey(f, f.key)
	}
	if f.rule.Join == rule.JoinSource {
		f.mem = e.shared
		f.key.host = 0
		if f.fields.Source.IsValid() {
			bytes := f.fields.Source.As16()
			f.key.id = hash(bytes[:])
		} else {
			f.key.id = hash(f.fields.Host)
		}
	}
}

func (e *Engine) hostHash(src *Source) uint64 {
	if e.recent != nil {
		return e.recent.hash
	}
	if !bytes.Equal(src.host.name, e.msg.Host) || src.host.hash == 0 {
		src.host.name = append(src.host.name[:0], e.msg.Host...)
		src.host.hash = hash(e.msg.Host)
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
