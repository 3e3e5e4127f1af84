package detect

import (
	"github.com/pialert/pialert/agent/internal/header"
	"github.com/pialert/pialert/agent/internal/rule"
	"github.com/pialert/pialert/agent/internal/value"
	"github.com/pialert/pialert/agent/internal/weblog"
)

// trace is what an engine made of a line, for [Explain] and [Test]. What it points to is valid
// until the next line.
type trace struct {
	typ     rule.Type // of the line; auto if it was not recognised
	header  header.Message
	message []byte // what rules were tried on
	rule    *rule.Rule
	named   *rule.Rule // the rule for error logs that handed its target to the rules for requests
	fields  rule.Fields
	client  value.Peer // of a web log's line
	status  uint16
	agent   []byte
	web     bool
}

// traceMessage takes note of the rule for e.msg.
func (e *Engine) traceMessage(src *Source, found *rule.Rule, text []byte) {
	if e.trace != nil {
		e.trace.header, e.trace.rule, e.trace.message = e.msg, found, text
	}
}

// traceWeb takes note of the rule for a web log's line.
func (e *Engine) traceWeb(found *rule.Rule) {
	t, w := e.trace, &e.web
	if t == nil {
		return
	}
	t.web, t.rule, t.named = true, found, w.named
	if w.complained {
		t.client, t.message = w.err.Client, w.err.Message
		t.fields = e.find.fields
		t.fields.Source, t.fields.Host, t.fields.Port = t.client.Addr, t.client.Host, t.client.Port
		return
	}
	a := &w.access
	t.client, t.message, t.status, t.agent = a.Client, a.Request, a.Status, a.Agent
	t.fields = rule.Fields{Source: a.Client.Addr, Host: a.Client.Host, Port: a.Client.Port, User: weblog.Unescape(a.User), Method: a.Method,
		Target: a.Target, Count: w.repeats}
}
