package enforce

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/pialert/pialert/agent/internal/responder"
	"github.com/pialert/pialert/pkg/attack"
)

// A ban is told when it begins and when it ends, once each, also over restarts of the agent.
func TestABanIsToldOnceAndItsEndOnce(t *testing.T) {
	bubble(t, nil, func(g *guard) {
		g.attack("9.9.9.9", attack.SSHLogin, 20)
		g.attack("2a00:1:2:3::4", attack.SSHLogin, 5)
		g.holds("2a00:1:2:3::/64", "9.9.9.9/32")
		g.tells("ban 9.9.9.9", "ban 2a00:1:2:3::/64")
		for range 3 {
			g.stop()
			g.watch(false)
			g.rest(10 * time.Minute)
		}
		g.tells()
		g.rest(time.Hour)
		g.holds()
		g.mu.Lock()
		slices.Sort(g.events)
		g.mu.Unlock()
		g.tells("unban 2a00:1:2:3::/64", "unban 9.9.9.9")
		g.rest(time.Hour)
		g.attack("9.9.9.9", attack.SSHLogin, 5)
		g.rest(90 * time.Minute)
		g.holds("9.9.9.9/32") // the second time is longer
		g.tells("ban 9.9.9.9")
	})
}

// While the responder is away, decisions wait, over a restart too; and a ban is no longer than it was
// decided to be.
func TestDecisionsWaitForTheResponder(t *testing.T) {
	bubble(t, func(g *guard) { g.prison.down = errors.New("away") }, func(g *guard) {
		g.attack("9.9.9.8", attack.HTTPFlood, 1) // for a quarter of an hour
		g.attack("9.9.9.9", attack.SSHLogin, 5)
		g.rest(20 * time.Minute)
		g.stop()
		g.watch(false)
		g.tells("fault responder")
		if stats := g.Stats(); stats.Pending != 1 || stats.Error == "" {
			t.Errorf("status %+v", stats)
		}
		g.prison.set(func() { g.prison.down = nil })
		g.rest(2 * time.Second)
		g.holds("9.9.9.9/32")
		g.tells("ban 9.9.9.9")
		g.rest(39 * time.Minute)
		g.holds("9.9.9.9/32")
		g.rest(time.Minute)
		g.holds()
	})
}

// What the responder refuses is counted and not asked again; its source is decided about anew when it goes on.
func TestARefusedDecisionIsDropped(t *testing.T) {
	bubble(t, func(g *guard) { g.prison.down = fmt.Errorf("%w: too many", responder.ErrRefused) }, func(g *guard) {
		g.attack("9.9.9.9", attack.SSHLogin, 5)
		if stats := g.Stats(); stats.Refused != 1 || stats.Pending != 0 {
			t.Errorf("status %+v", stats)
		}
		g.prison.set(func() { g.prison.down = nil })
		g.rest(time.Hour)
		g.holds()
		g.attack("9.9.9.9", attack.SSHLogin, 5)
		g.holds("9.9.9.9/32")
	})
}
