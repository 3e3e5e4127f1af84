// Package rule reads, checks and finds rules: descriptions of how attacks look in logs, as data.
//
// The built-in rules are rules/*.yaml; a user's rules have the same form and are tried first. A
// rule's [Role] says what a line that it matches means for the connection that the line belongs to;
// package connection gives roles their meaning.
//
// A [Set] is immutable and may be used by any number of goroutines. It promises that every rule in
// it makes sense; a rule that does not is an error that names the file and the rule. It runs no
// examples: whoever has an engine does.
package rule

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/pialert/pialert/agent/internal/value"
	"github.com/pialert/pialert/pkg/attack"
)

// Type is a kind of log.
type Type string

// The types of logs. A log of type auto takes the type of its first line that is recognised.
const (
	TypeAuto   Type = "auto"
	TypeSyslog Type = "syslog" // any file that syslog writes, a journal, and daemons' own logs with stamp and tag
	TypeSSHD   Type = "sshd"   // the file that `sshd -E` writes: no header at all
	TypeAccess Type = "access" // requests, in Apache's or nginx' formats
	TypeError  Type = "error"  // Apache's or nginx' error log
)

// Types lists the types that a user may name.
func Types() []Type { return []Type{TypeAuto, TypeSyslog, TypeSSHD, TypeAccess, TypeError} }

// Role says what a line that a rule matches means for the connection it belongs to.
type Role string

// The roles. The first is for daemons whose lines stand alone; the others share a connection, see
// package connection.
const (
	RoleEvent    Role = "event"    // an attack by itself: one event for each line
	RoleStart    Role = "start"    // a connection begins; gives its address
	RoleAnnounce Role = "announce" // an attempt that a later attempt line will repeat
	RoleAttempt  Role = "attempt"  // an attempt: one password
	RoleTrial    Role = "trial"    // a weak try (a key, "none"): counts if nothing else on the connection does
	RoleAgain    Role = "again"    // a try that the server could not judge: an attempt if the peer failed before, and excused otherwise
	RoleDoubt    Role = "doubt"    // a failure that a later success takes back
	RoleProbe    Role = "probe"    // the connection tried nothing; counts unless something else did
	RoleEnd      Role = "end"      // the connection ends: what was in doubt counts now, and if nothing was, it was a probe
	RoleContext  Role = "context"  // nothing by itself, but may give the connection's address
	RoleSuccess  Role = "success"  // an authentication succeeded: takes doubts back; an event if the rule has a kind
	RoleIgnore   Role = "ignore"   // known, and no attack: ends the search for a rule
)

var roles = []Role{RoleEvent, RoleStart, RoleAnnounce, RoleAttempt, RoleTrial, RoleAgain, RoleDoubt,
	RoleProbe, RoleEnd, RoleContext, RoleSuccess, RoleIgnore}

// Rule is one way to recognise a line, checked and ready to use. It must not be changed. Its YAML
// form is that of entry, in file.go.
type Rule struct {
	ID       string          `yaml:"id"`
	Kind     attack.Kind     `yaml:"kind,omitempty"`
	Severity attack.Severity `yaml:"severity,omitempty"`
	Type     Type            `yaml:"type"`
	Service  string          `yaml:"service,omitempty"`
	Tags     []string        `yaml:"tags,omitempty"`
	PAM      []string        `yaml:"pam,omitempty"`
	Join     Join            `yaml:"join,omitempty"`
	Role     Role            `yaml:"role"`
	Pattern  string          `yaml:"pattern"`
	Method   string          `yaml:"method,omitempty"`
	Reason   string          `yaml:"reason,omitempty"`
	Reporter string          `yaml:"reporter,omitempty"`
	Asks     string          `yaml:"asks,omitempty"`
	Defer    bool            `yaml:"defer,omitempty"`
	Longest  int             `yaml:"longest,omitempty"`
	Twice    bool            `yaml:"twice,omitempty"`
	Root     bool            `yaml:"root,omitempty"`
	Setuid   []string        `yaml:"setuid,omitempty"`
	Accessed bool            `yaml:"accessed,omitempty"`
	Request  `yaml:",inline"`
	Note     string    `yaml:"note,omitempty"`
	Match    []Example `yaml:"match,omitempty"`
	NoMatch  []string  `yaml:"no_match,omitempty"`

	Origin string `yaml:"-"` // file that the rule stands in

	reporter uint8  // place in reporters, from 1; 0 if there is none
	number   int    // see Number
	family   uint32 // hash of the service
	asked    uint32 // hash of the service that is asked, 0 if none is

	compiled `yaml:"-"`
}

// Reporters is how many parties may write of the same attempts on one connection.
const Reporters = len(reporters)

// A directory is a PAM module that asks one, such as pam_sss, beside pam_unix in the same stack.
var reporters = [...]string{"daemon", "pam", "worker", "directory"}

// ReporterNumber returns which of the reporters writes the rule's lines, from 1, or 0 if the rule
// does not say.
func (r *Rule) ReporterNumber() uint8 { return r.reporter }

