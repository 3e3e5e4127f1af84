package intake

import (
	"fmt"
	"net/netip"
	"strings"
)

// jailKey is a jail of fail2ban's on a machine.
type jailKey struct{ jail, host string }

// banKey is a ban that a jail may have of a source.
type banKey struct {
	jailKey
	source netip.Prefix
}

// String returns the key as it is saved.
func (k banKey) String() string { return k.source.String() + "\x00" + k.jail + "\x00" + k.host }

// parseKey reads what String wrote.
func parseKey(name string) (banKey, error) {
	parts := strings.SplitN(name, "\x00", 3)
	if len(parts) != 3 {
		return banKey{}, fmt.Errorf("cannot restore a ban: %q is no key", name)
	}
	source, err := netip.ParsePrefix(parts[0])
	if err != nil {
		return banKey{}, fmt.Errorf("cannot restore a ban: %w", err)
	}
	return banKey{jailKey{parts[1], parts[2]}, source}, nil
}
