package pattern

import (
	"regexp/syntax"
	"slices"
	"strings"
)

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
