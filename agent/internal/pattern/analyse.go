package pattern

import (
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// first is what a match from some node on can start with.
type first struct {
	byte   [256]bool
	accept bool // it can end right there, whatever comes
	assert bool // it can end right there if an assertion holds
	end    bool // it can end right there at the end of the text
}

// at says whether a match can start at a position.
func (f *first) at(text []byte, at int) bool {
	if f.accept || f.assert {
		return true
	}
	if at == len(text) {
		return f.end
	}
	return f.byte[text[at]]
}

func (f *first) join(other *first) {
	for b, ok := range other.byte {
		f.byte[b] = f.byte[b] || ok
	}
	f.accept = f.accept || other.accept
	f.assert = f.assert || other.assert
	f.end = f.end || other.end
}

// analyse fills in what the matcher needs to know ahead of time, and returns what a match can
// start with.
func (c *compiler) analyse(start *node) *first {
	known := make(map[*node]*first)
	for _, n := range c.nodes {
		switch n.op {
		case opRepeat:
			n.follow = firstOf(n.next, known)
			n.possessive = onlyLongest(n)
			n.specialise()
		case opChoice:
			n.viable = new([256]uint64)
			for i, branch := range n.branches {
				f := firstOf(branch, known)
				for b := range n.viable {
					if f.byte[b] || f.accept || f.assert {
						n.viable[b] |= 1 << i
					}
				}
				if f.accept || f.assert || f.end {
					n.atEnd |= 1 << i
				}
			}
		}
	}
	f := firstOf(start, known)
	for _, n := range c.nodes {
		n.fuse()
	}
	return f
}

// fuse makes one node of a group that is just a run. A group around such a group has places of its own.
func (n *node) fuse() {
	if n.op != opSave || n.slot%2 != 0 || n.next.op != opRun || n.next.slot > 0 || n.next.next.op != opSave || n.next.next.slot != n.slot+1 {
		return
	}
	slot, after := n.slot, n.next.next.next
	*n = *n.next
	n.slot, n.next = slot, after
}

// onlyLongest says whether a repetition needs no backtracking. Wherever it could stop early, the
// next character is one of its own, and nothing that follows can start with one of those; or
// what follows may be nothing at all, and then the longest run leads to a match already.
func onlyLongest(n *node) bool {
	if n.follow.accept {
		return !n.lazy
	}
	if n.follow.assert {
		return false
	}
	for b, ok := range n.follow.byte {
		if ok && (n.class.one[b] || b >= utf8.RuneSelf && n.class.high) {
			return false
		}
	}
	return true
}

// specialise chooses a faster way to match a repetition, if there is one.
func (n *node) specialise() {
	bytewise := n.max < 0 && n.min <= 1 && !n.class.mixed && n.class.stop < 0 || !n.class.high
	switch ahead := literalAt(n.next); {
	case n.possessive && bytewise:
		n.op = opRun
		n.printable = n.class.printable()
	case !n.possessive && !n.lazy && ahead != "":
		n.op, n.ahead, n.rare = opUntil, ahead, rarest(ahead)
	}
}

// rarest returns the place of a literal's byte that is rarest in logs, roughly.
func rarest(literal string) int {
	const common = " etaonrisdlh10.:-2u3c4p5m6789" // commonest first
	best, at := -1, 0
	for i := range len(literal) {
		rank := strings.IndexByte(common, literal[i])
		if rank < 0 {
			return i
		}
		if rank > best {
			best, at = rank, i
		}
	}
	return at
}

// literalAt returns the literal that a match from n on has to start with, or "".
func literalAt(n *node) string {
	for n.op == opSave {
		n = n.next
	}
	return n.literal
}

func firstOf(n *node, known map[*node]*first) *first {
	if f := known[n]; f != nil {
		return f
	}
	f := new(first)
	switch n.op {
	case opAccept:
		f.accept = true
	case opLiteral:
		f.byte[n.literal[0]] = true
	case opClass, opRepeat, opRun, opUntil:
		for b := range f.byte {
			f.byte[b] = n.class.one[b] || b >= utf8.RuneSelf && n.class.high
		}
		if n.op != opClass && n.min == 0 {
			f.join(firstOf(n.next, known))
		}
	case opChoice:
		for _, branch := range n.branches {
			f.join(firstOf(branch, known))
		}
	case opSave:
		f.join(firstOf(n.next, known))
	case opEndText:
		after := firstOf(n.next, known)
		f.end = after.accept || after.assert || after.end
	default: // the other assertions
		f.join(firstOf(n.next, known))
		f.assert = f.assert || f.accept || f.end
		f.accept = false
	}
	known[n] = f
	return f
}

// minLen returns a lower bound of the bytes that re matches, at most 1.
func minLen(re *syntax.Regexp) int {
	switch re.Op {
	case syntax.OpLiteral, syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return 1
	case syntax.OpCapture, syntax.OpPlus:
		return minLen(re.Sub[0])
	case syntax.OpRepeat:
		return min(re.Min, 1) * minLen(re.Sub[0])
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if minLen(sub) == 1 {
				return 1
			}
		}
	case syntax.OpAlternate:
		for _, sub := range re.Sub {
			if minLen(sub) == 0 {
				return 0
			}
		}
		return 1
	}
	return 0
}

