package daemon_test

import (
	"context"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/test/daemon"
)

var (
	attacker4 = netip.MustParseAddr("203.0.113.7")
	attacker6 = netip.MustParseAddr("2001:db8:bad::7")
)

// boot starts a machine that ends with the test.
func boot(t *testing.T) (*daemon.Machine, context.Context) {
	t.Helper()
	m, err := daemon.Boot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return m, ctx
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestSSHAttacks holds the truths against what sshd writes: as many lines of the attack's own
// text and source as it is said to count.
func TestSSHAttacks(t *testing.T) {
	t.Parallel()
	m, ctx := boot(t)
	must(t, m.StartSyslog(ctx, daemon.Syslog{}))
	must(t, m.StartSSHD(ctx, daemon.SSHD{Config: "KbdInteractiveAuthentication yes\n"}))

	type expectation struct {
		name, line string
		count      int
	}
	var written []expectation
	source4, source6 := attacker4, attacker6
	for _, test := range []struct {
		name   string
		attack func(netip.Addr) ([]daemon.Attempt, error)
		want   uint64 // attempts
		line   string // text of the line that stands for one of them, with SOURCE
	}{
		{"wrong password", func(from netip.Addr) ([]daemon.Attempt, error) {
			return m.WrongPasswords(ctx, from, "root", 1)
		}, 1, "Failed password for root from SOURCE port"},
		{"three tries on one connection", func(from netip.Addr) ([]daemon.Attempt, error) {
			return m.WrongPasswords(ctx, from, "root", 3)
		}, 3, "Failed password for root from SOURCE port"},
		{"too many authentication failures", func(from netip.Addr) ([]daemon.Attempt, error) {
			return m.WrongPasswords(ctx, from, "oracle", 9)
		}, 6, "Failed password for invalid user oracle from SOURCE port"},
		{"keyboard-interactive", func(from netip.Addr) ([]daemon.Attempt, error) {
			return m.KeyboardInteractive(ctx, from, "root", 2)
		}, 2, "error: PAM: Authentication failure for root from SOURCE"},
		{"refused key", func(from netip.Addr) ([]daemon.Attempt, error) {
			return m.RefusedKey(ctx, from, "root")
		}, 1, "Connection closed by authenticating user root SOURCE port"},
		{"forged name", func(from netip.Addr) ([]daemon.Attempt, error) {
			return m.WrongPasswords(ctx, from, "root from 9.9.9.9 port 22 ssh2", 1)
		}, 1, "Failed password for invalid user root from 9.9.9.9 port 22 ssh2 from SOURCE port"},
		{"hostile name", func(from netip.Addr) ([]daemon.Attempt, error) {
			return m.HostileName(ctx, from, "a\n\"b'\xff")
		}, 1, `Failed password for invalid user a\n"b'\377 from SOURCE port`},
		{"scan", func(from netip.Addr) ([]daemon.Attempt, error) {
			return m.Scan(ctx, from)
		}, 1, "Connection closed by SOURCE port"},
		{"banner", func(from netip.Addr) ([]daemon.Attempt, error) {
			return m.Banner(ctx, from, "GET / HTTP/1.1\r\n\r\n")
		}, 1, "banner exchange: Connection from SOURCE port"},
		{"bad key exchange", func(from netip.Addr) ([]daemon.Attempt, error) {
			return m.BadKeyExchange(ctx, from)
		}, 1, "Unable to negotiate with SOURCE port"},
	} {
		for _, from := range []netip.Addr{source4, source6} {
			truth, err := test.attack(from)
			if err != nil {
				t.Fatalf("%s from %s: %v", test.name, from, err)
			}
			if len(truth) != 1 || truth[0].Count != test.want || truth[0].Source != from {
				t.Errorf("%s from %s: truth is %+v, want %d attempts", test.name, from, truth, test.want)
			}
			line := strings.ReplaceAll(test.line, "SOURCE", from.String())
			written = append(written, expectation{test.name, line, int(test.want)})
		}
		source4, source6 = source4.Next(), source6.Next()
	}

	// What is written of an innocent's login comes after all that the attacks caused.
	innocent := netip.MustParseAddr("198.51.100.1")
	_, err := m.Login(ctx, innocent)
	must(t, err)
	must(t, m.Await(ctx, "auth.log", "Disconnected from user", innocent.String()))
	log, err := os.ReadFile(m.Log("auth.log"))
	must(t, err)
	for _, w := range written {
		if got := strings.Count(string(log), w.line); got != w.count {
			t.Errorf("%s: %d lines hold %q, want %d", w.name, got, w.line, w.count)
		}
	}
	if t.Failed() {
		t.Logf("auth.log:\n%s", log)
	}
}

// TestWebAttacks holds the truths against the access and error logs.
func TestWebAttacks(t *testing.T) {
	t.Parallel()
	m, ctx := boot(t)
	must(t, m.StartApache(ctx, daemon.Apache{}))

	for _, test := range []struct {
		name   string
		attack func(netip.Addr) ([]daemon.Attempt, error)
		kind   attack.Kind // 0 if it is none
		log    string
		line   string
	}{
		{"page", func(from netip.Addr) ([]daemon.Attempt, error) {
			return m.Get(ctx, from, 0, "/")
		}, 0, "access.log", `"GET / HTTP/1.1" 200`},
		{"WordPress, wrong password", func(from netip.Addr) ([]daemon.Attempt, error) {
			return m.WordPressLogin(ctx, from)
		}, attack.WordPressLogin, "access.log", `"POST /wp-login.php HTTP/1.1" 200`},
		{"WordPress, right password", func(from netip.Addr) ([]daemon.Attempt, error) {
			return m.WordPressWelcome(ctx, from)
		}, 0, "access.log", `"POST /wp-login.php HTTP/1.1" 302`},
		{"xmlrpc", func(from netip.Addr) ([]daemon.Attempt, error) {
			return m.XMLRPC(ctx, from)
		}, attack.XMLRPC, "vhost.log", `"POST /xmlrpc.php HTTP/1.1" 200`},
		{"basic authentication", func(from netip.Addr) ([]daemon.Attempt, error) {
			return m.BasicAuth(ctx, from, "alice", "[client 9.9.9.9:1] x")
		}, attack.HTTPAuth, "error.log", "AH01617: user alice: authentication failure"},
		{"TLS to the plain port", func(from netip.Addr) ([]daemon.Attempt, error) {
			return m.TLS(ctx, from)
		}, attack.HTTPMalformed, "custom.log", `"\x16\x03\x01" 400`},
		{"garbage", func(from netip.Addr) ([]daemon.Attempt, error) {
			return m.Raw(ctx, from, attack.HTTPMalformed, "cats\r\n\r\n")
		}, attack.HTTPMalformed, "access.log", `"cats" 400`},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, from := range []netip.Addr{attacker4, attacker6} {
				truth, err := test.attack(from)
				must(t, err)
				if got := daemon.Total(truth); test.kind == 0 && len(got) != 0 || test.kind != 0 && got[test.kind] != 1 {
					t.Errorf("from %s: truth is %+v, want one of %s", from, truth, test.kind)
				}
				must(t, m.Await(ctx, "apache2/"+test.log, from.String(), test.line))
			}
		})
	}
}

