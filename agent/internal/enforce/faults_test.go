package enforce

import (
	"testing"
	"time"

	"github.com/pialert/pialert/agent/internal/responder"
)

// A backend that fails is told once, not at each look.
func TestAFailingBackendIsToldOnce(t *testing.T) {
	bubble(t, nil, func(g *guard) {
		g.prison.set(func() {
			g.prison.backends = []responder.BackendStatus{{Name: "nftables", Error: "no such kernel"}, {Name: "hosts_deny"}}
		})
		g.rest(50 * time.Minute)
		g.tells("fault nftables")
		if stats := g.Stats(); len(stats.Backends) != 2 || stats.Backends[0].Error != "no such kernel" {
			t.Errorf("status %+v", stats)
		}
		g.prison.set(func() { g.prison.backends[0].Error = "" })
		g.rest(time.Minute)
		g.prison.set(func() { g.prison.backends[0].Error = "again" })
		g.rest(time.Minute)
		g.tells()
		g.rest(time.Hour)
		g.tells("fault nftables")
	})
}
