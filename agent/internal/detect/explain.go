package detect

import (
	"fmt"
	"net/netip"
	"strings"
)

// Explanation says what detection makes of one line by itself.
type Explanation struct {
	Type    Type   // kind of log, auto if it was not recognised
	Host    string // that logged the line
	Tag     string // program that wrote it
	PID     uint32
	PAM     string // PAM module, if one wrote it
	Message string // what was looked at
	Rule    *Rule  // nil if none matches
	Fields  []Field
	Why     string // why there is no rule, or what becomes of the line
}

// Field is a field that a rule read, by its name in rules.
type Field struct{ Name, Value string }

// Explain says which log a line is of, which rule it matches and with which fields, or why none.
func (s *Rules) Explain(line string) Explanation {
	var c classified
	text := []byte(line)
	source := Source{typ: TypeAuto}
	c.header = c.message.cut(text)
	source.recognise(text, c.header)
	x := Explanation{Type: source.typ}
	if source.typ == TypeAccess || source.typ == TypeError {
		s.explainWeb(&x, text)
		return x
	}
	if !c.header {
		c.message = message{tag: sshdTag, body: trimEnd(text)}
	}
	m := &c.message
	if fromWebServer(m.tag) && s.explainWeb(&x, text) {
		x.Tag, x.PID = string(m.tag), m.pid
		return x
	}
	c.find(s)
	x.Host, x.Tag, x.PID, x.PAM, x.Message = string(m.host), string(m.tag), m.pid, string(m.pam), string(m.body)
	if c.rule == nil {
		x.Why = s.why(&c)
		return x
	}
	if !c.header {
		x.Type = TypeSSHD
	}
	x.Rule, x.Fields, x.Why = c.rule, c.fields.list(), meaning[c.rule.Role]
	return x
}

// why says why no rule matches a message.
func (s *Rules) why(c *classified) string {
	m := &c.message
	if !c.header {
		return "the line has no header that syslog or a journal writes, and is none of sshd's messages"
	}
	names, tag := func(r *Rule) []string { return r.Tags }, m.tag
	if m.pam != nil {
		return fmt.Sprintf("no rule for what %s says on behalf of a PAM service matches the message", m.pam)
	}
	var ids []string
	for _, rule := range s.index.byType[TypeSyslog] {
		if fits(names(rule), tag, false) {
			ids = append(ids, rule.ID)
		}
	}
	if len(ids) == 0 {
		return fmt.Sprintf("no rule is for the program %q", tag)
	}
	return fmt.Sprintf("none of the rules for %q matches the message: %s", tag, strings.Join(ids, ", "))
}

// meaning is what becomes of a line, by its rule's role.
var meaning = map[Role]string{
	RoleEvent:    "counts by itself",
	RoleStart:    "a connection begins; counts nothing",
	RoleAnnounce: "counts one attempt, unless an earlier line of the connection told of it",
	RoleAttempt:  "counts one attempt, unless an earlier line of the connection told of it",
	RoleTrial:    "counts at the end of the connection, unless something else did or the login succeeded",
	RoleDoubt:    "counts unless the connection's next lines tell of the same attempt, or of a success",
	RoleProbe:    "counts as a probe, unless something was counted on the connection",
	RoleEnd:      "ends the connection, and counts unless something was counted on it",
	RoleContext:  "counts nothing, but may give the connection's address",
	RoleSuccess:  "a success: takes back what was in doubt",
	RoleIgnore:   "known, and no attack",
}

// list returns the fields that the line has.
func (f *fields) list() []Field {
	var all []Field
	add := func(name, value string) {
		if value != "" {
			all = append(all, Field{name, value})
		}
	}
	if f.source != (netip.Addr{}) {
		add("source_ip", f.source.String())
	}
	add("source_host", string(f.host))
	if f.port != 0 {
		add("source_port", fmt.Sprint(f.port))
	}
	add("user", string(f.user))
	add("method", string(f.method))
	add("reason", string(f.reason))
	add("target", string(f.target))
	add("tty", string(f.tty))
	add("jail", string(f.jail))
	if f.count != 1 {
		add("count", fmt.Sprint(f.count))
	}
	if f.exact {
		add("invalid_user", "true")
	}
	return all
}
