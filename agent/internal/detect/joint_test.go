package detect

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// What several programs write to logs of their own about the same passwords counts once: whichever of them is
// first where logs are read in the order of their stamps, and where one log is hours ahead of the other, as behind an
// absence.
func TestSeveralLogsOfOnePassword(t *testing.T) {
	t.Parallel()
	rules := builtinRules(t)
	const tries = 50
	for name, logs := range map[string][]func(i int, at time.Time) string{
		"dovecot": {
			func(i int, at time.Time) string {
				return fmt.Sprintf("%s vps auth: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=eve%d rhost=192.0.2.7", at.Format(time.RFC3339), i)
			},
			func(i int, at time.Time) string {
				return fmt.Sprintf("%s vps dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<eve%d>, method=PLAIN, rip=192.0.2.7, lip=198.51.100.1, session=<x>", at.Format(time.RFC3339), i)
			},
		},
		"postgres with addresses": {
			func(i int, at time.Time) string {
				return fmt.Sprintf("%s vps postgres[%d]: pam_unix(postgresql:auth): authentication failure; logname= uid=107 euid=107 tty= ruser= rhost=192.0.2.7  user=eve", at.Format(time.RFC3339), 100+i)
			},
			func(i int, at time.Time) string {
				return fmt.Sprintf("%s UTC [%d] 192.0.2.7 eve@db FATAL:  PAM authentication failed for user \"eve\"", at.Format("2006-01-02 15:04:05.000"), 100+i)
			},
		},
		"postgres with log_connections": {
			func(i int, at time.Time) string {
				return fmt.Sprintf("%s vps postgres[%d]: pam_unix(postgresql:auth): authentication failure; logname= uid=107 euid=107 tty= ruser= rhost=192.0.2.7  user=eve", at.Format(time.RFC3339), 100+i)
			},
			func(i int, at time.Time) string {
				stamp := at.Format("2006-01-02 15:04:05.000")
				return fmt.Sprintf("%s UTC [%d] [unknown]@[unknown] LOG:  connection received: host=192.0.2.7 port=%d\n%s UTC [%d] eve@db FATAL:  PAM authentication failed for user \"eve\"", stamp, 100+i, 40000+i, stamp, 100+i)
			},
		},
		"lighttpd": {
			func(i int, at time.Time) string {
				return fmt.Sprintf("%s vps lighttpd[7]: pam_unix(http:auth): authentication failure; logname= uid=33 euid=33 tty= ruser= rhost=192.0.2.7  user=eve", at.Format(time.RFC3339))
			},
			func(i int, at time.Time) string {
				return fmt.Sprintf("%s: (mod_auth.c.869) password doesn't match for /private username: eve IP: 192.0.2.7", at.Format(time.DateTime))
			},
			func(i int, at time.Time) string {
				at = at.Add(8 * time.Second) // it waited for those before it
				return fmt.Sprintf(`192.0.2.7 vps eve [%s] "GET /private HTTP/1.1" 401 381 "-" "Mozilla/4.0 (Hydra)"`, at.Format("02/Jan/2006:15:04:05 -0700"))
			},
		},
	} {
		for first := range logs {
			start := now.Add(-tries * time.Hour)
			order := append(append([]func(int, time.Time) string{}, logs[first:]...), logs[:first]...)
			ordered := newWebRun(t, rules)
			for i := range tries {
				for j, line := range order {
					ordered.feed(fmt.Sprintf("%d.log", (first+j)%len(logs)), line(i, start.Add(time.Duration(i)*time.Hour)))
				}
			}
			ordered.engine.Finish()
			ahead := newWebRun(t, rules)
			ahead.options.Behind = func(string) bool { return true }
			ahead.engine = nil
			ahead.restart()
			for j, line := range order {
				for i := range tries {
					ahead.feed(fmt.Sprintf("%d.log", (first+j)%len(logs)), line(i, start.Add(time.Duration(i)*time.Hour)))
				}
				ahead.restart()
			}
			ahead.engine.Finish()
			for way, run := range map[string]*webRun{"in order": ordered, "hours ahead": ahead} {
				if logins, other := attempts(run.events); logins+other != tries {
					t.Errorf("%s, log %d first, %s: %d attempts, want %d", name, first, way, logins+other, tries)
				}
			}
		}
	}
}

// Where postfix had no answer from dovecot it was the server's own trouble, and nobody is blamed, not even at the end of the
// connection. But who has just failed is made to wait for longer than postfix waits.
func TestATryWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	const at = "Jan 31 12:00:00 host postfix/smtpd[7]: "
	const connect, left, leave = at + "connect from unknown[192.0.2.7]", at + "lost connection after AUTH from unknown[192.0.2.7]", at + "disconnect from unknown[192.0.2.7] ehlo=1 auth=0/1 commands=1/2"
	const wrong = at + "warning: unknown[192.0.2.7]: SASL LOGIN authentication failed: (reason unavailable), sasl_username=eve"
	const late = at + "warning: unknown[192.0.2.7]: SASL LOGIN authentication failed: Connection lost to authentication server, sasl_username=eve"
	const dovecot = "Jan 31 12:00:00 host dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<eve>, method=PLAIN, rip=192.0.2.7, lip=198.51.100.1"
	other := strings.ReplaceAll(wrong, "192.0.2.7", "192.0.2.8")
	for _, test := range []struct {
		name  string
		lines []string
		count uint64
	}{
		{"dovecot is down", []string{connect, late, left, leave, connect, late, late, leave}, 0},
		{"another address has failed", []string{other, connect, late, leave}, 1},
		{"a wrong password before it", []string{connect, wrong, late, late, left, leave}, 3},
		{"a wrong password on the connection before it", []string{connect, wrong, leave, connect, late, left, leave}, 2},
		{"a wrong password at dovecot itself", []string{dovecot, connect, late, leave}, 2},
		{"dovecot is down, and then it is not", []string{connect, late, wrong, leave}, 1},
	} {
		var count uint64
		for _, ev := range detectAll(t, builtinRules(t), test.lines) {
			count += ev.Count
			if ev.Kind != attack.MailLogin {
				t.Errorf("%s: %v", test.name, ev.Kind)
			}
		}
		if count != test.count {
			t.Errorf("%s: %d attempts, want %d", test.name, count, test.count)
		}
	}
}
