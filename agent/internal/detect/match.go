package detect

import (
	"bytes"
	"encoding/binary"
	"errors"
	"time"

	"github.com/pialert/pialert/agent/internal/detect/connection"
	"github.com/pialert/pialert/agent/internal/header"
	"github.com/pialert/pialert/agent/internal/rule"
	"github.com/pialert/pialert/agent/internal/weblog"
)

// Matcher finds out what lines say by themselves: it cuts headers, chooses candidates, matches and
// reads fields. What it gives depends on the line, its [Source] and its rules alone, so any number
// of Matchers can work at once on blocks of lines that an [Engine] then joins in their order. It
// remembers only what makes the next line cheaper. A Matcher belongs to one goroutine.
type Matcher struct {
	rules    *rule.Set
	lookup   rule.Lookup
	requests *rule.Requests // made for the first line of a web log
	all      bool           // requests that no rule takes are wanted, too
	missed   bool           // so are messages that no rule takes

	src    *Source          // what follows is of
	recent [64]recentHeader // of programs and hosts that write in turns, by place
	last   *recentHeader    // the one that the last line had; nil if there is none
	tag    named            // the last tag
	pam    named            // the last PAM module and service: "pam_unix(sshd:auth): "
	host   struct {
		name []byte
		hash uint64
	}
	access weblog.Reader
	clock  weblog.Clock

	msg     header.Message
	req     weblog.Access
	fault   weblog.Error
	text    []byte // of the web log's line at work
	machine []byte // that wrote it, where a header says so
	batch   *Batch
	trace   *trace // of what is made of the line at work, if somebody asks
}

// recentHeader is a header that a line had lately, and what it leads to.
type recentHeader struct {
	header.Recent
	hash       uint64 // of the host
	candidates *rule.Candidates
	web        bool // the program is a web server
}

// named remembers which rules the last name led to: the next line's is nearly always the same.
type named struct {
	name       []byte
	module     []byte
	candidates *rule.Candidates
}

// NewMatcher returns a Matcher for an Engine with the same options.
func NewMatcher(opts Options) *Matcher {
	m := &Matcher{rules: opts.Rules, lookup: opts.Rules.Lookup(), clock: weblog.Clock{Zone: opts.Location}, all: opts.Floods != nil || opts.Spreads != nil, missed: opts.Missed != nil}
	if m.clock.Zone == nil {
		m.clock.Zone = time.Local
	}
	return m
}

// Match adds whole lines to a batch; the last one's newline may be missing. They must not change
// until the batch was joined.
func (m *Matcher) Match(lines []byte, b *Batch) {
	m.batch = b
	if b.src != m.src {
		m.use(b.src)
	}
	for len(lines) > 0 {
		line := lines
		if end := bytes.IndexByte(lines, '\n'); end >= 0 {
			line, lines = lines[:end], lines[end+1:]
		} else {
			lines = nil
		}
		b.lines++
		if !m.likeRecent(line) {
			m.line(line)
		}
	}
}

// use goes on with another log.
func (m *Matcher) use(src *Source) {
	m.src, m.last, m.access.Formats = src, nil, src.formats
}

// bom is the mark of byte order in UTF-8.
const bom = "\ufeff"

// line reads one line, whose header is no recent one, by what it is. What starts with a stamp is syslog's; what has a format of web
// logs is of one, before anything in it that a client wrote can pass for another header.
func (m *Matcher) line(line []byte) {
	if len(line) > 0 && line[0] == bom[0] { // at the start of a file
		line = bytes.TrimPrefix(line, []byte(bom))
	}
	if header.Wrapped(line) {
		inner, err := header.Unwrap(line, m.rules.Trust())
		switch {
		case errors.Is(err, header.ErrUntrusted):
			m.batch.untrusted++
			return
		case err == nil:
			if line = inner; m.likeRecent(line) {
				return
			}
		}
	}
	switch m.src.typ {
	case rule.TypeAccess, rule.TypeError:
		if !m.webLine(line, 1) && !(m.msg.Cut(line) && m.webBody(m.msg.Body, 1)) {
			m.batch.headless(line)
		}
		return
	case rule.TypeSSHD:
		m.batch.headless(line)
		return
	}
	stamped := header.Stamped(line)
	if !stamped && m.src.typ == rule.TypeAuto && m.webLine(line, 1) {
		return
	}
	if !m.msg.Cut(line) {
		m.batch.headless(line)
		return
	}
	if m.msg.Stamp.Form != header.None {
		m.batch.structure()
	}
	m.keep(line)
	m.cutLine(line, 1)
}