// Family is the same number for all rules of a service, and another one for any other service.
func (r *Rule) Family() uint32 { return r.family }

// Asked is the family of the service that the daemon asks about logins, and false if it asks none.
func (r *Rule) Asked() (uint32, bool) { return r.asked, r.Asks != "" }

// Number is the rule's place in its set, counted from the last one, which has 0: rules are tried from the highest
// number to the lowest. So a built-in rule has the same number beside any rules of the user.
func (r *Rule) Number() int { return r.number }

// Join says what the lines of one connection share.
type Join string

// The ways to join.
const (
	JoinPID    Join = "pid"    // host, service and process: a process serves one connection
	JoinSource Join = "source" // service and address: for daemons whose processes serve many
	JoinPeer   Join = "peer"   // service, address and, if a line has it, port: of those, for daemons that write the port
)

// Example is a line that a rule must match, with the fields that must come out of it. Fields that
// are empty are not compared. A line may leave out its header: then it is what stands behind the
// first tag of the rule.
type Example struct {
	Line       string     `yaml:"line"`
	SourceIP   netip.Addr `yaml:"source_ip,omitempty"`
	SourceHost string     `yaml:"source_host,omitempty"`
	SourcePort uint16     `yaml:"source_port,omitempty"`
	User       string     `yaml:"user,omitempty"`
	Method     string     `yaml:"method,omitempty"`
	Count      uint64     `yaml:"count,omitempty"`
}

// UnmarshalYAML accepts a bare line, too.
func (e *Example) UnmarshalYAML(node ast.Node) error {
	if line, ok := node.(*ast.StringNode); ok {
		e.Line = line.Value
		return nil
	}
	type plain Example
	return yaml.NodeToValue(node, (*plain)(e), yaml.Strict())
}

// check says what is wrong with the rule's fields, but for its pattern.
func (r *Rule) check() error {
	var problems []error
	problem := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	switch {
	case r.ID == "":
		problem("id is missing: give the rule a name of its own, such as my-app-login")
	case !validID(r.ID):
		problem("id %q: use lower case letters, digits, dots and dashes, at most %d", r.ID, attack.MaxRuleID)
	}
	if !slices.Contains(roles, r.Role) {
		problem("role %q is unknown: use one of %v", r.Role, roles)
	}
	if r.Join != JoinPID && r.Join != JoinSource && r.Join != JoinPeer {
		problem("join %q is unknown: use pid, source or peer", r.Join)
	}
	if r.Reporter != "" {
		r.reporter = uint8(slices.Index(reporters[:], r.Reporter) + 1)
		if r.reporter == 0 {
			problem("reporter %q is unknown: use one of %v", r.Reporter, reporters)
		}
	}
	if r.Asks != "" && (r.reporter == 0 || r.Role != RoleAttempt && r.Role != RoleEvent && r.Role != RoleTrial && r.Role != RoleAgain) {
		problem("asks: only an attempt, another one, a trial or an event with a reporter can be logged by another service as well")
	}
	if r.Type == TypeSyslog && len(r.Tags) == 0 && len(r.PAM) == 0 {
		problem("tags are missing: which programs write the line? (\"*\" for any)")
	}
	if r.Kind.Valid() && (r.Kind == attack.SSHAccepted || r.Kind == attack.LoginAccepted) && r.Role != RoleSuccess && r.Role != RoleEvent {
		problem("kind %v: a success is of the role success or event", r.Kind)
	}
	if r.Pattern == "" && r.Type != TypeAccess {
		problem("pattern is missing")
	}
	if err := r.checkRequest(); err != nil {
		problem("%w", err)
	}
	return errors.Join(problems...)
}

func validID(id string) bool {
	for i := range len(id) {
		if c := id[i]; !value.Digit(c) && (c < 'a' || c > 'z') && (i == 0 || c != '.' && c != '_' && c != '-') {
			return false
		}
	}
	return id != "" && len(id) <= attack.MaxRuleID
}

// Warning says what is dangerous about a rule that can be used, empty if nothing is: without an anchor
// at an end, whatever an attacker may type there can hold the words of the pattern, too.
func (r *Rule) Warning() string {
	if r.Type == TypeAccess || !r.Counts() {
		return ""
	}
	const so = ": who may type a user name that holds such a line chooses the address that is counted"
	switch starts, ends := strings.HasPrefix(r.Pattern, "^"), strings.HasSuffix(strings.TrimRight(r.Pattern, ")"), "$"); {
	case !starts && !ends:
		return "its pattern begins without ^ and ends without $" + so
	case !starts:
		return "its pattern begins without ^" + so
	case !ends:
		return "its pattern ends without $" + so
	}
	return ""
}

// Counts says whether the rule can make an event.
func (r *Rule) Counts() bool {
	switch r.Role {
	case RoleStart, RoleContext, RoleIgnore:
		return false
	case RoleSuccess:
		return r.Kind.Valid()
	}
	return true
}