// startsAnchored says whether every match starts at the start of the text.
func startsAnchored(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpBeginText:
		return true
	case syntax.OpCapture:
		return startsAnchored(re.Sub[0])
	case syntax.OpConcat:
		return startsAnchored(re.Sub[0])
	case syntax.OpAlternate:
		for _, sub := range re.Sub {
			if !startsAnchored(sub) {
				return false
			}
		}
		return true
	}
	return false
}

// prefix returns the literal that every match of re starts with, and whether that is all of it.
func prefix(re *syntax.Regexp) (literal string, all bool) {
	switch re.Op {
	case syntax.OpBeginText, syntax.OpEmptyMatch:
		return "", true
	case syntax.OpLiteral:
		return exact(re)
	case syntax.OpCapture:
		return prefix(re.Sub[0])
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			part, all := prefix(sub)
			if literal += part; !all {
				return literal, false
			}
		}
		return literal, true
	}
	return "", false
}

// behindPrefix returns re without the anchors and literals that lead it.
func behindPrefix(re *syntax.Regexp) *syntax.Regexp {
	if re.Op != syntax.OpConcat {
		return re
	}
	behind := *re
	for len(behind.Sub) > 0 && (behind.Sub[0].Op == syntax.OpBeginText || behind.Sub[0].Op == syntax.OpLiteral) {
		behind.Sub = behind.Sub[1:]
	}
	return &behind
}

// suffixOf returns the literal that every match of re ends with, where that is the end of the text.
func suffixOf(re *syntax.Regexp) string {
	if re.Op != syntax.OpConcat {
		return ""
	}
	last := len(re.Sub) - 1
	if re.Sub[last].Op != syntax.OpEndText || last == 0 || re.Sub[last-1].Op != syntax.OpLiteral {
		return ""
	}
	literal, all := exact(re.Sub[last-1])
	if !all {
		return ""
	}
	return literal
}

// required returns the longest literal found that every match of re contains.
func required(re *syntax.Regexp) string {
	var longest string
	switch re.Op {
	case syntax.OpLiteral:
		longest, _ = exact(re)
	case syntax.OpCapture, syntax.OpPlus:
		return required(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return required(re.Sub[0])
		}
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if literal := required(sub); len(literal) > len(longest) {
				longest = literal
			}
		}
	}
	return longest
}

// exact returns the text of a literal node up to the first rune that matches other bytes too.
func exact(re *syntax.Regexp) (literal string, all bool) {
	if re.Flags&syntax.FoldCase != 0 {
		return "", false
	}
	for i, r := range re.Rune {
		if r == utf8.RuneError {
			return string(re.Rune[:i]), false
		}
	}
	return string(re.Rune), true
}