// keep remembers the header of a line that is cut.
func (m *Matcher) keep(line []byte) {
	at := placeOf(line, len(m.msg.Stamp.Text))
	if r := &m.recent[at]; r.Keep(&m.msg, line) {
		r.hash, r.candidates, r.web = connection.Hash(m.msg.Host), m.lookup.ForTag(r.Tag()), fromWebServer(r.Tag())
		m.last = r
	}
}

// placeOf returns where a header has its place among the recent ones: by what stands behind the stamp, up to the
// process, of which the length and the ends are looked at.
func placeOf(line []byte, stamp int) uint64 {
	end := bytes.IndexByte(line[stamp:min(stamp+maxHeader, len(line))], '[')
	if end < 8 {
		return 0
	}
	names := line[stamp : stamp+end]
	h := uint64(end)<<56 ^ binary.LittleEndian.Uint64(names)*0x9e3779b97f4a7c15 ^ binary.LittleEndian.Uint64(names[end-8:])
	return h * 0x9e3779b97f4a7c15 >> 58 // of 64 places
}

// maxHeader bounds the names of a header that are told apart, in bytes.
const maxHeader = 128

// likeRecent reads a line that has the header of a recent one, if it does: mostly that of the last one.
func (m *Matcher) likeRecent(line []byte) bool {
	r := m.last
	if r == nil {
		return false
	}
	if !r.Cut(&m.msg, line) {
		if len(line) <= r.StampLength() {
			return false
		}
		if r = &m.recent[placeOf(line, r.StampLength())]; !r.Cut(&m.msg, line) {
			return false
		}
		m.last = r
	}
	m.batch.structure()
	if !r.web || !m.webBody(m.msg.Body, 1) {
		m.message(line, 1, r.hash, r.candidates)
	}
	return true
}

// cutLine reads a line whose header is cut into m.msg. It stands for a number of occurrences.
func (m *Matcher) cutLine(line []byte, occurrences uint64) {
	if fromWebServer(m.msg.Tag) && m.webBody(m.msg.Body, occurrences) {
		return
	}
	last := &m.tag
	if last.candidates == nil || !bytes.Equal(last.name, m.msg.Tag) {
		last.name = append(last.name[:0], m.msg.Tag...)
		last.candidates = m.lookup.ForTag(m.msg.Tag)
	}
	m.message(line, occurrences, m.hostHash(), last.candidates)
}

// The first bytes of what stands around messages.
var (
	repeated = [256]bool{'l': true, 'm': true}                       // "last message repeated", "message repeated"
	wrapped  = [256]bool{'p': true, '(': true, 'e': true, 'f': true} // "pam_unix", "(pam_unix)", "error: ", "fatal: "
)

