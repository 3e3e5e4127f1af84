package pairing

import (
	"errors"
	"fmt"
	"strings"
	"time"

	pialertv1 "github.com/pialert/pialert/proto/pialert/v1"
)

// Role says which of the two programs a machine runs. The zero Role is none and never valid.
type Role uint8

// The roles. A machine pairs only with machines of the other role.
const (
	Agent   Role = 1
	Display Role = 2
)

// Other returns the role that a machine of role r pairs with.
func (r Role) Other() Role {
	if r == Agent {
		return Display
	}
	return Agent
}

// Valid says whether r is one of the roles above.
func (r Role) Valid() bool { return r == Agent || r == Display }

// String returns "agent" or "display".
func (r Role) String() string {
	switch r {
	case Agent:
		return "agent"
	case Display:
		return "display"
	}
	return fmt.Sprintf("role(%d)", uint8(r))
}

// MarshalText returns the role's name; it fails for an invalid role.
func (r Role) MarshalText() ([]byte, error) {
	if !r.Valid() {
		return nil, fmt.Errorf("cannot name role %d", uint8(r))
	}
	return []byte(r.String()), nil
}

// UnmarshalText accepts "agent" and "display".
func (r *Role) UnmarshalText(text []byte) error {
	for _, role := range []Role{Agent, Display} {
		if string(text) == role.String() {
			*r = role
			return nil
		}
	}
	return fmt.Errorf("unknown role %q: use agent or display", text)
}

func (r Role) proto() pialertv1.Role { return pialertv1.Role(r) }

func roleOf(r pialertv1.Role) Role {
	if r == pialertv1.Role_ROLE_AGENT || r == pialertv1.Role_ROLE_DISPLAY {
		return Role(r)
	}
	return 0
}

// Peer is a paired machine, or this machine itself.
type Peer struct {
	Name      string      `json:"name"`
	Role      Role        `json:"role"`
	Key       Fingerprint `json:"key"`
	NextKey   Fingerprint `json:"next_key,omitzero"`   // the key that it is about to change to
	Knows     Fingerprint `json:"knows,omitzero"`      // the next key of ours that it has stored
	Public    PublicKey   `json:"public,omitzero"`     // the key itself, if it is known; messages over a broker are sealed for it
	Addresses []string    `json:"addresses,omitempty"` // where it is dialled; none if it dials us
	Paired    time.Time   `json:"paired"`
}

// Bounds of what is kept of peers.
const (
	MaxPeers     = 1 << 14 // of a display; an agent has a few
	MaxName      = 63      // bytes, as in a label of a host name (RFC 1035 section 2.3.4)
	MaxAddresses = 8
	MaxAddress   = 300 // bytes: a host name of 255 and room for a user, a port and a scheme
)

// CheckName returns an error that says what is wrong with a machine's name, or nil. Names are
// keys of totals, words in configurations and columns in terminals, so they are plain.
func CheckName(name string) error {
	switch {
	case name == "":
		return errors.New("the name is empty: use 1 to 63 of a-z, 0-9, dot and dash")
	case len(name) > MaxName:
		return fmt.Errorf("the name has %d bytes: use at most %d", len(name), MaxName)
	case strings.Trim(name, ".-") != name:
		return fmt.Errorf("the name %q begins or ends with a dot or a dash", name)
	}
	for _, c := range name {
		if !inName(c) {
			return fmt.Errorf("the name %q has %q in it: use a-z, 0-9, dot and dash", name, c)
		}
	}
	return nil
}

// NameFor makes a valid name of a host name: lower case, with dashes for what names do not
// have. It returns "pialert" where nothing is left.
func NameFor(host string) string {
	name := strings.Map(func(c rune) rune {
		if inName(c) {
			return c
		}
		return '-'
	}, strings.ToLower(host))
	name = strings.Trim(name[:min(len(name), MaxName)], ".-")
	if name == "" {
		return "pialert"
	}
	return name
}

func inName(c rune) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '.' || c == '-'
}

// check returns an error that names what is wrong with a peer of a machine of role self.
func (p *Peer) check(self Role) error {
	if err := CheckName(p.Name); err != nil {
		return err
	}
	switch {
	case p.Role != self.Other():
		return fmt.Errorf("%s is %s %s: %s %s pairs only with %ss",
			p.Name, article(p.Role), p.Role, article(self), self, self.Other())
	case p.Key.IsZero():
		return fmt.Errorf("%s has no key", p.Name)
	case len(p.Addresses) > MaxAddresses:
		return fmt.Errorf("%s has %d addresses: at most %d are kept", p.Name, len(p.Addresses), MaxAddresses)
	}
	for _, address := range p.Addresses {
		if err := checkAddress(address); err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
	}
	return nil
}

func article(r Role) string {
	if r == Agent {
		return "an"
	}
	return "a"
}

// checkAddress refuses what cannot be an address at all; pkg/link knows the forms.
func checkAddress(address string) error {
	if address == "" || len(address) > MaxAddress {
		return fmt.Errorf("an address has %d bytes: use 1 to %d", len(address), MaxAddress)
	}
	for _, c := range []byte(address) {
		if c <= ' ' || c >= 0x7f {
			return fmt.Errorf("the address %q has characters that no address has", address)
		}
	}
	return nil
}
