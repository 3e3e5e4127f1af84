package pattern

import (
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxPrefixes bounds a set of prefixes.
const maxPrefixes = 32

// prefixesOf returns literals of which every match of re starts with one, or nil.
func prefixesOf(re *syntax.Regexp) []string {
	all := starts(re).set
	slices.Sort(all) // the start of others stands before them
	var set []string
	for _, prefix := range all {
		if prefix == "" {
			return nil
		}
		if len(set) == 0 || !strings.HasPrefix(prefix, set[len(set)-1]) {
			set = append(set, prefix)
		}
	}
	return set
}

// starts returns what matches of re start with; if it is exact, that is all of them.
func starts(re *syntax.Regexp) literals {
	switch re.Op {
	case syntax.OpBeginText, syntax.OpEmptyMatch:
		return literals{[]string{""}, true}
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase != 0 && re.Rune[0] != utf8.RuneError {
			return literals{inEitherCase(re.Rune[0]), len(re.Rune) == 1}
		}
		text, all := exact(re)
		return literals{[]string{text}, all}
	case syntax.OpCharClass:
		return ofClass(re.Rune)
	case syntax.OpCapture:
		return starts(re.Sub[0])
	case syntax.OpQuest:
		if l := starts(re.Sub[0]); l.exact {
			return literals{append(l.set, ""), true}
		}
	case syntax.OpAlternate:
		all := literals{exact: true}
		for _, branch := range re.Sub {
			l := starts(branch)
			all.set = append(all.set, l.set...)
			all.exact = all.exact && l.exact
		}
		if len(all.set) <= maxPrefixes {
			return all
		}
	case syntax.OpConcat:
		all := literals{[]string{""}, true}
		for _, sub := range re.Sub {
			l := starts(sub)
			if len(all.set)*len(l.set) > maxPrefixes {
				all.exact = false
				return all
			}
			if all.set = joined(all.set, l.set); !l.exact {
				all.exact = false
				return all
			}
		}
		return all
	}
	return literals{[]string{""}, false}
}

// inEitherCase returns the characters that are the same as r but for their case.
func inEitherCase(r rune) []string {
	set := []string{string(r)}
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		set = append(set, string(f))
	}
	return set
}
