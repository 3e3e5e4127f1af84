package detect

import (
	"bytes"
	"time"

	"github.com/pialert/pialert/agent/internal/detect/episode"
	"github.com/pialert/pialert/agent/internal/header"
	"github.com/pialert/pialert/agent/internal/rule"
	"github.com/pialert/pialert/agent/internal/value"
	"github.com/pialert/pialert/agent/internal/weblog"
	"github.com/pialert/pialert/pkg/attack"
)

// web is what an Engine has for access and error logs.
type web struct {
	rules      *rule.Requests
	access     weblog.Access
	err        weblog.Error
	complained bool       // the line at work is of an error log
	named      *rule.Rule // the rule for error logs that named its target
	twins      twins
	floods     *episode.Detector
	repeats    uint64    // occurrences that the line at work stands for
	log        string    // its log, for a flood that it starts
	observed   time.Time // when the last request was read
}

// webSource is what a Source has if it is an access or error log.
type webSource struct {
	reader weblog.Reader
	clock  weblog.Clock
	syslog bool // the last line had a header of syslog's
}

// newWeb prepares for web logs.
func (e *Engine) newWeb() {
	e.web.repeats = 1
	if e.opts.Floods != nil {
		e.web.floods = episode.New(*e.opts.Floods, e.emitFlood)
	}
}

// feedWeb reads a line of an access or error log. It may have a header of syslog's.
func (e *Engine) feedWeb(src *Source, line []byte) {
	if src.web.syslog && e.msg.Cut(line) && e.feedWebBody(src, e.msg.Body) {
		return
	}
	if e.feedWebText(src, line) {
		src.web.syslog = false
		return
	}
	if !src.web.syslog && e.msg.Cut(line) {
		src.web.syslog = e.feedWebBody(src, e.msg.Body)
	}
}

// feedWebMessage reads what a web server wrote to syslog, so many times over, and reports whether
// that is a line of an access or error log.
func (e *Engine) feedWebMessage(src *Source, repeats uint64) bool {
	if !fromWebServer(e.msg.Tag) {
		return false
	}
	e.web.repeats = min(repeats, header.MaxRepeats)
	read := e.feedWebBody(src, e.msg.Body)
	e.web.repeats = 1
	return read
}

// fromWebServer says whether a tag in a syslog is that of a server whose access and error logs are
// known.
func fromWebServer(tag []byte) bool {
	switch string(tag) {
	case "nginx", "apache2", "apache", "httpd":
		return true
	}
	return false
}

// feedWebBody reads what stands behind a header of syslog's. nginx writes that header itself, and
// a relay may have wrapped it in its own.
func (e *Engine) feedWebBody(src *Source, body []byte) bool {
	if e.feedWebText(src, body) {
		return true
	}
	inner, text, ok := bytes.Cut(body, []byte("nginx: "))
	return ok && len(inner) <= attack.MaxName && len(bytes.Fields(inner)) <= 1 && e.feedWebText(src, text)
}

func (e *Engine) feedWebText(src *Source, line []byte) bool {
	if len(line) > maxWebLine {
		line = line[:maxWebLine]
	}
	w := &e.web
	if w.rules == nil {
		w.rules = e.opts.Rules.Requests()
	}
	src.web.clock.Zone = e.opts.Location
	w.complained = false
	switch {
	case src.typ != rule.TypeError && src.web.reader.Access(line, &w.access):
		e.request(src)
	case src.typ != rule.TypeAccess && (weblog.ApacheError(line, &w.err) || weblog.NginxError(line, &w.err)):
		w.complained = true
		e.complaint(src)
	default:
		return false
	}
	return true
}

// maxWebLine is how much of a line is read. Servers accept 8 KiB of a target by default, and
// escapes make four bytes of one.
const maxWebLine = 64 << 10

// request looks at the request of an access log.
func (e *Engine) request(src *Source) {
	w, a := &e.web, &e.web.access
	found := w.rules.Verdict(a)
	e.traceWeb(found)
	if e.ignores(a.Client.Addr) {
		if found != nil && found.Role != rule.RoleIgnore {
			e.ignored += w.repeats
		}
		return
	}
	logged, dated := src.web.clock.Access(a.Stamp)
	at := logged
	if !dated {
		at = e.observed
	}
	if w.floods != nil && a.Client.Addr.IsValid() && a.Method != nil {
		w.log, w.observed = src.name, e.observed
		w.floods.Add(a.Client.Addr, a.Method, at)
	}
	if found == nil {
		return
	}
	e.emitWeb(src, found, webFinding{
		client: a.Client, logged: logged, dated: dated, at: at, access: true,
		user: a.User, method: a.Method, target: a.Target, request: a.Request, agent: a.Agent, host: a.Host, status: a.Status,
	})
}

