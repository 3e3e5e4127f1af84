package detect

import (
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
	fields  rule.Fields
	web     rule.Type // of a web log's line: access or error
	status  uint16
	agent   []byte
}

// request takes note of a line of an access log.
func (t *trace) request(a *weblog.Access, found *rule.Rule, repeats uint64) {
	t.web, t.rule, t.message, t.status, t.agent = rule.TypeAccess, found, a.Request, a.Status, a.Agent
	t.fields = rule.Fields{
		Source: a.Client.Addr, Host: a.Client.Host, Port: a.Client.Port, User: weblog.Unescape(a.User), Method: a.Method,
		Target: a.Target, Count: repeats,
	}
}

// complaint takes note of a line of an error log.
func (t *trace) complaint(e *weblog.Error, found, named *rule.Rule, fields rule.Fields) {
	t.web, t.rule, t.named, t.message, t.fields = rule.TypeError, found, named, e.Message, fields
	t.fields.Source, t.fields.Host, t.fields.Port = e.Client.Addr, e.Client.Host, e.Client.Port
}
