package detect

import (
	"bytes"
	"slices"
)

// maxTags bounds how many tags' candidates are remembered. Tags come from programs on the machine,
// so there are few.
const maxTags = 512

// index finds the rules that may match a message: by tag, then by first byte, then by the literals
// that the rule's matches start with.
type index struct {
	rules  []*Rule
	byType map[Type][]*Rule // rules for logs that are not syslog
}

// candidates are the rules for one tag, in order, by the first byte of what they match.
type candidates [256][]candidate

// candidate is a rule for texts that start with a literal. A rule is one candidate for each literal
// that its matches can start with; no two of those are the start of one text.
type candidate struct {
	*Rule
	prefix    []byte // empty if none is known
	connected bool   // it and those that start alike only end or doubt a connection; see Engine.spare
}

func newIndex(rules []*Rule) index {
	x := index{rules: rules, byType: map[Type][]*Rule{}}
	for i, rule := range rules {
		rule.number = i
		rule.family = uint32(hash([]byte(rule.Service)))
		x.byType[rule.Type] = append(x.byType[rule.Type], rule)
	}
	return x
}

// candidatesFor collects the rules whose names fit: those that say it literally or, if none does,
// those with "*".
func (x *index) candidatesFor(name []byte, names func(*Rule) []string) *candidates {
	var c candidates
	for _, wild := range []bool{false, true} {
		found := false
		for _, rule := range x.byType[TypeSyslog] {
			if fits(names(rule), name, wild) {
				c.add(rule)
				found = true
			}
		}
		if found {
			break
		}
	}
	c.connect()
	return &c
}

// connect marks the candidates of which all that start alike only end or doubt the connection that
// the process serves.
func (c *candidates) connect() {
	for _, rules := range c {
		for i := range rules {
			rule := &rules[i]
			rule.connected = len(rule.prefix) > 0
			for _, other := range rules {
				alike := bytes.HasPrefix(rule.prefix, other.prefix) || bytes.HasPrefix(other.prefix, rule.prefix)
				ends := other.Role == RoleEnd && rule.Role == RoleEnd || other.Role == RoleDoubt && rule.Role == RoleDoubt
				if alike && (!ends || other.Join != JoinPID || other.namesPID()) {
					rule.connected = false
				}
			}
		}
	}
}

func (r *Rule) namesPID() bool {
	return slices.ContainsFunc(r.groups, func(g group) bool { return g.name == groupPID })
}

func fits(names []string, name []byte, wild bool) bool {
	for _, n := range names {
		if n == string(name) || wild && like(n, name) {
			return true
		}
	}
	return false
}

// like says whether name fits a text in which each "*" stands for any text.
func like(wild string, name []byte) bool {
	for {
		star := bytes.IndexByte([]byte(wild), '*')
		if star < 0 {
			return wild == string(name)
		}
		if !bytes.HasPrefix(name, []byte(wild[:star])) {
			return false
		}
		wild, name = wild[star+1:], name[star:]
		if wild == "" {
			return true
		}
		for len(name) > 0 && !like(wild, name) {
			name = name[1:]
		}
	}
}

func (c *candidates) add(rule *Rule) {
	if rule.ready() != nil {
		return // of a built-in rule whose tests were not run
	}
	for _, prefix := range rule.expr.Prefixes() {
		c[prefix[0]] = append(c[prefix[0]], candidate{Rule: rule, prefix: []byte(prefix)})
	}
	if rule.expr.Prefixes() == nil {
		for i := range c {
			c[i] = append(c[i], candidate{Rule: rule})
		}
	}
}

// lookup finds the candidates of messages by tag and PAM service, and remembers them.
type lookup struct {
	*index
	tags, pam map[string]*candidates
}

func newLookup(x *index) lookup {
	return lookup{x, map[string]*candidates{}, map[string]*candidates{}}
}

// forTag returns the candidates for a syslog tag.
func (l *lookup) forTag(tag []byte) *candidates {
	return l.learn(l.tags, tag, func(r *Rule) []string { return r.Tags })
}

// forPAM returns the candidates for what a PAM module said on behalf of a service.
func (l *lookup) forPAM(service []byte) *candidates {
	return l.learn(l.pam, service, func(r *Rule) []string { return r.PAM })
}

func (l *lookup) learn(known map[string]*candidates, name []byte, names func(*Rule) []string) *candidates {
	if c := known[string(name)]; c != nil {
		return c
	}
	c := l.candidatesFor(name, names)
	if len(known) >= maxTags {
		clear(known)
	}
	known[string(name)] = c
	return c
}

// first returns the rules that may match the text, from the first that starts as it does.
func (c *candidates) first(text []byte) []candidate {
	if len(text) == 0 {
		return nil
	}
	rules := c[text[0]]
	for i := range rules {
		if bytes.HasPrefix(text, rules[i].prefix) {
			return rules[i:]
		}
	}
	return nil
}

// find returns the first of the rules that matches the text, the first one's prefix being known to
// be the text's, and the indexes of its groups.
func find(rules []candidate, text []byte, loc []int) (*Rule, []int) {
	for i := range rules {
		rule := &rules[i]
		if i > 0 && !bytes.HasPrefix(text, rule.prefix) || len(rule.needs) > 0 && !bytes.Contains(text, rule.needs) {
			continue
		}
		var ok bool
		if loc, ok = rule.expr.Match(text, loc); ok {
			return rule.Rule, loc
		}
	}
	return nil, loc
}

// find returns the first rule that matches the text, and the indexes of its groups.
func (c *candidates) find(text []byte, loc []int) (*Rule, []int) {
	return find(c.first(text), text, loc)
}
