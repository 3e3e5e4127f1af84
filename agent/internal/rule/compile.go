package rule

import (
	"fmt"
	"slices"

	"github.com/pialert/pialert/agent/internal/pattern"
)

// group is a named group of a pattern.
type group struct {
	name groupName
	slot int // of its start in a match's indexes
}

// groupName says what a named group of a pattern means.
type groupName uint8

const (
	groupSource  groupName = iota // address or name of the attacker, where the daemon writes it
	groupPort                     // the attacker's port
	groupUser                     // account that was tried
	groupMethod                   // method of the attempt
	groupReason                   // why it failed, or what a probe did
	groupInvalid                  // took part in the match: the daemon says that there is no such account
	groupCount                    // attempts that the line sums up
	groupTarget                   // account that was to be become
	groupTTY
	groupJail
	groupPID         // process or number of the connection, where the header's process serves many
	groupThread      // thread that serves the connection; if the line has no pid
	groupFingerprint // of the key that was used
)

var groupNames = [...]string{"source", "port", "user", "method", "reason", "invalid", "count", "target", "tty", "jail", "pid", "thread", "fingerprint"}

// Ready compiles the pattern when it is first needed: most scans need the rules of few services.
func (r *Rule) Ready() error {
	r.compile.Do(func() {
		if r.err = r.compilePattern(); r.err != nil {
			r.expr = nil
		}
	})
	return r.err
}

func (r *Rule) compilePattern() error {
	expr, err := pattern.Compile(r.Pattern)
	if err != nil {
		return fmt.Errorf("pattern: %w", err)
	}
	r.groups = nil
	for i, name := range expr.Names() {
		if name == "" {
			continue
		}
		number := slices.Index(groupNames[:], name)
		if number < 0 {
			return fmt.Errorf("pattern: the group %q has no meaning: use one of %v", name, groupNames)
		}
		r.groups = append(r.groups, group{groupName(number), 2 * i})
	}
	r.expr, r.prefix = expr, []byte(expr.Prefix())
	return nil
}

// sourceLeads says whether a match's address directly follows the literal that the message starts
// with, so that nothing of the client's can stand before it.
func (r *Rule) sourceLeads(loc []int) bool {
	for _, g := range r.groups {
		if g.name == groupSource {
			return loc[g.slot] == len(r.prefix)
		}
	}
	return false
}