// TestJournal has a real sshd log into a real journal.
func TestJournal(t *testing.T) {
	t.Parallel()
	m, ctx := boot(t)
	must(t, m.StartJournal(ctx))
	must(t, m.StartSSHD(ctx, daemon.SSHD{}))
	_, err := m.WrongPasswords(ctx, attacker4, "root", 1)
	must(t, err)

	const want = `"MESSAGE":"Failed password for root from 203.0.113.7 port`
	var text []byte
	for !strings.Contains(string(text), want) {
		text, err = m.Command(ctx, "journalctl", "--output=json", "--no-pager").CombinedOutput()
		if err != nil {
			t.Fatalf("the journal does not hold %q: %v\n%s", want, err, text)
		}
	}
	if !strings.Contains(string(text), `"_HOSTNAME":"vps"`) {
		t.Errorf("the journal names another host:\n%s", text)
	}
}

// TestLogFile has sshd write a file itself, without a header.
func TestLogFile(t *testing.T) {
	t.Parallel()
	m, ctx := boot(t)
	must(t, m.StartSSHD(ctx, daemon.SSHD{LogFile: "sshd.log"}))
	_, err := m.WrongPasswords(ctx, attacker4, "nobody-here", 1)
	must(t, err)
	must(t, m.Await(ctx, "sshd.log", "Failed password for invalid user nobody-here from 203.0.113.7 port"))
}

// TestClose ends every process of the machine.
func TestClose(t *testing.T) {
	t.Parallel()
	m, ctx := boot(t)
	must(t, m.StartSyslog(ctx, daemon.Syslog{}))
	sleeper := m.Command(ctx, "sleep", "infinity")
	must(t, sleeper.Start())
	must(t, m.Close())
	if err := sleeper.Wait(); err == nil {
		t.Error("a process outlived its machine, or ended well")
	}
}
