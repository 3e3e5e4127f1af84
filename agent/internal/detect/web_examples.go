package detect

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// explainWeb fills in what the line of an access or error log says, and reports whether it is one.
func (s *Rules) explainWeb(x *Explanation, line []byte) bool {
	e, err := New(Options{Rules: s, Emit: func(*attack.Event, uint64) {}})
	if err != nil {
		x.Why = err.Error()
		return false
	}
	src := &Source{typ: x.Type}
	e.Feed(src, line, time.Unix(0, 0))
	if !src.web.read {
		x.Why = "the line has none of the usual formats; give the log's format if it has its own"
		return false
	}
	w := &e.web
	add := func(name string, value []byte) {
		if len(value) > 0 {
			x.Fields = append(x.Fields, Field{name, string(value)})
		}
	}
	client := w.access.Client
	if w.complained {
		client = w.err.Client
		x.Message = string(w.err.Message)
	}
	if client.Addr.IsValid() {
		add("source_ip", []byte(client.Addr.String()))
	}
	add("source_host", client.Name)
	if client.Port != 0 {
		add("source_port", strconv.AppendUint(nil, uint64(client.Port), 10))
	}
	if w.complained {
		add("user", e.find.fields.user)
		add("target", e.find.fields.target)
	} else {
		x.Host, x.Message = string(w.access.Host), string(w.access.Request)
		add("user", w.access.User)
		add("method", w.access.Method)
		add("target", w.access.Target)
		add("status", strconv.AppendUint(nil, uint64(w.access.Status), 10))
		add("agent", w.access.Agent)
	}
	x.Rule = w.rule
	switch {
	case x.Rule != nil && x.Rule.Role == RoleIgnore:
		x.Why = meaning[RoleIgnore]
	case x.Rule != nil:
		x.Why = "counts by itself, unless the server's other log told of the same request"
	default:
		x.Why = "no rule matches the request, or what the server complains about"
	}
	return true
}

// classifyWeb finds the rule for an example of a rule for web logs. The line of an access log may
// be shortened to "METHOD TARGET" or "METHOD TARGET STATUS".
func (c *classified) classifyWeb(s *Rules, r *Rule, line string) {
	if r.Type == TypeAccess && !strings.Contains(line, `"`) {
		line = spelledOut(line)
	}
	e, err := New(Options{Rules: s, Emit: func(ev *attack.Event, _ uint64) {
		c.fields = fields{source: ev.SourceIP, host: []byte(ev.SourceHost), port: ev.SourcePort, user: []byte(ev.User), count: ev.Count}
	}})
	if err != nil {
		return
	}
	e.Feed(&Source{typ: r.Type}, []byte(line), time.Unix(0, 0))
	if c.rule = e.web.rule; c.rule != nil && e.web.named == r {
		c.rule = r // the rule for requests that took over has examples of its own
	}
}

// spelledOut writes the line of an access log for a shortened one.
func spelledOut(short string) string {
	request, status := short, "404"
	if space := strings.LastIndexByte(short, ' '); space >= 0 {
		if _, err := strconv.Atoi(short[space+1:]); err == nil {
			request, status = short[:space], short[space+1:]
		}
	}
	return exampleClient.String() + ` - - [01/Jan/2026:00:00:00 +0000] "` + request + ` HTTP/1.1" ` + status + ` 0 "-" "-"`
}

var exampleClient = netip.MustParseAddr("192.0.2.7")
