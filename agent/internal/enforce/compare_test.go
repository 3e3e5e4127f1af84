package enforce

import (
	"testing"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// Who becomes one who is never banned is let in again: by logging in, or since a name now means him.
func TestWhoIsLetInAgain(t *testing.T) {
	bubble(t, nil, func(g *guard) {
		g.attack("9.9.9.9", attack.SSHLogin, 5)
		g.attack("9.9.9.8", attack.SSHLogin, 5)
		g.attack("9.9.9.7", attack.SSHLogin, 5)
		g.holds("9.9.9.7/32", "9.9.9.8/32", "9.9.9.9/32")
		g.attack("9.9.9.9", attack.SSHAccepted, 1) // his connection was open
		g.holds("9.9.9.7/32", "9.9.9.8/32")
		g.attack("9.9.9.9", attack.SSHLogin, 50)
		g.mu.Lock()
		g.safe["9.9.9.8/32"] = "home.example.org is there now"
		g.mu.Unlock()
		g.rest(2 * time.Minute)
		g.holds("9.9.9.7/32")
		g.tells("ban 9.9.9.9", "ban 9.9.9.8", "ban 9.9.9.7", "unban 9.9.9.9", "unban 9.9.9.8")
	})
}

// Whom somebody lets in behind the agent's back is decided about anew.
func TestTheResponderForgets(t *testing.T) {
	bubble(t, nil, func(g *guard) {
		g.attack("9.9.9.9", attack.SSHLogin, 5)
		g.prison.set(func() { clear(g.prison.inmates) })
		g.rest(2 * time.Minute)
		g.tells("ban 9.9.9.9", "unban 9.9.9.9")
		g.attack("9.9.9.9", attack.SSHLogin, 5)
		g.holds("9.9.9.9/32")
	})
}
