package detect

import (
	"bytes"
)

// maxTags bounds how many tags' candidates are remembered. Tags come from programs on the machine,
// so there are few.
const maxTags = 512

// index finds the rules that may match a message: by tag, then by first byte, then by the literal
// that the rule's matches start with.
type index struct {
	rules  []*Rule
	tags   map[string]*candidates // by tag
	pam    map[string]*candidates // by PAM service
	byType map[Type][]*Rule       // rules for logs that are not syslog
}

// candidates are the rules for one tag, in order.
type candidates struct {
	byFirst [256][]*Rule // by the first byte of the literal prefix, those without one included
}

func newIndex(rules []*Rule) index {
	x := index{rules: rules, tags: map[string]*candidates{}, pam: map[string]*candidates{}, byType: map[Type][]*Rule{}}
	for i, rule := range rules {
		rule.number = i
		rule.family = uint32(hash([]byte(rule.Service)))
		if rule.Type != TypeSyslog {
			x.byType[rule.Type] = append(x.byType[rule.Type], rule)
			continue
		}
		for _, tag := range rule.Tags {
			if !bytes.ContainsRune([]byte(tag), '*') && x.tags[tag] == nil {
				x.tags[tag] = x.candidatesFor([]byte(tag), func(r *Rule) []string { return r.Tags })
			}
		}
		for _, service := range rule.PAM {
			if x.pam[service] == nil {
				x.pam[service] = x.candidatesFor([]byte(service), func(r *Rule) []string { return r.PAM })
			}
		}
	}
	return x
}

// candidatesFor collects the rules whose names fit: those that say it literally or, if none does,
// those with "*".
func (x *index) candidatesFor(name []byte, names func(*Rule) []string) *candidates {
	var c candidates
	for _, wild := range []bool{false, true} {
		found := false
		for _, rule := range x.rules {
			if rule.Type == TypeSyslog && fits(names(rule), name, wild) {
				c.add(rule)
				found = true
			}
		}
		if found {
			break
		}
	}
	return &c
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
	if prefix := rule.expr.Prefix(); prefix != "" {
		c.byFirst[prefix[0]] = append(c.byFirst[prefix[0]], rule)
		return
	}
	for i := range c.byFirst {
		c.byFirst[i] = append(c.byFirst[i], rule)
	}
}

// lookup finds the candidates of messages by tag and PAM service, and remembers those of names
// that only a "*" fits.
type lookup struct {
	*index
	learned, learnedPAM map[string]*candidates
}

func newLookup(x *index) lookup {
	return lookup{x, map[string]*candidates{}, map[string]*candidates{}}
}

// forTag returns the candidates for a syslog tag.
func (l *lookup) forTag(tag []byte) *candidates {
	if c := l.tags[string(tag)]; c != nil {
		return c
	}
	return l.learn(l.learned, tag, func(r *Rule) []string { return r.Tags })
}

// forPAM returns the candidates for what a PAM module said on behalf of a service.
func (l *lookup) forPAM(service []byte) *candidates {
	if c := l.pam[string(service)]; c != nil {
		return c
	}
	return l.learn(l.learnedPAM, service, func(r *Rule) []string { return r.PAM })
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

// find returns the first rule that matches the text, and the indexes of its groups.
func (c *candidates) find(text []byte, loc []int) (*Rule, []int) {
	if len(text) == 0 {
		return nil, loc
	}
	for _, rule := range c.byFirst[text[0]] {
		if prefix := rule.expr.Prefix(); !bytes.HasPrefix(text, []byte(prefix)) {
			continue
		}
		var ok bool
		if loc, ok = rule.match(text, loc); ok {
			return rule, loc
		}
	}
	return nil, loc
}
