package weblog

import "encoding/binary"

// stepsOf joins tokens to steps.
func stepsOf(tokens []token) (steps []step) {
	var next step
	for i := range tokens {
		if t := &tokens[i]; t.literal != "" {
			next = literalStep(t.literal)
		} else {
			next.token = t
			steps = append(steps, next)
			next = step{}
		}
	}
	return append(steps, next)
}

// literalStep has up to eight bytes of the literal in a word, the first one lowest, and a mask of those that there
// are, so that one comparison tells whether a text starts with them:
//
//	word         "] ["         ]  20 [  00 00 00 00 00
//	mask                       ff ff ff 00 00 00 00 00
//	text         "] [error]"   ]  20 [  e  r  r  o  r
//	text & mask                ]  20 [  00 00 00 00 00    the same as the word
func literalStep(literal string) step {
	s := step{literal: literal}
	for i := range min(len(literal), 8) {
		s.word |= uint64(literal[i]) << (8 * i)
		s.mask |= 0xff << (8 * i)
	}
	return s
}

// leads says whether a text starts with the literal.
func (s *step) leads(text []byte) bool {
	if len(text) >= 8 && len(s.literal) <= 8 {
		return binary.LittleEndian.Uint64(text)&s.mask == s.word
	}
	return len(text) >= len(s.literal) && string(text[:len(s.literal)]) == s.literal
}

// forwards reads a line in which no field but the last holds spaces that the format does not
// allow, as nearly all lines are. It has to account for the line up to its end. A line in which
// it could be misled is not accounted for: in such a one, spaces or quotes are left over.
func (f *Format) forwards(line []byte, a *Access) bool {
	*a = Access{}
	rest := line
	for i := range f.steps {
		s := &f.steps[i]
		if !s.leads(rest) {
			return false
		}
		rest = rest[len(s.literal):]
		t := s.token
		if t == nil {
			break
		}
		size, ok := 0, false
		if t.shape == quoted {
			size = closingQuote(rest)
			ok = size >= 0
		} else {
			size, ok = t.take(rest)
		}
		if !ok || t.field != ignored && !a.set(t.field, rest[:size]) {
			return false
		}
		rest = rest[size:]
	}
	return len(rest) == 0
}
