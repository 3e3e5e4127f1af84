package pattern

import (
	"regexp/syntax"
	"slices"
)

// DigitsAlike says whether the pattern tells no digit from another: each of its characters and classes takes
// all of them or none. Then a text matches as any other does that has other digits in the same places, and
// its groups stand where that one's do.
func (p *Pattern) DigitsAlike() bool { return p.digitsAlike }

func digitsAlike(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpLiteral:
		return !slices.ContainsFunc(re.Rune, func(r rune) bool { return '0' <= r && r <= '9' })
	case syntax.OpCharClass:
		for i := 0; i+1 < len(re.Rune); i += 2 {
			first, last := max(re.Rune[i], '0'), min(re.Rune[i+1], '9')
			if first <= last && last-first < 9 { // ranges of a class touch nowhere: this one has some only
				return false
			}
		}
	}
	return !slices.ContainsFunc(re.Sub, func(sub *syntax.Regexp) bool { return !digitsAlike(sub) })
}
