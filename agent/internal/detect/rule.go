package detect

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

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
	RoleTrial    Role = "trial"    // a weak try (a key, "none"): counts if nothing else on the connection does
	RoleDoubt    Role = "doubt"    // a failure that a later success takes back
	RoleProbe    Role = "probe"    // the connection tried nothing; counts unless something else did
	RoleEnd      Role = "end"      // the connection ends: what was in doubt counts now, and if nothing was, it was a probe
	RoleContext  Role = "context"  // nothing by itself, but may give the connection's address
	RoleSuccess  Role = "success"  // an authentication succeeded: takes doubts back
	RoleIgnore   Role = "ignore"   // known, and no attack: ends the search for a rule
)

var roles = []Role{RoleEvent, RoleStart, RoleAnnounce, RoleAttempt, RoleTrial, RoleDoubt,
	RoleProbe, RoleEnd, RoleContext, RoleSuccess, RoleIgnore}

// Rule is one way to recognise a line, checked and ready to use. It must not be changed. Its YAML
// form is that of entry, in load.go.
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
	Witness  string          `yaml:"witness,omitempty"`
	Defer    bool            `yaml:"defer,omitempty"`
	Longest  int             `yaml:"longest,omitempty"`
	Request  `yaml:",inline"`
	Note     string    `yaml:"note,omitempty"`
	Match    []Example `yaml:"match,omitempty"`
	NoMatch  []string  `yaml:"no_match,omitempty"`

	Origin string `yaml:"-"` // file that the rule stands in

	witness uint8  // place in witnesses, from 1
	number  int    // place in the set of rules
	family  uint32 // hash of the service
	compile sync.Once
	expr    *pattern.Pattern
	prefix  []byte // literal that every match starts with, or empty
	needs   []byte // literal that every match contains, where no prefixes are known
	groups  []group
	err     error
}

// witnesses are those who may write of the same attempts on one connection; see [Rule].
var witnesses = [...]string{"daemon", "pam", "worker"}

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
func (e *Example) UnmarshalYAML(node ast.Node) error {
	if line, ok := node.(*ast.StringNode); ok {
		e.Line = line.Value
		return nil
	}
	type plain Example
	return yaml.NodeToValue(node, (*plain)(e), yaml.Strict())
}

// group is a named group of a pattern.
type group struct {
	name groupName
	slot int // of its start in a match's indexes
}

// groupName says what a named group of a pattern means.
type groupName uint8

const (
	groupSource  groupName = iota // address or name of the attacker, where the daemon writes it
	groupPort                     // the attacker's port
	groupUser                     // account that was tried
	groupMethod                   // method of the attempt
	groupReason                   // why it failed, or what a probe did
	groupInvalid                  // took part in the match: the daemon says that there is no such account
	groupCount                    // attempts that the line sums up
	groupTarget                   // account that was to be become
	groupTTY
	groupJail
	groupPID // process of the connection, where another one writes the line
)

var groupNames = [...]string{"source", "port", "user", "method", "reason", "invalid", "count", "target", "tty", "jail", "pid"}

// check says what is wrong with the rule's fields, but for its pattern.
func (r *Rule) check() error {
	var problems []error
	problem := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if !validID(r.ID) {
		problem("id %q: use lower case letters, digits, dots and dashes, at most %d", r.ID, attack.MaxRuleID)
	}
	if !slices.Contains(roles, r.Role) {
		problem("role %q is unknown: use one of %v", r.Role, roles)
	}
	if r.Join != JoinPID && r.Join != JoinSource {
		problem("join %q is unknown: use pid or source", r.Join)
	}
	if r.Witness != "" {
		r.witness = uint8(slices.Index(witnesses[:], r.Witness) + 1)
		if r.witness == 0 {
			problem("witness %q is unknown: use one of %v", r.Witness, witnesses)
		}
	}
	if r.counts() && !r.Kind.Valid() {
		problem("kind is missing: use one of %v", attack.Kinds())
	}
	if r.Type == TypeSyslog && len(r.Tags) == 0 && len(r.PAM) == 0 {
		problem("tags are missing: which programs write the line? (\"*\" for any)")
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
		if c := id[i]; !digit(c) && (c < 'a' || c > 'z') && (i == 0 || c != '.' && c != '_' && c != '-') {
			return false
		}
	}
	return id != "" && len(id) <= attack.MaxRuleID
}

// ready compiles the pattern when it is first needed: most scans need the rules of few services.
func (r *Rule) ready() error {
	r.compile.Do(func() {
		if r.err = r.compilePattern(); r.err != nil {
			r.expr = nil
		}
	})
	return r.err
}

func (r *Rule) compilePattern() error {
	expr, err := pattern.Compile(r.Pattern)
	if err != nil {
		return fmt.Errorf("pattern: %w", err)
	}
	r.groups = nil
	for i, name := range expr.Names() {
		if name == "" {
			continue
		}
		number := slices.Index(groupNames[:], name)
		if number < 0 {
			return fmt.Errorf("pattern: the group %q has no meaning: use one of %v", name, groupNames)
		}
		r.groups = append(r.groups, group{groupName(number), 2 * i})
	}
	r.expr, r.prefix = expr, []byte(expr.Prefix())
	if expr.Prefixes() == nil {
		r.needs = []byte(expr.Required())
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

// sourceLeads says whether a match's address directly follows the literal that the message starts
// with, so that nothing of the client's can stand before it.
func (r *Rule) sourceLeads(loc []int) bool {
	for _, g := range r.groups {
		if g.name == groupSource {
			return len(r.prefix) > 0 && loc[g.slot] == len(r.prefix)
		}
	}
	return false
}
