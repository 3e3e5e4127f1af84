package notice

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"slices"

	"github.com/pialert/pialert/pkg/attack"
)

// rule is a rule as it is applied.
type rule struct {
	RuleConfig
	key      string // names what is kept of the rule; another configuration is another rule
	severity attack.Severity
	kinds    []attack.Kind
	families []attack.Family
	sources  []netip.Prefix
}

// compile prepares a rule that was validated.
func compile(c RuleConfig) rule {
	r := rule{RuleConfig: c}
	text, _ := json.Marshal(c) // a struct of texts and numbers
	sum := sha256.Sum256(text)
	r.key = hex.EncodeToString(sum[:8])
	if c.When == nil {
		return r
	}
	r.severity, _ = severity(c.When.Severity)
	for _, name := range c.When.Kinds {
		kind, _ := attack.ParseKind(name)
		r.kinds = append(r.kinds, kind)
	}
	for _, name := range c.When.Families {
		r.families = append(r.families, families[name])
	}
	for _, text := range c.When.Source {
		prefix, _ := network(text)
		r.sources = append(r.sources, prefix)
	}
	return r
}

// matches says whether an event is one of the rule's. Events that a person fired to see a light are
// nobody's news.
func (r *rule) matches(record *Record) bool {
	e := &record.Event
	w := r.When
	switch {
	case w == nil || !w.choosesEvents() || e.Test || e.Kind == attack.Test:
		return false
	case len(r.kinds) > 0 && !slices.Contains(r.kinds, e.Kind):
		return false
	case len(r.families) > 0 && !slices.Contains(r.families, e.Kind.Family()):
		return false
	case len(w.Agents) > 0 && !slices.Contains(w.Agents, record.Agent):
		return false
	case e.Severity < r.severity:
		return false
	case w.First && e.Kind != attack.SSHAccepted && e.Kind != attack.LoginAccepted:
		return false
	case w.Attempts > 0 && !e.Kind.Attempt():
		return false
	}
	return len(r.sources) == 0 || slices.ContainsFunc(r.sources, func(p netip.Prefix) bool { return p.Contains(e.SourceIP) })
}
