package pattern

import (
	"regexp/syntax"
	"slices"
	"unicode"
	"unicode/utf8"
)

// Limits on what is compiled; an expression beyond them is left to regexp.
const (
	maxNodes    = 4096
	maxBranches = 64 // bits of node.viable
)

// compiler builds the graph of an expression from its end to its start.
type compiler struct {
	nodes   []*node
	unknown bool // the expression has a shape that the matcher does not know
	inLoop  bool
}

func (c *compiler) add(n *node) *node {
	if c.nodes = append(c.nodes, n); len(c.nodes) > maxNodes {
		c.unknown = true
	}
	return n
}

// build returns the node that matches re and goes on with next.
func (c *compiler) build(re *syntax.Regexp, next *node) *node {
	if c.unknown {
		return next
	}
	switch re.Op {
	case syntax.OpEmptyMatch:
		return next
	case syntax.OpLiteral:
		return c.literal(re, next)
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return c.add(&node{op: opClass, class: classOf(re), next: next})
	case syntax.OpConcat:
		for i := len(re.Sub) - 1; i >= 0; i-- {
			next = c.build(re.Sub[i], next)
		}
		return next
	case syntax.OpCapture:
		// A group that is repeated would have to be given back its former value when an
		// iteration fails; no rule needs that.
		if c.inLoop {
			c.unknown = true
		}
		end := c.add(&node{op: opSave, slot: int32(2*re.Cap + 1), next: next})
		return c.add(&node{op: opSave, slot: int32(2 * re.Cap), next: c.build(re.Sub[0], end)})
	case syntax.OpAlternate:
		return c.choice(re, re.Sub, next)
	case syntax.OpQuest:
		return c.quest(re, re.Sub[0], next)
	case syntax.OpStar:
		return c.repeat(re, 0, -1, next)
	case syntax.OpPlus:
		return c.repeat(re, 1, -1, next)
	case syntax.OpRepeat:
		return c.repeat(re, re.Min, re.Max, next)
	}
	if op, ok := assertions[re.Op]; ok {
		return c.add(&node{op: op, next: next})
	}
	c.unknown = true
	return next
}

var assertions = map[syntax.Op]op{
	syntax.OpBeginText:      opBeginText,
	syntax.OpEndText:        opEndText,
	syntax.OpBeginLine:      opBeginLine,
	syntax.OpEndLine:        opEndLine,
	syntax.OpWordBoundary:   opWord,
	syntax.OpNoWordBoundary: opNotWord,
}

// literal compiles runes that stand for themselves. Those that match more than their own bytes
// become classes: all of a literal that ignores case, and U+FFFD, which for regexp is also any
// byte that is not UTF-8.
func (c *compiler) literal(re *syntax.Regexp, next *node) *node {
	end := len(re.Rune)
	for i := len(re.Rune) - 1; i >= 0; i-- {
		r := re.Rune[i]
		fold := re.Flags&syntax.FoldCase != 0
		if !fold && r != utf8.RuneError {
			continue
		}
		if i+1 < end {
			next = c.add(&node{op: opLiteral, literal: string(re.Rune[i+1 : end]), next: next})
		}
		ranges := []rune{r, r}
		for f := unicode.SimpleFold(r); fold && f != r; f = unicode.SimpleFold(f) {
			ranges = append(ranges, f, f)
		}
		next = c.add(&node{op: opClass, class: newClass(ranges), next: next})
		end = i
	}
	if end > 0 {
		next = c.add(&node{op: opLiteral, literal: string(re.Rune[:end]), next: next})
	}
	return next
}

// choice compiles an alternation: branches are tried in their order.
func (c *compiler) choice(re *syntax.Regexp, branches []*syntax.Regexp, next *node) *node {
	n := &node{op: opChoice, next: next}
	n.lowest, n.beyond = slotRange(re)
	if len(branches) > maxBranches { // choices of choices, in the same order
		for part := range slices.Chunk(branches, (len(branches)+maxBranches-1)/maxBranches) {
			n.branches = append(n.branches, c.choice(re, part, next))
		}
		return c.add(n)
	}
	for _, branch := range branches {
		n.branches = append(n.branches, c.build(branch, next))
	}
	return c.add(n)
}

// quest compiles sub?, or sub?? where re is lazy.
func (c *compiler) quest(re, sub *syntax.Regexp, next *node) *node {
	n := &node{op: opChoice, next: next}
	n.lowest, n.beyond = slotRange(sub)
	n.branches = inOrder(re, c.build(sub, next), next)
	return c.add(n)
}

func inOrder(re *syntax.Regexp, once, none *node) []*node {
	if re.Flags&syntax.NonGreedy != 0 {
		return []*node{none, once}
	}
	return []*node{once, none}
}

// repeat compiles the repetition of re's operand: of a class in one node, of a group by writing
// out what has to be there and, without an upper limit, by a choice that leads back.
func (c *compiler) repeat(re *syntax.Regexp, least, most int, next *node) *node {
	sub := re.Sub[0]
	if isClass(sub) {
		return c.add(&node{op: opRepeat, class: classOf(sub), min: int32(least), max: int32(most),
			lazy: re.Flags&syntax.NonGreedy != 0, next: next})
	}
	if minLen(sub) == 0 { // an iteration that matches nothing would never end
		c.unknown = true
		return next
	}
	outer := c.inLoop
	c.inLoop = true
	defer func() { c.inLoop = outer }()
	if most < 0 { // without limit
		loop := c.add(&node{op: opChoice, loop: true})
		body := c.build(sub, loop)
		loop.branches = inOrder(re, body, next)
		if next = loop; least > 0 {
			next, least = body, least-1
		}
	}
	next = c.optional(re, sub, next, most-least)
	for ; least > 0 && !c.unknown; least-- {
		next = c.build(sub, next)
	}
	return next
}

// optional compiles up to n occurrences of sub, as x{0,3} is (?:x(?:x(?:x)?)?)?.
func (c *compiler) optional(re, sub *syntax.Regexp, next *node, n int) *node {
	inner := next
	for ; n > 0 && !c.unknown; n-- {
		inner = c.add(&node{op: opChoice, branches: inOrder(re, c.build(sub, inner), next)})
	}
	return inner
}

// slotRange returns the range of the slots that the groups within re save.
func slotRange(re *syntax.Regexp) (lowest, beyond int) {
	if re.Op == syntax.OpCapture {
		lowest, beyond = 2*re.Cap, 2*re.Cap+2
	}
	for _, sub := range re.Sub {
		low, high := slotRange(sub)
		if high == 0 {
			continue
		}
		if beyond == 0 {
			lowest = low
		}
		beyond = max(beyond, high)
	}
	return lowest, beyond
}
