package enforce

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/agent/internal/responder"
	"github.com/pialert/pialert/pkg/attack"
)

// Set over SSH, enforcing ends by itself after five minutes, and so does every ban of them.
func TestATrialEndsByItself(t *testing.T) {
	bubble(t, func(g *guard) { g.remote = true }, func(g *guard) {
		if stats := g.Stats(); stats.State != stateTrial || time.Until(stats.Trial) != 5*time.Minute {
			t.Errorf("status %+v", stats)
		}
		g.rest(time.Minute)
		g.attack("9.9.9.9", attack.SSHLogin, 5)
		g.holds("9.9.9.9/32")
		g.stop() // a crash makes the trial no longer
		g.watch(false)
		g.rest(4 * time.Minute)
		g.holds()
		g.rest(time.Minute)
		g.tells("ban 9.9.9.9", "unban 9.9.9.9")
		g.attack("9.9.9.8", attack.SSHLogin, 50)
		g.rest(time.Hour)
		g.holds()
		g.stop()
		g.watch(false)
		if stats := g.Stats(); stats.State != stateOver {
			t.Errorf("a restart alone begins another trial: %+v", stats)
		}
		g.stop()
		g.watch(true)
		if stats := g.Stats(); stats.State != stateTrial {
			t.Errorf("the owner's reload begins no other trial: %+v", stats)
		}
		g.attack("9.9.9.8", attack.SSHLogin, 5)
		g.holds("9.9.9.8/32")
	})
}

// Confirmed, bans last as long as they were decided to, those of the trial too.
func TestConfirm(t *testing.T) {
	bubble(t, func(g *guard) { g.remote = true }, func(g *guard) {
		g.attack("9.9.9.9", attack.SSHLogin, 5)
		g.rest(time.Minute)
		if err := g.Confirm(); err != nil {
			t.Fatal(err)
		}
		g.rest(50 * time.Minute)
		g.holds("9.9.9.9/32")
		g.tells("ban 9.9.9.9")
		g.stop()
		g.watch(true)
		if stats := g.Stats(); stats.State != stateEnforcing {
			t.Errorf("status %+v", stats)
		}
		g.rest(10 * time.Minute)
		g.holds()
		g.mode = Observe
		g.stop()
		g.watch(true)
		if err := g.Confirm(); err == nil || !strings.Contains(err.Error(), "observe") {
			t.Errorf("confirmed what is not enforced: %v", err)
		}
		g.mode = Enforce
		g.stop()
		g.watch(true)
		if stats := g.Stats(); stats.State != stateTrial {
			t.Errorf("after observing, enforcing is no trial: %+v", stats)
		}
	})
}

// Where nobody is logged in from elsewhere, nobody can lock himself out.
func TestNoTrialAtTheConsole(t *testing.T) {
	bubble(t, nil, func(g *guard) {
		if stats := g.Stats(); stats.State != stateEnforcing {
			t.Errorf("status %+v", stats)
		}
	})
}

// What was decided while observing bans nobody once it is enforced; what was enforced is taken back
// once it is only observed, but not what a person banned.
func TestObservingAndEnforcing(t *testing.T) {
	bubble(t, func(g *guard) { g.mode = Observe }, func(g *guard) {
		g.attack("9.9.9.9", attack.SSHLogin, 50)
		g.holds()
		g.mode = Enforce
		g.stop()
		g.watch(true)
		g.holds()
		g.attack("9.9.9.9", attack.SSHLogin, 4)
		g.holds()
		g.attack("9.9.9.9", attack.SSHLogin, 1)
		g.holds("9.9.9.9/32")
		g.prison.Ban(t.Context(), responder.Request{Target: netip.MustParsePrefix("9.9.9.7/32"), For: 24 * time.Hour, Reason: "by hand"})
		g.mode = Observe
		g.stop()
		g.watch(true)
		g.rest(2 * time.Minute)
		g.holds("9.9.9.7/32")
		g.tells("ban 9.9.9.9", "unban 9.9.9.9")
	})
}
