package rule

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// maxTags bounds how many tags' candidates are remembered. Tags come from programs on the machine,
// so there are few.
const maxTags = 512

// index finds the rules that may match a message: by tag, then by first byte, then by the literals
// that the rule's matches start with.
type index struct {
	byType map[Type][]*Rule // rules for logs that are not syslog
}

// Candidates are the rules for one tag. They belong to the goroutine of their [Lookup].
type Candidates struct {
	pam   bool         // for what PAM modules write
	by    [256]inOrder // the first byte of what they match
	known *known       // of all tags

	number uint64 // of those that the Lookup made, from 1
}

// inOrder are candidates in the order of the rules.
type inOrder struct {
	starts []start // side by side: most candidates are passed over by their start
	rules  []candidate
}

// start is the first eight bytes of a prefix, and which of them there are.
type start struct{ bytes, mask uint64 }

// candidate is a rule for texts that start with a literal. A rule is one candidate for each literal
// that its matches can start with; no two of those are the start of one text.
type candidate struct {
	*Rule
	prefix []byte // empty if none is known
	suffix []byte // likewise
	needs  []byte // literal that every match contains, where looking for it is worth its while

	prefixed bool // the prefix has all of the pattern's own
	digits   bool // it may be found by what differs in digits from a text that it matched; see known
}

// startOf returns up to eight bytes that a text starts with, the first one lowest, and a mask of those
// that there are, so that one comparison tells whether another text starts with them:
//
//	bytes         of "Failed"             F  a  i  l  e  d  00 00
//	mask                                  ff ff ff ff ff ff 00 00
//	front         of "Failed password"    F  a  i  l  e  d  20 p
//	front & mask  the same as bytes       F  a  i  l  e  d  00 00
func startOf[T ~string | ~[]byte](text T) (s start) {
	for i := range min(len(text), 8) {
		s.bytes |= uint64(text[i]) << (8 * i)
		s.mask |= 0xff << (8 * i)
	}
	return s
}

func newIndex(rules []*Rule) index {
	x := index{byType: map[Type][]*Rule{}}
	for _, rule := range rules {
		x.byType[rule.Type] = append(x.byType[rule.Type], rule)
	}
	return x
}

// compare finds out which candidates are found by texts that differ in digits: their own pattern takes any
// digit for any other, and so do those of the rules before them that could match instead.
func (c *Candidates) compare() {
	for first := range c.by {
		rules := c.by[first].rules
		for i := range rules {
			rule := &rules[i]
			rule.digits = rule.expr.DigitsAlike()
			for j := range rules[:i] {
				before := &rules[j]
				if n := min(len(before.prefix), len(rule.prefix)); sameButDigits(before.prefix[:n], rule.prefix[:n]) {
					rule.digits = rule.digits && before.expr.DigitsAlike()
				}
			}
		}
	}
}

// ask lets candidates that others follow, whose prefix says as much or more, look for what they need
// first: whether one of those matches instead is not known from the prefix.
func (c *Candidates) ask() {
	for first := range c.by {
		rules := c.by[first].rules
		for i := range rules {
			rule := &rules[i]
			for _, other := range rules[i+1:] {
				if bytes.HasPrefix(other.prefix, rule.prefix) {
					if needs := []byte(rule.expr.Required()); !bytes.Contains(rule.prefix, needs) && !bytes.Contains(rule.suffix, needs) {
						rule.needs = needs
					}
				}
			}
		}
	}
}

