package enforce

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/agent/internal/responder"
	"github.com/pialert/pialert/pkg/attack"
)

// What a person bans and lifts is told like every other ban, and he bans nobody who is never banned.
func TestAPersonDecides(t *testing.T) {
	bubble(t, func(g *guard) { g.safe["5.6.7.8/32"] = "somebody is logged in from there" }, func(g *guard) {
		ban := func(target string) error {
			_, err := g.Ban(t.Context(), responder.Request{Target: netip.MustParsePrefix(target), For: 30 * time.Minute, Reason: "by hand"})
			return err
		}
		for _, target := range []string{"9.9.9.9/32", "9.9.9.9/32", "9.9.8.0/24"} { // one of them twice
			if err := ban(target); err != nil {
				t.Fatal(err)
			}
		}
		if err := ban("5.6.7.8/32"); err == nil || !strings.Contains(err.Error(), "logged in from there") {
			t.Errorf("he bans himself: %v", err)
		}
		g.holds("9.9.8.0/24", "9.9.9.9/32")
		counted := func(want int) {
			t.Helper()
			if n := g.Stats().Bans; n != want {
				t.Errorf("%d are banned, want %d", n, want)
			}
		}
		counted(2)
		if _, err := g.Unban(t.Context(), netip.MustParsePrefix("9.9.9.9/32")); err != nil {
			t.Fatal(err)
		}
		counted(1)
		g.tells("ban 9.9.9.9", "ban 9.9.8.0/24", "unban 9.9.9.9")
		g.attack("9.9.9.7", attack.SSHLogin, 5)
		counted(2)
		if n, err := g.Flush(t.Context()); err != nil || n != 2 {
			t.Errorf("%d let in again, %v", n, err)
		}
		counted(0)
		g.holds()
		g.mu.Lock()
		if len(g.events) != 3 { // a ban, and the ends of two in any order
			t.Errorf("told %q", g.events)
		}
		g.events = nil
		g.mu.Unlock()
		g.prison.set(func() { g.prison.down = errors.New("away") })
		if err := ban("9.9.9.6/32"); err == nil {
			t.Error("a ban that nobody took is told to be one")
		}
		g.tells()
	})
}
