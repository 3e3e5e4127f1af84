package responder

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"
)

// The responder speaks to no name server, so it is told the addresses of the names in its own allow list
// by whoever decides. To be told can spare somebody, and bans nobody. What a name had stays allowed for a
// while after it is told to have something else: whoever has the agent in hand cannot take it away at once.

const (
	// keptFor is how long an address outlives its name's move elsewhere.
	keptFor = 24 * time.Hour
	// MaxAddresses bounds what one name has.
	MaxAddresses = 64
)

// Tell takes what names of the allow list were found to have. Names that are not in it are refused, and
// what was told of others stays as it was.
func (r *Responder) Tell(found map[string][]netip.Addr) error {
	known := r.options.Names()
	for name, list := range found {
		if !slices.Contains(known, name) {
			return fmt.Errorf("%w: %q is no name of the responder's allow list: restart it if the configuration has changed", ErrRefused, name)
		}
		if len(list) > MaxAddresses || slices.ContainsFunc(list, func(addr netip.Addr) bool { return !addr.IsValid() }) {
			return fmt.Errorf("%w: %q has more than %d addresses, or one that is none", ErrRefused, name, MaxAddresses)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	resolved := maps.Clone(r.resolved)
	for name, list := range found {
		resolved[name] = resolved[name].move(list, r.options.Now())
	}
	maps.DeleteFunc(resolved, func(name string, _ addresses) bool { return !slices.Contains(known, name) })
	if maps.EqualFunc(resolved, r.resolved, maps.Equal[addresses]) {
		return nil
	}
	if err := r.store.keepResolved(resolved); err != nil {
		return fmt.Errorf("cannot keep the addresses of names: %w", err)
	}
	r.resolved = resolved
	r.ring()
	return nil
}

// move returns what is allowed of a name that has a list of addresses now.
func (a addresses) move(list []netip.Addr, now time.Time) addresses {
	moved := addresses{}
	for _, addr := range list {
		moved[addr.Unmap().WithZone("")] = time.Time{}
	}
	gone := func(addr netip.Addr) time.Time {
		if a[addr].IsZero() {
			return now
		}
		return a[addr]
	}
	lastFirst := func(x, y netip.Addr) int { return gone(y).Compare(gone(x)) }
	for _, addr := range slices.SortedFunc(maps.Keys(a), lastFirst) {
		if _, has := moved[addr]; !has && now.Sub(gone(addr)) < keptFor && len(moved) < 2*MaxAddresses {
			moved[addr] = gone(addr)
		}
	}
	return moved
}

// named returns the addresses of names that are never banned; r.mu is held.
func (r *Responder) named() (all []netip.Prefix) {
	now := r.options.Now()
	for _, name := range r.options.Names() {
		for addr, gone := range r.resolved[name] {
			if gone.IsZero() || now.Sub(gone) < keptFor {
				all = append(all, netip.PrefixFrom(addr, addr.BitLen()))
			}
		}
	}
	return all
}
