package enforce

import (
	"fmt"
	"net/netip"
	"testing"
)

// The responder is told what names of the allow list have: at once when that changes, and again and again,
// as it may be another one by then. A name that nothing was found for takes nothing away.
func TestTheResponderIsToldOfNames(t *testing.T) {
	home := func(addresses ...string) map[string][]netip.Addr {
		all := map[string][]netip.Addr{"unknown.example.org": nil}
		for _, one := range addresses {
			all["home.example.org"] = append(all["home.example.org"], netip.MustParseAddr(one))
		}
		return all
	}
	bubble(t, func(g *guard) { g.home = home("203.0.113.7") }, func(g *guard) {
		told := func(want string) {
			t.Helper()
			g.prison.set(func() {
				if got := fmt.Sprint(g.prison.names); got != want {
					t.Errorf("told %s, want %s", got, want)
				}
				g.prison.names = nil
			})
		}
		told("map[home.example.org:[203.0.113.7]]")
		g.mu.Lock()
		g.home = home("203.0.113.8", "203.0.113.9")
		g.mu.Unlock()
		g.rest(tendEvery)
		told("map[home.example.org:[203.0.113.8 203.0.113.9]]")
		g.rest(tendEvery)
		told("map[]")
		g.rest(2 * tellEvery)
		told("map[home.example.org:[203.0.113.8 203.0.113.9]]")
	})
}
