package rule

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"github.com/pialert/pialert/agent/internal/pattern"
	"github.com/pialert/pialert/agent/internal/value"
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
	groupText        // anything else that the client wrote; no field
)

var groupNames = [...]string{"source", "port", "user", "method", "reason", "invalid", "count", "target", "tty", "jail", "pid", "thread", "fingerprint", "text"}

// compiled is what Ready makes of a rule.
type compiled struct {
	once   sync.Once
	err    error
	expr   *pattern.Pattern
	prefix []byte // literal that every match starts with, or empty
	groups []group
	parts  []part         // that In stands for
	from   value.Networks // that From names

	sourceLeads bool
}

// Ready compiles the rule when it is first needed: most scans need the rules of few services.
func (r *Rule) Ready() error {
	r.once.Do(func() {
		if r.err = r.compilePattern(); r.err != nil {
			r.expr = nil
		}
		r.parts = partsOf[r.In]
		for _, text := range r.From {
			network, _ := netip.ParsePrefix(text) // check says if it is none
			r.from = r.from.With(network)
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
	r.expr, r.prefix, r.sourceLeads = expr, []byte(expr.Prefix()), expr.Leads(groupNames[groupSource], groupNames[groupUser], groupNames[groupText])
	return nil
}

// SourceLeads says whether the address of a match stands before any text that a client may have chosen, so that it is the
// daemon's own even where the end of the message was cut off.
func (r *Rule) SourceLeads() bool { return r.sourceLeads }
