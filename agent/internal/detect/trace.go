package detect

import (
	"net/netip"

	"github.com/pialert/pialert/agent/internal/header"
	"github.com/pialert/pialert/agent/internal/rule"
	"github.com/pialert/pialert/agent/internal/weblog"
)

// trace is what a matcher made of a line, for [Explain] and [Test]. What it points to is valid
// until the next line.
type trace struct {
	header  header.Message
	message []byte // what rules were tried on
	rule    *rule.Rule
	named   *rule.Rule // the rule for error logs that handed its target to the rules for requests
	said    said
	web     rule.Type // of a web log's line: access or error
	status  uint16
	agent   []byte
}

// said is what a line says of a peer and what it tried.
type said struct {
	source                                        netip.Addr
	port                                          uint16
	count                                         uint64
	invalidUser                                   bool
	host, user, method, reason, target, tty, jail []byte
}

// says takes note of what a rule read from a text.
func (t *trace) says(f *rule.Fields, text []byte) {
	t.said = said{
		source: f.Source, port: f.Port, count: f.Count, invalidUser: f.InvalidUser, host: f.Host.In(text), user: f.User.In(text),
		method: f.Method.In(text), reason: f.Reason.In(text), target: f.Target.In(text), tty: f.TTY.In(text), jail: f.Jail.In(text),
	}
}

// request takes note of a line of an access log.
func (t *trace) request(a *weblog.Access, found *rule.Rule, repeats uint64) {
	t.web, t.rule, t.message, t.status, t.agent = rule.TypeAccess, found, a.Request, a.Status, a.Agent
	t.said = said{
		source: a.Client.Addr, host: a.Client.Host, port: a.Client.Port, user: weblog.Unescape(a.User), method: a.Method,
		target: a.Target, count: repeats,
	}
}

// complaint takes note of a line of an error log, beside what its rule read.
func (t *trace) complaint(e *weblog.Error, found, named *rule.Rule) {
	t.web, t.rule, t.named, t.message = rule.TypeError, found, named, e.Message
	t.said.source, t.said.host, t.said.port = e.Client.Addr, e.Client.Host, e.Client.Port
}
