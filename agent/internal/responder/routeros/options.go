package routeros

import (
	"crypto/sha256"
	"net/netip"
	"time"
)

// Options say which router, and which entries.
type Options struct {
	Address      string // host:port of api-ssl, as a rule port 8729
	User         string
	PasswordFile string
	Certificate  [sha256.Size]byte // SHA-256 of the router's certificate
	List         string            // name of the address lists, the same for IPv4 and IPv6
	Comment      string            // of the entries; tells them from those of others
	Now          func() time.Time  // nil is time.Now
}

// Ban is a source that is to be in the list until a moment.
type Ban struct {
	Target netip.Prefix
	Until  time.Time
}
