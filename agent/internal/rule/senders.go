package rule

import (
	"slices"
	"strings"
)

// RootOnly returns the tags and PAM services under which only root's processes write, by what the
// rules say.
func (s *Set) RootOnly() map[string]bool {
	names := map[string]bool{}
	for _, r := range s.rules {
		for _, name := range slices.Concat(r.Tags, r.PAM) {
			if r.Root && !strings.Contains(name, "*") {
				names[strings.ToLower(name)] = true
			}
		}
	}
	return names
}

// Setuid returns the files of the programs that write under their caller's user id, by the
// tags and PAM services that they write under.
func (s *Set) Setuid() map[string][]string {
	files := map[string][]string{}
	for _, r := range s.rules {
		for _, name := range slices.Concat(r.Tags, r.PAM) {
			for _, file := range r.Setuid {
				if !slices.Contains(files[name], file) {
					files[name] = append(files[name], file)
				}
			}
		}
	}
	return files
}
