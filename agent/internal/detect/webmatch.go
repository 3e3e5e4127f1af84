package detect

import (
	"bytes"

	"github.com/pialert/pialert/agent/internal/detect/connection"
	"github.com/pialert/pialert/agent/internal/rule"
	"github.com/pialert/pialert/agent/internal/weblog"
	"github.com/pialert/pialert/pkg/attack"
)

// maxWebLine is how much of a line is read. Servers accept 8 KiB of a target by default, and
// escapes make four bytes of one.
const maxWebLine = 64 << 10

// fromWebServer says whether a tag in a syslog is that of a server whose access and error logs are
// known. One of several instances has its name behind a slash.
func fromWebServer(tag []byte) bool {
	name, _, _ := bytes.Cut(tag, []byte("/"))
	switch string(name) {
	case "nginx", "apache2", "apache", "httpd", "haproxy", "caddy", "traefik", "lighttpd":
		return true
	}
	return false
}

// webBody reads what stands behind a header of syslog's, so many times over, and reports whether
// that is a line of a web log. nginx writes that header itself, and a relay may have wrapped it in
// its own.
func (m *Matcher) webBody(body []byte, repeats uint64) bool {
	m.machine = m.src.machine(m.msg.Host)
	defer func() { m.machine = nil }()
	if m.webLine(body, repeats) {
		return true
	}
	inner, text, ok := bytes.Cut(body, []byte("nginx: "))
	return ok && len(inner) <= attack.MaxName && len(bytes.Fields(inner)) <= 1 && m.webLine(text, repeats)
}

// webLine reads a line of an access or error log and reports whether it is one.
func (m *Matcher) webLine(line []byte, repeats uint64) bool {
	if len(line) > maxWebLine {
		line = line[:maxWebLine]
	}
	if m.requests == nil {
		m.requests = m.rules.Requests()
	}
	m.text = line
	switch {
	case m.src.typ != rule.TypeError && m.access.Access(line, &m.req):
		m.request(repeats)
	case m.src.typ != rule.TypeAccess && (weblog.ApacheError(line, &m.fault) || weblog.NginxError(line, &m.fault)):
		m.complaint(repeats)
	default:
		return false
	}
	m.batch.structure()
	return true
}

// request looks at the request of an access log.
func (m *Matcher) request(repeats uint64) {
	a := &m.req
	found := m.requests.Verdict(a)
	if m.trace != nil {
		m.trace.request(a, found, repeats)
	}
	if found != nil && found.Role == rule.RoleIgnore {
		found = nil
	}
	if found == nil && !m.all {
		return
	}
	logged, dated := m.clock.Access(a.Stamp)
	if m.all {
		v := m.batch.visit()
		v.machine, v.addr, v.logged, v.dated, v.method = m.machine, a.Client.Addr, logged, dated, a.Method
		v.missing, v.linked = isMissing(a), string(a.Referer) != ""
		if v.missing {
			path, _, _ := bytes.Cut(a.Target, []byte("?"))
			v.path = connection.ShortHash(path)
		}
	}
	if found == nil {
		return
	}
	r := m.batch.request()
	r.rule, r.client, r.access, r.repeats = found, a.Client, true, repeats
	r.logged, r.dated = logged, dated
	r.user, r.method, r.target, r.request, r.agent, r.host = a.User, a.Method, a.Target, a.Request, a.Agent, a.Host
	r.status, r.answer, r.machine = a.Status, a.Status, m.machine
}

// isMissing says whether a client asked for what is not there, or not for it.
func isMissing(a *weblog.Access) bool {
	switch a.Status {
	case 400, 403, 404, 410:
		return true
	}
	return false
}

// complaint looks at the line of an error log.
func (m *Matcher) complaint(repeats uint64) {
	line := &m.fault
	var fields rule.Fields
	var named *rule.Rule
	found := m.requests.Error(line, &fields)
	user, target, reason := fields.User.In(line.Message), fields.Target.In(line.Message), fields.Reason.In(line.Message)
	if found != nil {
		if user == nil {
			user = line.User
		}
		if found.In == rule.PartTarget {
			// The server names what it was asked for; the rules for requests say what that means.
			named = found
			m.req = weblog.Access{Method: get, Target: target}
			if len(found.Status) > 0 {
				m.req.Status = found.Status[0]
			}
			if asked := line.Target(); asked != nil {
				m.req.Target = asked
			}
			if verdict := m.verdictOfPath(); verdict != nil {
				found = verdict
			} else if !found.Always {
				found = nil
			}
		}
	}
	if m.trace != nil {
		m.trace.says(&fields, line.Message)
		m.trace.said.user = user
		m.trace.complaint(line, found, named)
	}
	if found == nil && named == nil && m.missed {
		m.batch.missed(m.text)
	}
	if found == nil || found.Role == rule.RoleIgnore {
		return
	}
	read := m.clock.Apache
	if line.Nginx {
		read = m.clock.Nginx
	}
	r := m.batch.request()
	r.rule, r.client, r.repeats = found, line.Client, repeats
	r.logged, r.dated = read(line.Stamp)
	if named == nil {
		named = found
	}
	if len(named.Status) > 0 && named.Type == rule.TypeError {
		r.answer = named.Status[0]
	}
	r.user, r.target, r.request, r.host, r.reason = user, target, line.Request, line.Host, reason
	r.unique, r.machine = line.Unique, m.machine
}

// verdictOfPath returns the rule for the path that an error log names. What is no path says nothing.
func (m *Matcher) verdictOfPath() *rule.Rule {
	if len(m.req.Target) == 0 || m.req.Target[0] != '/' {
		return nil
	}
	return m.requests.Verdict(&m.req)
}

var get = []byte("GET") // what is asked for a file
