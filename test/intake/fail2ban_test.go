package intake

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/pialert/pialert/packaging/demo/program"
)

// fail2ban is Debian's, with the action as it is packaged.
type fail2ban struct {
	*server
	process *program.Process
}

const jail = `[DEFAULT]
bantime = 1h
findtime = 10m
maxretry = 3
backend = polling
allowipv6 = yes
[sshd]
enabled = true
filter = sshd
port = 22
logpath = /var/log/auth.log
action = pialert
`

// newFail2ban lays out its configuration.
func newFail2ban(s *server) *fail2ban {
	s.t.Helper()
	f := &fail2ban{server: s}
	action, err := os.ReadFile("../../packaging/fail2ban/pialert.conf")
	s.must(err)
	for _, dir := range []string{"fail2ban", "fail2ban/action.d", "bin"} {
		s.must(os.Mkdir(s.path(dir), 0o755))
	}
	s.must(os.Symlink("/etc/fail2ban/filter.d", s.path("fail2ban/filter.d")))
	for name, text := range map[string]string{
		"fail2ban/jail.conf":             jail,
		"fail2ban/action.d/pialert.conf": string(action),
		"fail2ban/fail2ban.conf": "[Definition]\nloglevel = INFO\nlogtarget = /var/log/fail2ban.log\nsyslogsocket = auto\n" +
			"dbfile = " + s.path("fail2ban.sqlite3") + "\ndbpurgeage = 1d\nallowipv6 = yes\n",
	} {
		s.must(os.WriteFile(s.path(name), []byte(text), 0o644))
	}
	s.must(os.WriteFile(s.path("bin/pialert-agent"), fmt.Appendf(nil, "#!/bin/sh\nexec %s \"$@\" --config %s\n", programs.Agent, s.config), 0o755))
	return f
}

func (f *fail2ban) args(more ...string) []string {
	return append([]string{"-c", f.path("fail2ban"), "-s", f.path("fail2ban.sock"), "-p", f.path("fail2ban.pid")}, more...)
}

// start starts it, and waits until it has repeated so many bans.
func (f *fail2ban) start(bans int) {
	f.t.Helper()
	env := []string{"PATH=" + f.path("bin") + ":/usr/sbin:/usr/bin:/sbin:/bin"}
	p, err := program.Start(f.Program("/usr/bin/env", append(append(env, "fail2ban-server"), f.args("-f", "start")...)...))
	f.must(err)
	f.process = p
	f.t.Cleanup(p.Kill)
	f.poll(func() error {
		out, err := f.Command(f.ctx, "fail2ban-client", f.args("get", "sshd", "banip")...).Output()
		if err == nil && len(strings.Fields(string(out))) < bans {
			err = fmt.Errorf("it has repeated the bans of %q", out)
		}
		return err
	})
}

// client asks the server.
func (f *fail2ban) client(words ...string) error {
	out, err := program.Run(f.ctx, f.Command(f.ctx, "fail2ban-client", f.args(words...)...))
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

func (f *fail2ban) stop() {
	f.t.Helper()
	f.must(f.client("stop"))
	_, err := f.process.Wait(f.ctx)
	f.must(err)
}

// kill gives it no time for anything.
func (f *fail2ban) kill() {
	f.t.Helper()
	pid, err := os.ReadFile(f.path("fail2ban.pid"))
	f.must(err)
	f.must(f.Command(f.ctx, "kill", "-KILL", strings.TrimSpace(string(pid))).Run())
	f.process.Wait(f.ctx)
	f.must(os.Remove(f.path("fail2ban.sock")))
	os.Remove(f.path("fail2ban.pid"))
}

// want waits until so many events were committed since the beginning of time, then compares the kinds: of
// this agent's life those, of former lives the rest.
func (f *fail2ban) want(what string, bans, unbans, attempts uint64) {
	f.t.Helper()
	var last string
	f.poll(func() error {
		found, err := f.status()
		if err != nil {
			return err
		}
		if found.Kinds["ban"] == bans && found.Kinds["unban"] == unbans && found.Kinds["ssh_login"] == attempts {
			return nil
		}
		last = fmt.Sprintf("%s: %v, want %d bans, %d unbans, %d attempts", what, found.Kinds, bans, unbans, attempts)
		return fmt.Errorf("%s", last)
	})
}

// TestFail2ban lets a real fail2ban ban real attackers. Each ban and each end of one is one event, though
// fail2ban and the agent start again, are killed, and the log of fail2ban says the same; the attempts are
// counted besides.
func TestFail2ban(t *testing.T) {
	t.Parallel()
	s := boot(t, "logs: [{path: LOGS/auth.log}, {path: LOGS/fail2ban.log}]\n")
	s.must(s.StartSyslog(s.ctx, syslogOptions))
	s.must(s.StartSSHD(s.ctx, sshdOptions))
	f := newFail2ban(s)
	f.start(0)
	t.Cleanup(func() {
		if text, err := os.ReadFile(s.Log("fail2ban.log")); t.Failed() && err == nil {
			t.Logf("fail2ban wrote:\n%s", text)
		}
	})

	four, six := netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("2001:db8:bad::7")
	_, err := s.WrongPasswords(s.ctx, four, "root", 3)
	s.must(err)
	f.want("an attacker", 1, 0, 3)
	_, err = s.WrongPasswords(s.ctx, six, "root", 3)
	s.must(err)
	f.want("another one", 2, 0, 6)

	f.stop()
	f.start(2)
	f.want("fail2ban stopped and started", 2, 0, 6)
	f.kill()
	f.start(2)
	f.want("fail2ban was killed", 2, 0, 6)

	// The agent's own counts begin anew with it, what it remembers does not.
	s.agent.Kill()
	s.start()
	f.stop()
	f.start(2)
	f.want("the agent was killed and fail2ban started again", 0, 0, 0)
	s.must(s.agent.Stop(s.ctx))
	done := make(chan error, 1)
	go func() { done <- f.client("unban", four.String()) }() // its action waits for the agent
	s.start()
	s.must(<-done)
	f.want("an unban while the agent starts", 0, 1, 0)
	s.must(f.client("set", "sshd", "unbanip", six.String()))
	f.want("another unban", 0, 2, 0)
	_, err = s.WrongPasswords(s.ctx, four, "root", 3)
	s.must(err)
	f.want("the first one again", 1, 2, 3)
}
