package detect

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pialert/pialert/agent/internal/header"
	"github.com/pialert/pialert/agent/internal/rule"
	"github.com/pialert/pialert/agent/internal/weblog"
	"github.com/pialert/pialert/pkg/attack"
)

// Explanation says what an engine makes of one line by itself.
type Explanation struct {
	Type    rule.Type // kind of log, auto if it was not recognised
	Host    string    // that logged the line
	Tag     string    // program that wrote it
	PID     uint32
	Message string     // what was looked at
	Rule    *rule.Rule // nil if none matches
	Fields  []Field
	Why     string // why there is no rule, or what becomes of the line
}

// Field is a field that a rule read, by its name in rules.
type Field struct{ Name, Value string }

// Explain feeds one line to an engine with the given rules and ignored addresses, and says which
// log the line is of, which rule it matches and with which fields, or why none.
func Explain(opts Options, line string) (Explanation, error) {
	events := 0
	opts.Remember, opts.Floods, opts.Emit = false, nil, func(*attack.Event, uint64) { events++ }
	e, err := New(opts)
	if err != nil {
		return Explanation{}, err
	}
	t := trace{}
	e.matcher.trace = &t
	e.Feed(&Source{typ: rule.TypeAuto}, []byte(line), time.Now())
	e.Finish()
	typ := t.logType(line)
	x := Explanation{
		Type: typ, Host: string(t.header.Host), Tag: string(t.header.Tag), PID: t.header.PID,
		Message: string(t.message), Rule: t.rule,
	}
	if t.rule != nil || t.web != "" {
		x.Fields = t.list()
	}
	switch ignored := e.Stats().Ignored > 0 && events == 0; {
	case t.rule == nil:
		x.Why = t.why(opts.Rules, typ)
	case ignored:
		x.Why = "counts nothing: its address is one of those that the configuration ignores"
	case t.rule.Role == rule.RoleEvent && t.web != "":
		x.Why = "counts by itself, unless the server's other log has the same request"
	default:
		x.Why = meaning[t.rule.Role]
	}
	return x, nil
}

// logType returns the kind of log that a line is of.
func (t *trace) logType(line string) rule.Type {
	var m header.Message
	switch {
	case m.Cut([]byte(line)):
		return rule.TypeSyslog
	case t.web != "":
		return t.web
	case weblog.IsError([]byte(line)):
		return rule.TypeError
	case weblog.IsAccess([]byte(line)):
		return rule.TypeAccess
	case t.rule != nil:
		return rule.TypeSSHD
	}
	return rule.TypeAuto
}

// why says why no rule matches a line.
func (t *trace) why(rules *rule.Set, typ rule.Type) string {
	switch {
	case t.web != "":
		return "no rule matches the request, or what the server complains about"
	case typ == rule.TypeAccess || typ == rule.TypeError:
		return "the line has none of the usual formats; give the log's format if it has its own"
	case typ == rule.TypeAuto:
		return "the line has no header that syslog or a journal writes, and is none of sshd's messages"
	case t.header.PAM != nil:
		return fmt.Sprintf("no rule for what %s says on behalf of a PAM service matches the message", t.header.PAM)
	}
	var ids []string
	for _, r := range rules.List() {
		if slices.Contains(r.Tags, string(t.header.Tag)) {
			ids = append(ids, r.ID)
		}
	}
	if len(ids) == 0 {
		return fmt.Sprintf("no rule is for the program %q", t.header.Tag)
	}
	return fmt.Sprintf("none of the rules for %q matches the message: %s", t.header.Tag, strings.Join(ids, ", "))
}

// meaning is what becomes of a line, by its rule's role.
var meaning = map[rule.Role]string{
	rule.RoleEvent:    "counts by itself",
	rule.RoleStart:    "a connection begins; counts nothing",
	rule.RoleAnnounce: "counts one attempt, unless an earlier line of the connection counted it",
	rule.RoleAttempt:  "counts one attempt, unless an earlier line of the connection counted it",
	rule.RoleTrial:    "counts at the end of the connection, unless something else did or the login succeeded",
	rule.RoleAgain:    "counts one attempt if the address has just failed before",
	rule.RoleDoubt:    "counts unless the connection's next lines are of the same attempt, or of a success",
	rule.RoleProbe:    "counts as a probe, unless something was counted on the connection",
	rule.RoleEnd:      "ends the connection, and counts unless something was counted on it",
	rule.RoleContext:  "counts nothing, but may give the connection's address",
	rule.RoleSuccess:  "a success: takes back what was in doubt",
	rule.RoleIgnore:   "known, and no attack",
}

// list returns the fields that the line has.
func (t *trace) list() []Field {
	var all []Field
	add := func(name, value string) {
		if value != "" {
			all = append(all, Field{name, value})
		}
	}
	f := &t.said
	if f.source.IsValid() {
		add("source_ip", f.source.String())
	}
	add("source_host", string(f.host))
	if f.port != 0 {
		add("source_port", strconv.Itoa(int(f.port)))
	}
	add("user", string(f.user))
	add("method", string(f.method))
	add("reason", string(f.reason))
	add("target", string(f.target))
	if t.status != 0 {
		add("status", strconv.Itoa(int(t.status)))
	}
	add("agent", string(t.agent))
	add("tty", string(f.tty))
	add("jail", string(f.jail))
	if f.count > 1 {
		add("count", strconv.FormatUint(f.count, 10))
	}
	if f.invalidUser {
		add("invalid_user", "true")
	}
	return all
}
