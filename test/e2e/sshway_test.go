package e2e

import (
	"fmt"
	"os"
	"testing"

	"github.com/pialert/pialert/packaging/demo/program"
	"github.com/pialert/pialert/test/daemon"
)

// TestWayThroughSSH has the display come in by a real sshd with a key that may run the relay and
// nothing else, while the same sshd is attacked.
func TestWayThroughSSH(t *testing.T) {
	t.Parallel()
	m := boot(t)
	s := layOut(t, program.Settings{
		Logs: following(m, "auth.log"), Dial: "ssh",
		Address: fmt.Sprintf("ssh://%s@%s", daemon.Account, daemon.Address4),
	})
	s.Command = m.Program
	s.must(os.Chmod(s.Dir, 0o755)) // the account reads the configuration and reaches the relay's socket
	s.must(m.StartSyslog(s.ctx, daemon.Syslog{}))
	s.must(m.StartSSHD(s.ctx, daemon.SSHD{}))
	s.must(m.Authorize(programs.Agent + " relay --config " + s.AgentConfig))
	s.startAgent()
	s.startDisplay()
	s.must(s.Join(s.ctx))

	s.did(m.WrongPasswords(s.ctx, mallory, "root", 3))
	s.did(m.Login(s.ctx, visitor))
	s.did(m.Scan(s.ctx, eve))
	s.exact(func() ([]daemon.Attempt, error) { return m.WrongPasswords(s.ctx, mallory, "last", 1) })
}
