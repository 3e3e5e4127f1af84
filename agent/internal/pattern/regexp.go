package pattern

import (
	"regexp/syntax"
	"unicode/utf8"
)

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
