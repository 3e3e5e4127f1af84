package scan

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pialert/pialert/pkg/attack"
)

// Report is what a scan read and found, as `scan --format json --summary` prints it.
type Report struct {
	Files     []string  `json:"files"`
	Lines     uint64    `json:"lines"`
	Bytes     int64     `json:"bytes"`     // after decompression
	OverLong  uint64    `json:"over_long"` // lines that were too long to be looked at
	Untrusted uint64    `json:"untrusted"` // entries of a journal under the name of a program that their sender is not
	Unread    uint64    `json:"unread"`    // lines of no form that is known
	Examples  []string  `json:"examples"`  // the first of those
	Ignored   uint64    `json:"ignored"`   // attempts from addresses that the configuration ignores
	Events    uint64    `json:"events"`
	Attempts  uint64    `json:"attempts"`
	Seconds   float64   `json:"seconds"`        // that the scan took
	First     time.Time `json:"first,omitzero"` // time of the first event
	Last      time.Time `json:"last,omitzero"`
	Successes uint64    `json:"successes"` // logins that succeeded
	// Accepted lists the first successes, before all those of high severity.
	Accepted  []Success `json:"accepted"`
	Kinds     []Kind    `json:"kinds"`
	Hours     []Hour    `json:"hours"` // those with attempts, in order
	Addresses int       `json:"addresses"`
	// The commonest, with their attempts. Where Complete is false there were too many to keep all,
	// and the counts are at least those.
	Sources  []Count `json:"sources"`
	Networks []Count `json:"networks"` // by /24 and, for IPv6, /48
	Users    []Count `json:"users"`
	Targets  []Count `json:"targets"`
	Complete bool    `json:"complete"`
}

// Success is a login that succeeded.
type Success struct {
	Time         time.Time `json:"time,omitzero"`
	Kind         string    `json:"kind"`
	Severity     string    `json:"severity"`
	Reason       string    `json:"reason,omitempty"` // for the severity, in a few words
	User         string    `json:"user"`
	Source       string    `json:"source"`
	Log          string    `json:"file"`
	FailedBefore uint64    `json:"failed_before"` // attempts of the same source before it
}

// Kind is how often a kind was found.
type Kind struct {
	Kind    string `json:"kind"`
	Events  uint64 `json:"events"`
	Count   uint64 `json:"count"`
	Attempt bool   `json:"attempt"` // the count is of attempts
	family  attack.Family
}

// Hour is what was attempted in an hour.
type Hour struct {
	Start    time.Time `json:"start"`
	Attempts uint64    `json:"attempts"`
}

// Count is how many attempts a name stands for.
type Count struct {
	Name     string `json:"name"`
	Attempts uint64 `json:"attempts"`
}

// listed is how many names a report holds of each sort; a text shows fewer.
const listed = 100

// isSuccess says whether a kind is a login that succeeded.
func isSuccess(kind attack.Kind) bool {
	return kind == attack.SSHAccepted || kind == attack.LoginAccepted
}

// readable writes bytes that are no UTF-8 as "\\xHH", as daemons do, since JSON has no way to.
func readable(name string) string {
	if utf8.ValidString(name) {
		return name
	}
	var b []byte
	for i, r := range name {
		if r == utf8.RuneError && !strings.HasPrefix(name[i:], string(utf8.RuneError)) {
			b = append(b, '\\', 'x', "0123456789abcdef"[name[i]>>4], "0123456789abcdef"[name[i]&15])
			continue
		}
		b = utf8.AppendRune(b, r)
	}
	return string(b)
}
