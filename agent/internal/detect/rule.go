package detect

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"

	"github.com/pialert/pialert/agent/internal/pattern"
	"github.com/pialert/pialert/pkg/attack"
)

// Role says what a line that a rule matches means for the connection it belongs to.
type Role string

// The roles. The first is for daemons whose lines stand alone; the others share a connection, see
// join.go.
const (
	RoleEvent    Role = "event"    // an attack by itself: one event for each line
	RoleStart    Role = "start"    // a connection begins; gives its address
	RoleAnnounce Role = "announce" // an attempt that a later attempt line will repeat
	RoleAttempt  Role = "attempt"  // an attempt: one password
	RoleEcho     Role = "echo"     // an attempt that the next attempt line of the same kind repeats
	RoleTrial    Role = "trial"    // a weak try (a key, "none"): counts if nothing else on the connection does
	RoleDoubt    Role = "doubt"    // a failure that a later success takes back
	RoleProbe    Role = "probe"    // the connection tried nothing; counts unless something else did
	RoleEnd      Role = "end"      // the connection ends: what was in doubt counts now, and if nothing was, it was a probe
	RoleContext  Role = "context"  // nothing by itself, but may give the connection's address
	RoleSuccess  Role = "success"  // an authentication succeeded: takes doubts back
	RoleIgnore   Role = "ignore"   // known, and no attack: ends the search for a rule
)

var roles = []Role{RoleEvent, RoleStart, RoleAnnounce, RoleAttempt, RoleEcho, RoleTrial, RoleDoubt,
	RoleProbe, RoleEnd, RoleContext, RoleSuccess, RoleIgnore}

// Rule is one way to recognise a line. The zero values of the optional fields take the value of
// the file's header, see [Load].
type Rule struct {
	ID       string          `yaml:"id"`
	Kind     attack.Kind     `yaml:"kind,omitempty"`     // what the event is; not needed for start, context, success and ignore
	Severity attack.Severity `yaml:"severity,omitempty"` // default: the kind's
	Type     Type            `yaml:"type,omitempty"`     // kind of log; default syslog
	Service  string          `yaml:"service,omitempty"`  // daemon; joins lines, and names it in events
	Tags     []string        `yaml:"tags,omitempty"`     // syslog tags, "*" stands for any text
	PAM      []string        `yaml:"pam,omitempty"`      // instead of tags: PAM services whose messages the rule reads
	Join     Join            `yaml:"join,omitempty"`     // what lines of one connection share
	Role     Role            `yaml:"role,omitempty"`     // default event
	Pattern  string          `yaml:"pattern"`            // of the message behind the tag; see groupNames
	Method   string          `yaml:"method,omitempty"`   // method of the attempt, if no group gives it
	Reason   string          `yaml:"reason,omitempty"`   // what a probe did, if no group gives it
	Echoed   bool            `yaml:"echoed,omitempty"`   // the attempt may be told again by a line of role echo
	Defer    bool            `yaml:"defer,omitempty"`    // the end is better told by the connection's next line, if one comes
	Longest  int             `yaml:"longest,omitempty"`  // messages of this many bytes were cut: no address or name in them is trusted
	Note     string          `yaml:"note,omitempty"`     // for people: which daemon writes this, and when
	Match    []Example       `yaml:"match"`              // lines that the rule must match
	NoMatch  []string        `yaml:"no_match,omitempty"` // lines that it must not match

	Origin string `yaml:"-"` // file that the rule stands in

	expr    *pattern.Pattern
	groups  groups
	number  int           // place in the set of rules
	family  uint32        // hash of the service
	details attack.Detail // the detail of every event of the rule, if no group changes it
}

// Join says what the lines of one connection share.
type Join string

// The ways to join.
const (
	JoinPID    Join = "pid"    // host, service and process: a process serves one connection
	JoinSource Join = "source" // service and address: for daemons whose processes serve many
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
func (e *Example) UnmarshalYAML(unmarshal func(any) error) error {
	if unmarshal(&e.Line) == nil {
		return nil
	}
	type plain Example
	return unmarshal((*plain)(e))
}

// groups holds for each group name the position of its start in a match's indexes, or -1.
type groups struct {
	source, port, user, method, reason, invalid, count, target, tty, jail, pid int
}

// groupNames are the named groups that a pattern may have, with what they mean.
func (g *groups) byName(name string) *int {
	switch name {
	case "source": // address or name of the attacker; required to be where the daemon writes it
		return &g.source
	case "port":
		return &g.port
	case "user":
		return &g.user
	case "method":
		return &g.method
	case "reason":
		return &g.reason
	case "invalid": // took part in the match: the daemon says that there is no such account
		return &g.invalid
	case "count": // attempts that the line sums up
		return &g.count
	case "target": // account that was to be become
		return &g.target
	case "tty":
		return &g.tty
	case "jail":
		return &g.jail
	case "pid": // process of the connection, where another one writes the line
		return &g.pid
	}
	return nil
}

var ruleID = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]*$`)

// compile checks the rule and prepares it for matching.
func (r *Rule) compile() error {
	if r.Type == "" {
		r.Type = TypeSyslog
	}
	if r.Role == "" {
		r.Role = RoleEvent
	}
	if r.Join == "" {
		r.Join = JoinPID
	}
	var problems []error
	problem := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if !ruleID.MatchString(r.ID) || len(r.ID) > attack.MaxRuleID {
		problem("id %q: use lower case letters, digits, dots and dashes, at most %d", r.ID, attack.MaxRuleID)
	}
	if !slices.Contains(roles, r.Role) {
		problem("role %q is unknown: use one of %v", r.Role, roles)
	}
	if r.Join != JoinPID && r.Join != JoinSource {
		problem("join %q is unknown: use pid or source", r.Join)
	}
	if r.counts() && !r.Kind.Valid() {
		problem("kind is missing: use one of %v", attack.Kinds())
	}
	if r.Severity == 0 {
		r.Severity = r.Kind.Severity()
	}
	if r.Type == TypeSyslog && len(r.Tags) == 0 && len(r.PAM) == 0 {
		problem("tags are missing: which programs write the line? (\"*\" for any)")
	}
	if len(r.Match) == 0 {
		problem("match is missing: give at least one example line")
	}
	if err := r.compilePattern(); err != nil {
		problem("pattern: %w", err)
	}
	return errors.Join(problems...)
}

func (r *Rule) compilePattern() error {
	if r.Pattern == "" {
		return errors.New("is missing")
	}
	expr, err := pattern.Compile(r.Pattern)
	if err != nil {
		return err
	}
	r.expr = expr
	r.groups = groups{-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1}
	for i, name := range expr.Names() {
		if name == "" {
			continue
		}
		slot := r.groups.byName(name)
		if slot == nil {
			return fmt.Errorf("the group %q has no meaning: use source, port, user, method, reason, invalid, count, target, tty, jail or pid", name)
		}
		if *slot < 0 {
			*slot = 2 * i
		}
	}
	return nil
}

// counts says whether the rule can make an event.
func (r *Rule) counts() bool {
	switch r.Role {
	case RoleStart, RoleContext, RoleSuccess, RoleIgnore:
		return false
	}
	return true
}

// match returns the indexes of the rule's groups in text, stored over loc.
func (r *Rule) match(text []byte, loc []int) ([]int, bool) {
	if required := r.expr.Required(); required != "" && r.expr.Prefix() == "" && !bytes.Contains(text, []byte(required)) {
		return loc[:0], false
	}
	return r.expr.Match(text, loc)
}
