package rule

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/pialert/pialert/agent/internal/weblog"
)

// Request is what is particular to rules for web logs: which requests of access logs a rule looks
// at, and where in them.
//
// Patterns see text in one spelling: lower case, escapes of the log and of URLs decoded (also
// those within others), plus signs of the query as spaces. Only a user name is seen as logged.
type Request struct {
	In      Part     `yaml:"in,omitempty"`       // default target
	Methods []string `yaml:"methods,omitempty"`  // request methods; default all
	Status  []uint16 `yaml:"status,omitempty"`   // 404, or 4 for all from 400 to 499; default all. Of a rule for error logs: what the server answers
	Always  bool     `yaml:"always,omitempty"`   // of a rule for error logs with in: target: an event even if no rule for requests matches
	AnyKind bool     `yaml:"any_kind,omitempty"` // of a rule for error logs: what the access log says of the request may be of another kind

	parts []part // that In stands for
}

// Part is a part of a request.
type Part string

// The parts. A rule for error logs with the part target hands its group target to the rules for
// requests.
const (
	PartTarget    Part = "target"    // path and query
	PartReferer   Part = "referer"   // the Referer header
	PartAgent     Part = "agent"     // the User-Agent header
	PartUser      Part = "user"      // the name that was authenticated, or tried to be
	PartMalformed Part = "malformed" // the request line, where it is none of HTTP's
	PartAny       Part = "any"       // target, referer and agent
)

// part is a number for a part of a request.
type part int

const (
	target part = iota
	referer
	agent
	user
	malformed
	parts
)

var partsOf = map[Part][]part{
	PartTarget: {target}, PartReferer: {referer}, PartAgent: {agent}, PartUser: {user}, PartMalformed: {malformed},
	PartAny: {target, referer, agent},
}

// checkRequest checks what is particular to rules for web logs.
func (r *Rule) checkRequest() error {
	switch {
	case r.Type != TypeAccess && r.Methods != nil:
		return errors.New("methods are for rules of the type access")
	case r.Type == TypeError && len(r.Status) > 1:
		return errors.New("status: the server answers what a rule for error logs finds with one status")
	case r.Type != TypeError && (r.Always || r.AnyKind):
		return errors.New("always and any_kind are for rules of the type error")
	case r.Type != TypeAccess && r.Type != TypeError:
		if r.In != "" || r.Status != nil {
			return errors.New("in and status are for rules of the types access and error")
		}
		return nil
	case r.Role != RoleEvent && r.Role != RoleIgnore:
		return errors.New("role: a rule for web logs is an event or ignores the line")
	case r.Type == TypeError && r.In != "" && r.In != PartTarget:
		return errors.New("in: a rule for error logs can only have the part target")
	}
	if r.Type == TypeAccess && r.In == "" {
		r.In = PartTarget
	}
	if r.parts = partsOf[r.In]; r.parts == nil && r.In != "" {
		return fmt.Errorf("in: %q is no part of a request: use target, referer, agent, user, malformed or any", r.In)
	}
	return nil
}

// accepts says whether the rule looks at requests with this method and status.
func (r *Rule) accepts(a *weblog.Access) bool {
	if r.Methods != nil && !slices.ContainsFunc(r.Methods, func(m string) bool { return m == string(a.Method) }) {
		return false
	}
	return r.Status == nil || slices.ContainsFunc(r.Status, func(s uint16) bool { return s == a.Status || s == a.Status/100 })
}

// requests finds the rules for web logs. It is made when the first line of one is read.
type requests struct {
	make      sync.Once
	apache    errorTable
	nginx     errorTable
	searchers [parts]searcher
}

// requests returns the rules for web logs, ready for use.
func (s *Set) requests() *requests {
	s.web.make.Do(func() {
		for _, r := range s.rules {
			if r.Type != TypeAccess && r.Type != TypeError || r.Ready() != nil {
				continue
			}
			if r.Type == TypeError {
				s.web.addError(r)
				continue
			}
			for _, p := range r.parts {
				s.web.searchers[p].add(r)
			}
		}
	})
	return &s.web
}

// errorTable has rules for error logs by the first byte of what they match.
type errorTable [256][]*Rule

// addError enters a rule for error logs: for the server that its service names, or else for both.
func (x *requests) addError(r *Rule) {
	if r.Service != "nginx" {
		x.apache.add(r)
	}
	if r.Service != "apache" {
		x.nginx.add(r)
	}
}

func (t *errorTable) add(r *Rule) {
	if prefix := r.expr.Prefix(); prefix != "" {
		t[prefix[0]] = append(t[prefix[0]], r)
		return
	}
	for first := range t {
		t[first] = append(t[first], r)
	}
}

// findError returns the first rule that matches the message of an error log, and the indexes of
// its groups.
func (x *requests) findError(e *weblog.Error, loc []int) (*Rule, []int) {
	if len(e.Message) == 0 {
		return nil, loc
	}
	table := &x.apache
	if e.Nginx {
		table = &x.nginx
	}
	for _, r := range table[e.Message[0]] {
		var ok bool
		if loc, ok = r.expr.Match(e.Message, loc); ok {
			return r, loc
		}
	}
	return nil, loc
}

// insert adds a rule in the order of the rules, once.
func insert(rules []*Rule, r *Rule) []*Rule {
	at := len(rules)
	for at > 0 && rules[at-1].number >= r.number {
		at--
	}
	if at < len(rules) && rules[at] == r {
		return rules
	}
	return slices.Insert(rules, at, r)
}