// complaint looks at the line of an error log.
func (e *Engine) complaint(src *Source) {
	w, line := &e.web, &e.web.err
	w.named = nil
	var found *rule.Rule
	found, e.loc = w.rules.Error(line, e.loc)
	p := &e.find.fields
	*p = rule.Fields{}
	if found == nil || found.Role == rule.RoleIgnore {
		e.traceWeb(found)
		return
	}
	p.Read(found, line.Message, e.loc)
	if found.In == rule.PartTarget {
		// The server names what it was asked for; the rules for requests say what that means.
		w.named = found
		w.access = weblog.Access{Method: get, Target: p.Target, Status: 404}
		if verdict := w.rules.Verdict(&w.access); verdict != nil {
			found = verdict
		} else if !found.Always {
			e.traceWeb(nil)
			return
		}
	}
	e.traceWeb(found)
	if e.ignores(line.Client.Addr) {
		e.ignored += w.repeats
		return
	}
	read := src.web.clock.Apache
	if line.Nginx {
		read = src.web.clock.Nginx
	}
	logged, dated := read(line.Stamp)
	at := logged
	if !dated {
		at = e.observed
	}
	e.emitWeb(src, found, webFinding{
		client: line.Client, logged: logged, dated: dated, at: at,
		user: p.User, target: p.Target, request: line.Request, host: line.Host, reason: p.Reason,
	})
}

var get = []byte("GET") // what is asked for a file

// webFinding is a line of a web log that a rule matched.
type webFinding struct {
	client               value.Peer
	logged               time.Time
	dated                bool
	at                   time.Time // logged, or else observed
	access               bool      // of an access log
	user, method, target []byte
	request, agent, host []byte
	reason               []byte
	status               uint16
}

// emitWeb reports what a rule found, unless the other log told of the same request.
func (e *Engine) emitWeb(src *Source, r *rule.Rule, f webFinding) {
	if r.Role == rule.RoleIgnore || e.web.twins.seen(r, &f) {
		return
	}
	ev := &e.event
	e.begin(r, e.web.repeats, src.mem)
	if f.dated {
		ev.Logged = f.logged
	}
	ev.SourceIP, ev.SourcePort = f.client.Addr, f.client.Port
	if !ev.SourceIP.IsValid() {
		ev.SourceHost = e.intern(f.client.Host)
	}
	if len(f.user) > 0 && string(f.user) != `""` {
		ev.User = e.intern(weblog.Unescape(f.user))
	}
	if f.target == nil {
		f.target = f.request
	}
	switch r.Kind {
	case attack.WebLogin:
		ev.Detail = attack.Service{Name: attack.Clip(r.Service, attack.MaxWord), Reason: clipped(f.reason, attack.MaxText)}
	default:
		ev.Detail = attack.HTTP{
			Method: clipped(f.method, attack.MaxWord), Target: clipped(f.target, attack.MaxText), Status: f.status,
			UserAgent: clipped(f.agent, attack.MaxText), Host: clipped(f.host, attack.MaxName),
		}
	}
	e.opts.Emit(ev, src.lines)
}

func clipped(text []byte, n int) string { return string(text[:min(len(text), n)]) }

// emitFlood reports what the flood detector found.
func (e *Engine) emitFlood(f episode.Event) {
	e.event = attack.Event{
		Kind: attack.HTTPFlood, Severity: attack.HTTPFlood.Severity(), Rule: "http-flood",
		Logged: f.At, Observed: e.observed, Count: min(f.Count, attack.MaxCount), Log: e.web.log, Detail: f.Flood,
	}
	if f.Network.IsSingleIP() {
		e.event.SourceIP = f.Network.Addr()
	}
	e.opts.Emit(&e.event, 0)
}

// tickWeb ends floods that stopped. While requests are read their own times do that, which may be
// far behind the clock; so the clock does it only once there were none for a while.
func (e *Engine) tickWeb(now time.Time) {
	w := &e.web
	if w.floods == nil {
		return
	}
	if w.observed.IsZero() {
		w.observed = now
	}
	if quiet := now.Add(-floodGrace); quiet.After(w.observed) {
		w.floods.Tick(quiet)
	}
}

// floodGrace is how long no request was read when the clock starts to end floods.
const floodGrace = 10 * time.Second

// finishWeb ends the floods when there is nothing more to read.
func (e *Engine) finishWeb() {
	if e.web.floods != nil {
		e.web.floods.Finish()
	}
}
