package rule

import (
	"slices"
	"strings"

	"github.com/pialert/pialert/agent/internal/header"
)

// Trust returns who may write under the tags and PAM services of the rules, by what they say: under some only root's
// processes do, and some programs write under their caller's user id.
func (s *Set) Trust() *header.Trust { return s.trust() }

func (s *Set) senders() *header.Trust {
	trust := &header.Trust{RootOnly: map[string]bool{}, Setuid: map[string][]string{}}
	for _, r := range s.rules {
		if !r.Root && r.Setuid == nil {
			continue
		}
		for _, name := range slices.Concat(r.Tags, r.PAM) {
			if r.Root && !strings.Contains(name, "*") {
				trust.RootOnly[strings.ToLower(name)] = true
			}
			for _, file := range r.Setuid {
				if !slices.Contains(trust.Setuid[name], file) {
					trust.Setuid[name] = append(trust.Setuid[name], file)
				}
			}
		}
	}
	return trust
}
