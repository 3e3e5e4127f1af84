package pattern

import (
	"bytes"
	"math/bits"
)

// The limits of backtracking. A step is a branch tried or sixteen bytes looked at. Rules stay far
// below these on real lines; what exceeds them is hostile, and is left to regexp.
const (
	stepsPerText = 1024
	stepsPerByte = 16
	maxDepth     = 500 // iterations of a repeated group, each of which takes stack
)

// matcher is the state of one attempt.
type matcher struct {
	text  []byte
	loc   []int
	steps int // left; negative means that the attempt was given up
	depth int
}

// run says whether the text from a position on matches the graph from a node on, and leaves the
// positions of the groups in loc. Only what may have to be taken back calls it anew; all else is
// gone through in the loop.
//
// Slots need no restoring on the way back: a group outside of any choice is saved again on the
// way that succeeds, and a choice clears the slots of its branches before it tries one.
func (m *matcher) run(n *node, at int) bool {
	text := m.text
	for {
		switch n.op {
		case opAccept:
			m.loc[1] = at
			return true
		case opLiteral:
			end := at + len(n.literal)
			if end > len(text) || string(text[at:end]) != n.literal {
				return false
			}
			at = end
		case opSave:
			m.loc[n.slot] = at
		case opClass:
			if at = n.class.after(text, at); at < 0 {
				return false
			}
		case opRun:
			from, limit := at, len(text)
			if n.max >= 0 && int(n.max) < limit-at {
				limit = at + int(n.max)
			}
			if n.printable {
				at = printableRun(text, at, limit)
			}
			for at < limit && n.class.one[text[at]] {
				at++
			}
			if at-from < int(n.min) {
				return false
			}
			if n.slot > 0 {
				m.loc[n.slot], m.loc[n.slot+1] = from, at
			}
			m.steps -= (at - from) >> 4
		case opUntil:
			return m.until(n, at)
		case opRepeat:
			least := m.least(n, at)
			if least < 0 {
				return false
			}
			if !n.possessive {
				return m.backtrack(n, least)
			}
			at = m.longest(n, least)
		case opChoice:
			viable := n.atEnd
			if at < len(text) {
				viable = n.viable[text[at]]
			}
			m.forget(n)
			for viable&(viable-1) != 0 {
				if m.enter(n, n.branches[bits.TrailingZeros64(viable)], at) {
					return true
				}
				if m.steps < 0 {
					return false
				}
				m.forget(n)
				viable &= viable - 1
			}
			if viable == 0 {
				return false
			}
			n = n.branches[bits.TrailingZeros64(viable)]
			continue
		default:
			if !m.holds(n.op, at) {
				return false
			}
		}
		n = n.next
	}
}

// forget clears the slots that the branches of a choice save.
func (m *matcher) forget(choice *node) {
	for i := choice.lowest; i < choice.beyond; i++ {
		m.loc[i] = -1
	}
}

// enter tries one branch of a choice that has others left.
func (m *matcher) enter(choice, branch *node, at int) bool {
	m.steps--
	if !choice.loop {
		return m.run(branch, at)
	}
	if m.depth++; m.depth > maxDepth {
		m.steps = -1
		return false
	}
	found := m.run(branch, at)
	m.depth--
	return found
}

// least returns the position after the characters that a repetition must have, or -1.
func (m *matcher) least(n *node, at int) int {
	for i := int32(0); i < n.min && at >= 0; i++ {
		at = n.class.after(m.text, at)
	}
	return at
}

// longest returns where the longest run of a repetition ends, given where the shortest does.
func (m *matcher) longest(n *node, least int) int {
	more := -1
	if n.max >= 0 {
		more = int(n.max - n.min)
	}
	at := n.class.run(m.text, least, more)
	m.steps -= (at - least) >> 4
	return at
}

// backtrack tries the lengths that a repetition can have: from the longest to the shortest, or
// the other way round where it is lazy. It tries only those that what follows can start after.
func (m *matcher) backtrack(n *node, least int) bool {
	longest := m.longest(n, least)
	if n.lazy {
		for at := least; ; at += width(m.text, at) {
			if n.follow.at(m.text, at) && m.continues(n, at) {
				return true
			}
			if m.steps < 0 || at == longest {
				return false
			}
		}
	}
	for at := longest; ; at = before(m.text, at) {
		if n.follow.at(m.text, at) && m.continues(n, at) {
			return true
		}
		if m.steps < 0 || at == least {
			return false
		}
	}
}

// until tries the lengths of a greedy repetition that a literal has to follow: the places where
// the literal stands, from the last to the first. They are found by the literal's rarest byte. No
// byte that starts a literal stands within a character, so plain bytes are looked at.
func (m *matcher) until(n *node, at int) bool {
	least := m.least(n, at)
	if least < 0 {
		return false
	}
	end := min(m.longest(n, least), len(m.text)-len(n.ahead)) // where the literal can stand last
	if end < least {
		return false
	}
	for places := m.text[least+n.rare : end+n.rare+1]; ; {
		at := bytes.LastIndexByte(places, n.ahead[n.rare])
		if at < 0 {
			return false
		}
		places = places[:at]
		behind := m.text[least+at:]
		if string(behind[:len(n.ahead)]) != n.ahead {
			continue
		}
		m.steps--
		next := n.next
		for ; next.op == opSave; next = next.next {
			m.loc[next.slot] = least + at
		}
		if m.run(next.next, least+at+len(n.ahead)) {
			return true
		}
		if m.steps < 0 {
			return false
		}
	}
}

// continues says whether what follows a repetition matches from a position on.
func (m *matcher) continues(n *node, at int) bool {
	m.steps--
	return m.run(n.next, at)
}

// holds says whether an assertion is true at a position.
func (m *matcher) holds(assertion op, at int) bool {
	switch assertion {
	case opBeginText:
		return at == 0
	case opEndText:
		return at == len(m.text)
	case opBeginLine:
		return at == 0 || m.text[at-1] == '\n'
	case opEndLine:
		return at == len(m.text) || m.text[at] == '\n'
	}
	inside := at > 0 && isWord(m.text[at-1])
	follows := at < len(m.text) && isWord(m.text[at])
	return (inside != follows) == (assertion == opWord)
}

// isWord says whether \w holds for a byte; no character beyond ASCII is one of a word.
func isWord(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' || b == '_'
}
