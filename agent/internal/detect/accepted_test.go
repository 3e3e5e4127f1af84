package detect

import (
	"fmt"
	"testing"

	"github.com/pialert/pialert/pkg/attack"
)

// Who gets in after failures is told with high severity, who comes from somewhere new with medium;
// what nobody has to know is not told, and nothing of it is an attempt.
func TestQuietSuccesses(t *testing.T) {
	t.Parallel()
	rules := builtinRules(t)
	const (
		failed   = "Jan 31 12:00:00 host sshd[%d]: Failed password for root from 192.0.2.7 port 51112 ssh2"
		accepted = "Jan 31 12:00:09 host sshd[%d]: Accepted publickey for root from 192.0.2.9 port 51113 ssh2: ED25519 SHA256:0123456789abc"
	)
	for _, test := range []struct {
		name     string
		lines    []string
		severity attack.Severity // of the success; 0 if none is told
		user     string
	}{
		{"nothing before", []string{fmt.Sprintf(accepted, 2)}, attack.Medium, "root"},
		{"again", []string{fmt.Sprintf(accepted, 2), fmt.Sprintf(accepted, 3)}, attack.Info, "root"},
		{"after failures of the network", []string{fmt.Sprintf(failed, 1), fmt.Sprintf(failed, 1), fmt.Sprintf(accepted, 2)}, attack.High, "root"},
		{"after the connection's own failure", []string{fmt.Sprintf(failed, 1),
			"Jan 31 12:00:03 host sshd[1]: Accepted password for root from 192.0.2.7 port 51112 ssh2"}, attack.High, "root"},
		{"dovecot, daily life", []string{
			"Jan 31 12:00:00 host dovecot: imap-login: Login: user=<alice>, method=PLAIN, rip=192.0.2.7, lip=198.51.100.1, mpid=7, TLS, session=<x>"}, 0, ""},
		{"dovecot, after failures", []string{
			"Jan 31 12:00:00 host dovecot: imap-login: Disconnected (auth failed, 3 attempts in 9 secs): user=<alice>, method=PLAIN, rip=192.0.2.7, lip=198.51.100.1, TLS",
			"Jan 31 12:00:09 host dovecot: imap-login: Login: user=<alice>, method=PLAIN, rip=192.0.2.7, lip=198.51.100.1, mpid=7, TLS, session=<x>"}, attack.High, "alice"},
		{"vsftpd, after a failure", []string{
			`Jan 31 12:00:00 host vsftpd[7]: [alice] FAIL LOGIN: Client "192.0.2.7"`, `Jan 31 12:00:00 host vsftpd[8]: [alice] OK LOGIN: Client "192.0.2.7"`}, attack.High, "alice"},
		{"sudo, daily life", []string{
			"Jan 31 12:00:00 host sudo[7]: bob : TTY=pts/0 ; PWD=/home/bob ; USER=root ; COMMAND=/usr/bin/id"}, 0, ""},
		{"sudo, after failures", []string{
			"Jan 31 12:00:00 host sudo[7]: bob : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/home/bob ; USER=root ; COMMAND=/usr/bin/id",
			"Jan 31 12:00:09 host sudo[9]: bob : TTY=pts/0 ; PWD=/home/bob ; USER=root ; COMMAND=/usr/bin/id"}, attack.High, "bob"},
		{"dropbear, from a new network", []string{
			"Jan 31 12:00:00 host dropbear[7]: Pubkey auth succeeded for 'alice' with ssh-ed25519 key SHA256:x from 192.0.2.7:52325"}, attack.Medium, "alice"},
		{"dropbear, after failures", []string{
			"Jan 31 12:00:00 host dropbear[7]: Bad password attempt for 'root' from 192.0.2.7:52325",
			"Jan 31 12:00:09 host dropbear[8]: Password auth succeeded for 'root' from 192.0.2.7:52326"}, attack.High, "root"},
		{"dropbear, half a login", []string{
			"Jan 31 12:00:09 host dropbear[8]: Password auth succeeded for 'root' from 192.0.2.7:52326, extra auth required"}, 0, ""},
		{"su, after failures", []string{
			"Jan 31 12:00:00 host su[5]: FAILED SU (to root) bob on pts/0", "Jan 31 12:00:00 host su[6]: FAILED SU (to root) bob on pts/0", "Jan 31 12:00:00 host su[7]: FAILED SU (to root) bob on pts/0",
			"Jan 31 12:00:09 host su[9]: (to root) bob on pts/0"}, attack.High, "bob"},
		{"su of shadow, after failures", []string{
			"Jan 31 12:00:00 host su[5]: FAILED su for root by bob", "Jan 31 12:00:00 host su[6]: FAILED su for root by bob", "Jan 31 12:00:00 host su[7]: FAILED su for root by bob",
			"Jan 31 12:00:09 host su[9]: Successful su for root by bob"}, attack.High, "bob"},
		{"su, by root after others failed over ssh", []string{
			"Jan 31 12:00:00 host sshd[7]: Failed password for root from 192.0.2.7 port 51112 ssh2", "Jan 31 12:00:09 host su[9]: (to nobody) root on none"}, 0, ""},
		{"ProFTPD, after a failure", []string{
			"Jan 31 12:00:00 host proftpd[7]: host (192.0.2.7[192.0.2.7]) - USER alice (Login failed): Incorrect password.",
			"Jan 31 12:00:09 host proftpd[8]: host (192.0.2.7[192.0.2.7]) - USER alice: Login successful."}, attack.High, "alice"},
		{"Pure-FTPd, after a failure", []string{
			"Jan 31 12:00:00 host pure-ftpd: (?@192.0.2.7) [WARNING] Authentication failed for user [alice]",
			"Jan 31 12:00:09 host pure-ftpd: (?@192.0.2.7) [INFO] alice is now logged in"}, attack.High, "alice"},
		{"WordPress, after a failure", []string{
			`192.0.2.7 - - [31/Jan/2025:12:00:00 +0000] "POST /wp-login.php HTTP/1.1" 200 5`, `192.0.2.7 - - [31/Jan/2025:12:00:05 +0000] "POST /wp-login.php HTTP/1.1" 302 5`}, attack.High, ""},
		{"WordPress, daily life", []string{`192.0.2.7 - - [31/Jan/2025:12:00:05 +0000] "POST /wp-login.php HTTP/1.1" 302 5`}, 0, ""},
	} {
		for _, restarts := range []bool{false, true} {
			r := newRestartable(t, rules)
			for _, line := range test.lines {
				r.feed(line)
				if restarts {
					r.save()
					r.restart()
				}
			}
			r.engine.Finish()
			var last *attack.Event
			for i := range r.events {
				if r.events[i].Kind.Apart() {
					last = &r.events[i]
				}
			}
			switch {
			case last == nil && test.severity != 0:
				t.Errorf("%s: nothing is told", test.name)
			case last == nil:
			case last.Severity != test.severity || last.User != test.user || last.Kind.Attempt():
				t.Errorf("%s: %+v, want severity %v and user %q", test.name, last, test.severity, test.user)
			}
		}
	}
	r := newRestartable(t, rules)
	r.feed(fmt.Sprintf(accepted, 2))
	want := attack.Accepted{Service: "sshd", Method: "publickey", Fingerprint: "SHA256:0123456789abc", Reason: "the first login from 192.0.2.0/24"}
	if len(r.events) != 1 || r.events[0].Detail != want {
		t.Errorf("%+v, want the detail %+v", r.events, want)
	}
}
