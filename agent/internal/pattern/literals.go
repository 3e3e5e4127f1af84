package pattern

import (
	"regexp/syntax"
	"slices"
	"unicode"
	"unicode/utf8"
)

// maxLiterals bounds a set of literals; a larger one is of no use for a search.
const maxLiterals = 512

// Literals returns strings of which every text that matches contains at least one, as long as
// could be found, or nil if there are none. They are for searches for many patterns at once, and looked
// for at each call: that takes as long as half of what Compile does.
func (p *Pattern) Literals() []string {
	l := literalsOf(p.tree)
	if shortest(l.set) == 0 {
		return nil
	}
	slices.Sort(l.set)
	return slices.Compact(l.set)
}

// literals is a set of strings such that a match contains one of them; or, if it is exact, is
// one of them.
type literals struct {
	set   []string
	exact bool
}

func literalsOf(re *syntax.Regexp) literals {
	switch re.Op {
	case syntax.OpEmptyMatch, syntax.OpBeginText, syntax.OpEndText, syntax.OpBeginLine, syntax.OpEndLine,
		syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return literals{[]string{""}, true}
	case syntax.OpLiteral:
		text, all := exact(re)
		return literals{[]string{text}, all}
	case syntax.OpCharClass:
		return ofClass(re.Rune)
	case syntax.OpCapture:
		return literalsOf(re.Sub[0])
	case syntax.OpPlus:
		return literals{literalsOf(re.Sub[0]).set, false}
	case syntax.OpRepeat:
		if re.Min > 0 {
			return literals{literalsOf(re.Sub[0]).set, false}
		}
	case syntax.OpQuest:
		if sub := literalsOf(re.Sub[0]); sub.exact && len(sub.set) < maxLiterals {
			return literals{append(slices.Clone(sub.set), ""), true}
		}
	case syntax.OpAlternate:
		return ofBranches(re.Sub)
	case syntax.OpConcat:
		return ofSequence(re.Sub)
	}
	return literals{[]string{""}, false}
}

// maxClass is how many characters a class that is spelled out may have: room for a letter or digit.
const maxClass = 40

// ofClass spells out small classes.
func ofClass(ranges []rune) literals {
	var l literals
	for i := 0; i+1 < len(ranges); i += 2 {
		if int(ranges[i+1]-ranges[i])+len(l.set) >= maxClass || ranges[i+1] >= utf8.RuneError {
			return literals{[]string{""}, false}
		}
		for r := ranges[i]; r <= ranges[i+1]; r++ {
			l.set = append(l.set, string(r))
		}
	}
	l.exact = true
	return l
}

func ofBranches(branches []*syntax.Regexp) literals {
	all := literals{exact: true}
	for _, branch := range branches {
		l := literalsOf(branch)
		all.set = append(all.set, l.set...)
		all.exact = all.exact && l.exact
	}
	if len(all.set) > maxLiterals {
		return literals{[]string{""}, false}
	}
	return all
}

// ofSequence joins what stands side by side as long as it is exact, and of the pieces that come
// of it takes the most telling one.
func ofSequence(subs []*syntax.Regexp) literals {
	piece := literals{[]string{""}, true}
	var best []string
	whole := true
	for _, sub := range subs {
		l := literalsOf(sub)
		if len(piece.set)*len(l.set) > maxLiterals {
			best = better(best, piece.set)
			piece.set, whole = []string{""}, false
		}
		if l.exact {
			piece.set = joined(piece.set, l.set)
			continue
		}
		whole = false
		if repeats(sub) {
			// It starts right behind the piece, and what follows stands right behind its end.
			best = better(best, joined(piece.set, l.set))
			piece.set = l.set
			continue
		}
		// What else is not exact contains its literals somewhere; right behind the piece stands what
		// it starts with.
		best = better(better(best, joined(piece.set, starts(sub).set)), l.set)
		piece.set = []string{""}
	}
	if whole {
		return piece
	}
	return literals{better(best, piece.set), false}
}

// joined lists each of the left with each of the right behind it; only the left if that were too many.
func joined(left, right []string) []string {
	if len(left)*len(right) > maxLiterals {
		return left
	}
	var all []string
	for _, l := range left {
		for _, r := range right {
			all = append(all, l+r)
		}
	}
	return all
}

// repeats says whether re repeats, at least once, something that is one of its literals.
func repeats(re *syntax.Regexp) bool {
	return (re.Op == syntax.OpPlus || re.Op == syntax.OpRepeat && re.Min > 0) && literalsOf(re.Sub[0]).exact
}

// better returns the set whose shortest member is longer, up to what a search uses of it; then
// the smaller one.
func better(a, b []string) []string {
	if a == nil {
		return b
	}
	x, y := min(shortest(a), 8), min(shortest(b), 8)
	if y > x || y == x && len(b) < len(a) {
		return b
	}
	return a
}

func shortest(set []string) int {
	n := len(set[0])
	for _, s := range set {
		n = min(n, len(s))
	}
	return n
}

// maxPrefixes bounds a set of prefixes.
const maxPrefixes = 32

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
