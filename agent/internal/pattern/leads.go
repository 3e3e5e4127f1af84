package pattern

import (
	"regexp/syntax"
	"slices"
)

// Leads says whether the pattern has a group of this name that stands before all of it that takes any text: a repeated
// ".", and each of the named texts that takes blanks. What a match's group holds is then of no such text, wherever the text
// ends.
func (p *Pattern) Leads(group string, texts ...string) bool {
	found, _ := leads(p.tree, group, texts)
	return found
}

// leads looks for the group up to the first such text, and says whether it met one of both.
func leads(re *syntax.Regexp, group string, texts []string) (found, end bool) {
	switch re.Op {
	case syntax.OpCapture:
		if re.Name == group {
			return true, true
		}
		if slices.Contains(texts, re.Name) && takesBlank(re) {
			return false, true
		}
	case syntax.OpStar, syntax.OpPlus, syntax.OpRepeat:
		if op := re.Sub[0].Op; op == syntax.OpAnyChar || op == syntax.OpAnyCharNotNL {
			return false, true
		}
	}
	for _, sub := range re.Sub {
		if found, end = leads(sub, group, texts); end {
			return found, true
		}
	}
	return false, false
}

func takesBlank(re *syntax.Regexp) bool {
	return isClass(re) && classOf(re).one[' '] || slices.ContainsFunc(re.Sub, takesBlank)
}