// message finds the rule for m.msg.
func (m *Matcher) message(line []byte, occurrences, host uint64, candidates *rule.Candidates) {
	msg := &m.msg
	text, repeats, length := msg.Body, occurrences, len(msg.Body)
	if length > 0 && repeated[text[0]] {
		if n, ok := header.LastRepeated(text); ok {
			m.batch.repeat(host, n, msg.Stamp)
			return
		}
		if inner, n, ok := header.Repeated(text); ok {
			msg.Body, text, repeats, length = inner, inner, min(n*occurrences, header.MaxRepeats), len(inner)
			if fromWebServer(msg.Tag) && m.webBody(inner, repeats) {
				return
			}
		}
	}
	if msg.PAM != nil || length > 0 && wrapped[text[0]] {
		if found := m.candidatesForPAM(); found != nil {
			candidates = found
		}
		if text = msg.Body; msg.PAM == nil {
			text = cutLevel(text)
		}
	}
	match := candidates.Find(text)
	var found *rule.Rule
	if match != nil {
		found = match.Rule
	}
	if m.trace != nil {
		m.trace.header, m.trace.rule, m.trace.message = *msg, found, text
	}
	if found == nil || found.Role == rule.RoleIgnore {
		m.batch.quiet(host)
		if found == nil && m.missed && len(msg.Body) > 0 && m.lookup.Knows(msg.Tag) {
			m.batch.missed(line)
		}
		return
	}
	f := m.batch.message()
	f.stamp.Form, f.stamp.Text, f.line = msg.Stamp.Form, msg.Stamp.Text, line
	f.Rule, f.Text, f.Repeats, f.Host, f.PID = found, text, repeats, host, msg.PID
	f.Machine = m.src.machine(msg.Host)
	f.Bare = msg.PID == 0 && msg.Stamp.Form == header.None
	f.Fields, f.User = match.Fields, match.User
	clipped := msg.Clipped || found.Longest > 0 && length >= found.Longest
	if clipped && !found.SourceLeads() || match.SeveralHosts && ambiguous(msg) {
		f.Fields.Distrust()
		f.User = ""
	}
	f.counts = occurrences == 1 &&
		(found.Role == rule.RoleAttempt || found.Role == rule.RoleAnnounce || found.Role == rule.RoleEvent)
	if m.trace != nil {
		m.trace.says(&f.Fields, text)
	}
}

// candidatesForPAM returns the rules that may match what a PAM module wrote, and takes off m.msg
// what names the module; nil if none wrote it.
func (m *Matcher) candidatesForPAM() *rule.Candidates {
	msg, last := &m.msg, &m.pam
	if last.candidates != nil && msg.PAM == nil && bytes.HasPrefix(msg.Body, last.name) {
		msg.PAM, msg.Body = last.module, msg.Body[len(last.name):]
		return last.candidates
	}
	body := msg.Body
	service, ok := msg.CutPAM()
	if !ok {
		return nil
	}
	found := m.lookup.ForPAM(service)
	named := len(body) - len(msg.Body)
	if colon := bytes.IndexByte(body[:named], ':'); colon > 0 && colon < named-2 { // "pam_unix(sshd:auth): " names the service
		last.name = append(last.name[:0], body[:named]...)
		last.module = append(last.module[:0], msg.PAM...)
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

// ambiguous says whether what a PAM module wrote with more than one "rhost=" may hold a forged one.
//
// Modules repeat any name behind their own rhost=. Only pam_unix names none there but users that exist, so that the last
// one is its own, unless its option audit is on: then the name that stands as ruser= stands there again. A rule that takes the
// first one has a daemon that gives no ruser=.
func ambiguous(msg *header.Message) bool {
	const rhost, user = " rhost=", "  user="
	if string(msg.PAM) != "pam_unix" {
		return true
	}
	_, names, _ := bytes.Cut(msg.Body, []byte(" ruser="))
	for end := 0; ; end++ {
		next := bytes.Index(names[end:], []byte(rhost))
		if next < 0 {
			return false
		}
		end += next
		host := len(names) - end - len(rhost) - len(user) - end // what is left for it, if the name stands again at the end
		if host <= 0 {
			return false
		}
		rest := names[end+len(rhost):]
		if bytes.HasPrefix(rest[host:], []byte(user)) && bytes.Equal(rest[host+len(user):], names[:end]) {
			return true
		}
	}
}

func (m *Matcher) hostHash() uint64 {
	if !bytes.Equal(m.host.name, m.msg.Host) || m.host.hash == 0 {
		m.host.name = append(m.host.name[:0], m.msg.Host...)
		m.host.hash = connection.Hash(m.msg.Host)
	}
	return m.host.hash
}
