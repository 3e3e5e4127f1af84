package daemon

import (
	"net/netip"

	"github.com/pialert/pialert/pkg/attack"
)

// Attempt is what an attack really was, as its victim should count it.
type Attempt struct {
	Kind   attack.Kind `json:"kind"`
	Source netip.Addr  `json:"source_ip"`
	Count  uint64      `json:"count"`
	// User is the account that was tried. It is empty where daemons are known to write a name
	// differently from what was sent: cut, escaped, or both.
	User string `json:"user,omitempty"`
}

// Total adds up the attempts of each kind.
func Total(attempts []Attempt) map[attack.Kind]uint64 {
	total := make(map[attack.Kind]uint64)
	for _, a := range attempts {
		total[a.Kind] += a.Count
	}
	return total
}

func one(kind attack.Kind, from netip.Addr, user string, count uint64) []Attempt {
	return []Attempt{{Kind: kind, Source: from, Count: count, User: user}}
}
