package pattern

import (
	"strings"
	"unicode/utf8"
)

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
