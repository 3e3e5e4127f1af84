// Package pattern matches a rule's regular expression against a line of a log, fast.
//
// [Compile] takes the syntax of Go's regexp package (RE2, with named groups). The shape that
// rules commonly have (literals, alternations, optional groups, classes and their repetition,
// captures, anchors) becomes a graph that a small backtracking matcher walks: several times
// faster than regexp, and without allocating. Any other shape is left to regexp.
//
// The promise is that this cannot be told from the outside: [Pattern.Match] finds exactly the
// submatches that regexp.FindSubmatchIndex finds, invalid UTF-8 included. Backtracking can take
// exponential time on hostile text, so the matcher counts its steps and, when they exceed a
// limit that is linear in the length of the text, gives that text to regexp, which is linear.
//
// A Pattern may be used by any number of goroutines. Its graph is built when a text is first matched:
// most patterns of a program never are, since a prefix or literal rules them out.
package pattern

import (
	"bytes"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"sync"
)

// Pattern is a compiled regular expression.
type Pattern struct {
	expr     string
	tree     *syntax.Regexp
	oracle   func() *regexp.Regexp // compiles when first called: few patterns ever need it
	names    []string
	anchored bool // every match starts at the start of the text
	prefix   string
	prefixes []string
	suffix   string
	required string

	digitsAlike bool

	built sync.Once // what follows
	start *node     // nil where the expression has no shape that the matcher knows
	skip  int       // bytes of the prefix, which start need not look at again
	slots []int     // a match's index slice before start is asked: -1, and the groups that the skipped bytes hold
	lead  string
	first *first // what a match can start with, for the search of an unanchored pattern
}

// Compile parses expr, in the syntax of package regexp. Its errors are regexp's and name the
// part of expr that is wrong.
func Compile(expr string) (*Pattern, error) {
	tree, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil, err
	}
	names := tree.CapNames()
	p := &Pattern{
		expr:     expr,
		tree:     tree,
		oracle:   sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) }), // it parsed
		names:    names,
		anchored: startsAnchored(tree),
		suffix:   suffixOf(tree),
		required: required(tree),

		digitsAlike: digitsAlike(tree),
	}
	if p.anchored {
		p.prefix, _ = prefix(tree)
		p.prefixes = prefixesOf(tree)
		p.required = required(behindPrefix(tree))
	}
	return p, nil
}

// build makes the graph.
func (p *Pattern) build() {
	var c compiler
	start := c.build(p.tree, &node{op: opAccept})
	if c.unknown {
		return
	}
	p.slots = slices.Repeat([]int{-1}, 2*len(p.names))
	p.first = c.analyse(start)
	if p.start = start; p.anchored {
		p.skipPrefix()
	}
	if !p.anchored && start.op == opLiteral {
		p.lead = start.literal
	}
}

// skipPrefix moves the start of the graph behind as much of the prefix as leads it. Groups in there
// stand at the same place in every match.
func (p *Pattern) skipPrefix() {
	for ; ; p.start = p.start.next {
		switch n := p.start; {
		case n.op == opLiteral && strings.HasPrefix(p.prefix[p.skip:], n.literal):
			p.skip += len(n.literal)
		case n.op == opSave:
			p.slots[n.slot] = p.skip
		case n.op != opBeginText || p.skip > 0:
			return
		}
	}
}

// Match reports whether text contains a match, and returns the indexes of the leftmost one and
// of its groups as regexp.FindSubmatchIndex does, stored over loc. Where there is no match it
// returns loc emptied, so that its memory can be used again. With room in loc it does not
// allocate, save where regexp has to be asked.
func (p *Pattern) Match(text []byte, loc []int) ([]int, bool) {
	if len(text) < len(p.prefix) || string(text[:len(p.prefix)]) != p.prefix {
		return loc[:0], false
	}
	return p.MatchPrefixed(text, loc)
}

// MatchPrefixed is Match for a text that is known to start with [Pattern.Prefix].
func (p *Pattern) MatchPrefixed(text []byte, loc []int) ([]int, bool) {
	p.built.Do(p.build)
	if p.start == nil {
		return p.ask(text, loc)
	}
	loc = append(loc[:0], p.slots...)
	m := matcher{text: text, loc: loc, steps: stepsPerText + stepsPerByte*len(text)}
	found := m.search(p)
	if m.steps < 0 {
		return p.ask(text, loc)
	}
	if !found {
		return loc[:0], false
	}
	return loc, true
}

// ask leaves the match to regexp.
func (p *Pattern) ask(text []byte, loc []int) ([]int, bool) {
	found := p.oracle().FindSubmatchIndex(text)
	return append(loc[:0], found...), found != nil
}

// Names returns the names of the groups: the one at i belongs to the indexes 2i and 2i+1 of a
// match. Groups without a name, and the whole match at 0, have "".
func (p *Pattern) Names() []string { return p.names }

// String returns the expression.
func (p *Pattern) String() string { return p.expr }

// Prefix returns a literal that every text that matches starts with, "" if none is known, which
// is always so for a pattern that is not anchored with ^.
func (p *Pattern) Prefix() string { return p.prefix }

// Prefixes returns literals of which every text that matches starts with one, or nil if none are
// known. None of them is the start of another.
func (p *Pattern) Prefixes() []string { return p.prefixes }

// Suffix returns a literal that every text that matches ends with, "" if none is known, which is
// always so for a pattern that is not anchored with $.
func (p *Pattern) Suffix() string { return p.suffix }

// Required returns a literal that every text that matches contains, the longest that is known,
// or "". Of an anchored pattern it stands behind the literal that leads the pattern.
func (p *Pattern) Required() string { return p.required }

// search looks for the leftmost match.
func (m *matcher) search(p *Pattern) bool {
	if p.anchored {
		m.loc[0] = 0
		return m.run(p.start, p.skip)
	}
	for at := 0; at <= len(m.text); {
		if p.lead != "" {
			next := bytes.Index(m.text[at:], []byte(p.lead))
			if next < 0 {
				return false
			}
			at += next
		}
		if p.first.at(m.text, at) {
			if m.try(p.start, at) {
				return true
			}
			if m.steps--; m.steps < 0 {
				return false
			}
		}
		at += width(m.text, at)
	}
	return false
}

// try looks for a match that starts at the given position.
func (m *matcher) try(start *node, at int) bool {
	m.loc[0] = at
	return m.run(start, at)
}
