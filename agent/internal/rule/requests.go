package rule

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"github.com/pialert/pialert/agent/internal/weblog"
)

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

// checkRequest checks what is particular to rules for web logs.
func (r *Rule) checkRequest() error {
	switch {
	case r.Type != TypeAccess && (r.Methods != nil || r.From != nil):
		return errors.New("methods and from are for rules of the type access")
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
	for _, text := range r.From {
		if _, err := netip.ParsePrefix(text); err != nil {
			return fmt.Errorf("from: %q is no network: write it as 192.0.2.0/24", text)
		}
	}
	if partsOf[r.In] == nil && r.In != "" {
		return fmt.Errorf("in: %q is no part of a request: use target, referer, agent, user, malformed or any", r.In)
	}
	return nil
}

// accepts says whether the rule looks at requests with this method and status, of this client.
func (r *Rule) accepts(a *weblog.Access) bool {
	if r.From != nil && !r.from.Contains(a.Client.Addr) {
		return false
	}
	if r.Methods != nil && !slices.ContainsFunc(r.Methods, func(m string) bool { return m == string(a.Method) }) {
		return false
	}
	return r.Status == nil || slices.ContainsFunc(r.Status, func(s uint16) bool { return s == a.Status || s == a.Status/100 })
}