// candidatesFor collects the rules whose names fit: those that say it literally or, if none does,
// those with "*".
func (x *index) candidatesFor(name []byte, names func(*Rule) []string) *Candidates {
	var c Candidates
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
	c.ask()
	c.compare()
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

func (c *Candidates) add(rule *Rule) {
	if rule.Ready() != nil {
		return // of a built-in rule whose tests were not run
	}
	for _, prefix := range rule.expr.Prefixes() {
		c.addAt(prefix[0], startOf(prefix), candidate{
			Rule: rule, prefix: []byte(prefix), suffix: []byte(rule.expr.Suffix()), prefixed: strings.HasPrefix(prefix, rule.expr.Prefix()),
		})
	}
	if rule.expr.Prefixes() == nil {
		for first := range c.by {
			c.addAt(byte(first), start{}, candidate{Rule: rule, suffix: []byte(rule.expr.Suffix()), needs: []byte(rule.expr.Required())})
		}
	}
}

func (c *Candidates) addAt(first byte, s start, rule candidate) {
	at := &c.by[first]
	at.starts, at.rules = append(at.starts, s), append(at.rules, rule)
}

// Lookup finds the candidates of messages by tag and PAM service. It remembers them, and what matched lately, and belongs to
// one goroutine.
type Lookup struct {
	*index
	tags, pam map[string]*Candidates
	known     *known // made for the first message: web logs need none
	made      uint64 // candidates
}

func (s *Set) Lookup() Lookup {
	return Lookup{index: &s.index, tags: map[string]*Candidates{}, pam: map[string]*Candidates{}}
}

// ForTag returns the candidates for a syslog tag.
func (l *Lookup) ForTag(tag []byte) *Candidates {
	return l.learn(l.tags, tag, func(r *Rule) []string { return r.Tags })
}

// Knows says whether there are rules for a program by the name of its tag.
func (l *Lookup) Knows(tag []byte) bool {
	for _, r := range l.byType[TypeSyslog] {
		for _, name := range r.Tags {
			if name == string(tag) || name != "*" && like(name, tag) {
				return true
			}
		}
	}
	return false
}

// ForPAM returns the candidates for what a PAM module said on behalf of a service.
func (l *Lookup) ForPAM(service []byte) *Candidates {
	c := l.learn(l.pam, service, func(r *Rule) []string { return r.PAM })
	c.pam = true
	return c
}

func (l *Lookup) learn(learned map[string]*Candidates, name []byte, names func(*Rule) []string) *Candidates {
	if c := learned[string(name)]; c != nil {
		return c
	}
	if len(learned) >= maxTags {
		clear(learned)
	}
	if l.known == nil {
		l.known = &known{}
	}
	c := l.candidatesFor(name, names)
	l.made++
	c.number, c.known = l.made, l.known
	learned[string(name)] = c
	return c
}

// Find returns the match of the first rule that takes the text, nil if none does. It is valid until the next call.
func (c *Candidates) Find(text []byte) *Match {
	if len(text) == 0 {
		return nil
	}
	known := c.known.at(text)
	if known.of == c.number && known.leads(text, &c.known.names) {
		return known
	}
	var front uint64
	if len(text) >= 8 {
		front = binary.LittleEndian.Uint64(text)
	} else {
		front = startOf(text).bytes
	}
	found := &c.known.last
	at := &c.by[text[0]]
	for i, start := range at.starts {
		if front&start.mask != start.bytes {
			continue
		}
		rule := &at.rules[i]
		if !bytes.HasPrefix(text, rule.prefix) || !bytes.HasSuffix(text, rule.suffix) ||
			len(rule.needs) > 0 && !bytes.Contains(text, rule.needs) {
			continue
		}
		var ok bool
		if rule.prefixed {
			found.groups, ok = rule.expr.MatchPrefixed(text, found.groups)
		} else {
			found.groups, ok = rule.expr.Match(text, found.groups)
		}
		if ok {
			found.Rule, found.of, found.digits = rule.Rule, c.number, rule.digits
			found.read(text, &c.known.names)
			found.SeveralHosts = c.pam && bytes.Count(text, rhost) > 1
			return known.keep(text, found)
		}
	}
	return nil
}

// rhost stands before the address in what a PAM module writes.
var rhost = []byte(" rhost=")

// familyOf is FNV-1a: stable across restarts, for what is saved under it.
func familyOf(service string) uint32 {
	h := uint64(0xcbf29ce484222325)
	for _, c := range []byte(service) {
		h = (h ^ uint64(c)) * 0x100000001b3
	}
	return uint32(h)
}
