package responder_test

import (
	"errors"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/agent/internal/responder"
)

// Whoever a name of the allow list points to is not banned, nor is his network, also after a restart. Where he
// was before is spared for a day more.
func TestNamesOfTheAllowList(t *testing.T) {
	now := time.Now()
	o := options(filepath.Join(t.TempDir(), "bans.db"), nil)
	o.Now = func() time.Time { return now }
	o.Names = func() []string { return []string{"home.example.org"} }
	r := open(t, o)
	tell := func(addresses ...string) {
		t.Helper()
		var list []netip.Addr
		for _, one := range addresses {
			list = append(list, netip.MustParseAddr(one))
		}
		if err := r.Tell(map[string][]netip.Addr{"home.example.org": list}); err != nil {
			t.Fatal(err)
		}
	}
	spares := func(want bool, targets ...string) {
		t.Helper()
		for _, target := range targets {
			_, _, err := r.Ban(ask(target, time.Hour))
			if refused := errors.Is(err, responder.ErrRefused); refused != want || err != nil && !refused {
				t.Errorf("%s is spared: %t, want %t; %v", target, refused, want, err)
			}
		}
	}
	spares(false, "9.9.1.1/32")
	tell("9.9.9.9", "2a00:1:2:3::9", "::ffff:9.9.8.8")
	spares(true, "9.9.9.9/32", "9.9.9.0/24", "9.9.0.0/16", "2a00:1:2:3::/64", "2a00:1:2::/48", "9.9.8.8/32")
	spares(false, "9.9.9.8/32", "2a00:1:2:4::/64")
	r = reopen(t, r, o)
	spares(true, "9.9.9.9/32")
	tell("9.9.7.7")
	now = now.Add(23 * time.Hour)
	r = reopen(t, r, o)
	tell("9.9.7.7") // the day counts from the move
	spares(true, "9.9.9.9/32", "9.9.7.7/32")
	now = now.Add(2 * time.Hour)
	spares(false, "9.9.9.9/32")
	spares(true, "9.9.7.7/32")
	now = now.Add(1000 * time.Hour)
	spares(true, "9.9.7.7/32") // nobody says that it has moved
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// What is told can spare nobody but a name that the responder itself knows, and not without end.
func TestNamesThatAreRefused(t *testing.T) {
	o := options(filepath.Join(t.TempDir(), "bans.db"), nil)
	o.Names = func() []string { return []string{"home.example.org"} }
	now := time.Now()
	o.Now = func() time.Time { return now }
	r := open(t, o)
	defer r.Close()
	many := make([]netip.Addr, responder.MaxAddresses+1)
	for i := range many {
		many[i] = netip.AddrFrom4([4]byte{9, 9, 9, byte(i)})
	}
	for why, found := range map[string]map[string][]netip.Addr{
		"is no name of":  {"evil.example.org": {netip.MustParseAddr("9.9.9.9")}, "home.example.org": {netip.MustParseAddr("9.9.9.9")}},
		"has more than":  {"home.example.org": many},
		"or one that is": {"home.example.org": {netip.Addr{}}},
	} {
		if err := r.Tell(found); !errors.Is(err, responder.ErrRefused) || !strings.Contains(err.Error(), why) {
			t.Errorf("%v: %v, want %q", found, err, why)
		}
	}
	if _, _, err := r.Ban(ask("9.9.9.9/32", time.Hour)); err != nil {
		t.Error(err)
	}
	for i := range 50 { // a name that moves all the time
		now = now.Add(time.Minute)
		list := []netip.Addr{}
		for j := range responder.MaxAddresses {
			list = append(list, netip.AddrFrom4([4]byte{9, 8, byte(i), byte(j)}))
		}
		if err := r.Tell(map[string][]netip.Addr{"home.example.org": list}); err != nil {
			t.Fatal(err)
		}
	}
	for target, spared := range map[string]bool{"9.8.49.7/32": true, "9.8.48.7/32": true, "9.8.10.7/32": false} {
		if _, _, err := r.Ban(ask(target, time.Hour)); errors.Is(err, responder.ErrRefused) != spared {
			t.Errorf("%s: %v, spared %t", target, err, spared)
		}
	}
}
