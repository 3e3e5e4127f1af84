package intake

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/pialert/pialert/packaging/demo/program"
)

// TestABanThatWaits kills the agent at random moments between the line of a ban in fail2ban's log and its
// report, and while it is reported. Of each ban there is one event: of those that are reported, and of those
// of which no report ever comes. An attempt counts once, too, though its report was sent twice.
func TestABanThatWaits(t *testing.T) {
	t.Parallel()
	s := boot(t, "logs: [{path: LOGS/fail2ban.log}]\n")
	log, err := os.Create(s.Log("fail2ban.log"))
	s.must(err)
	defer log.Close()
	report := func(action string, addr netip.Addr) <-chan error {
		done := make(chan error, 1)
		go func() {
			_, err := program.Run(s.ctx, exec.Command(programs.Agent, "report", action, "--source-ip", addr.String(), "--jail", "sshd", "--wait", "2m", "--config", s.config))
			done <- err
		}()
		return done
	}
	told := func(want uint64) {
		t.Helper()
		s.pollFor(2*timeout, func() error { // the agent waits for a report for a minute
			found, err := s.status()
			if err == nil && found.Spool.Next != want+1 {
				err = fmt.Errorf("%d events were told, want %d", found.Spool.Next-1, want)
			}
			return err
		})
	}
	addr := netip.MustParseAddr("203.0.113.1")
	s.must(<-report("ban", addr))
	told(1)

	random := rand.New(rand.NewPCG(1, 2))
	kill := func(within time.Duration) {
		<-time.After(time.Duration(random.Int64N(int64(within))))
		s.agent.Kill()
		s.start()
	}
	events := uint64(1)
	for _, commits := range []time.Duration{time.Millisecond, time.Second, 8 * time.Second} {
		reported, silent := addr.Next(), addr.Next().Next()
		addr = silent
		for _, banned := range []netip.Addr{reported, silent} {
			_, err := fmt.Fprintf(log, "%s,388 fail2ban.actions        [1234]: NOTICE  [sshd] Ban %s\n", time.Now().Format("2006-01-02 15:04:05"), banned)
			s.must(err)
		}
		events += 3
		kill(commits)
		ban, attempt := report("ban", reported), report("attempt", reported)
		kill(50 * time.Millisecond)
		s.must(<-ban)
		s.must(<-attempt)
		s.must(<-report("ban", reported)) // as fail2ban does when it starts again
	}
	told(events)
	kill(time.Millisecond)
	told(events)
}
