package detect

import (
	"fmt"
	"strings"
	"testing"
)

// Explain names each field that a rule reads of a line, and none that the line does not have.
func TestExplainFields(t *testing.T) {
	t.Parallel()
	rules := builtinRules(t)
	const head = "Nov 20 12:00:01 web "
	for line, want := range map[string]string{
		head + "sshd[7]: Failed password for root from 192.0.2.7 port 51112 ssh2":                                 "source_ip=192.0.2.7 source_port=51112 user=root method=password",
		head + "sshd[7]: Failed publickey for invalid user bob from 2001:db8::7 port 22 ssh2":                     "source_ip=2001:db8::7 source_port=22 user=bob method=publickey invalid_user=true",
		head + "sudo:      bob : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/ls": "user=bob target=root tty=pts/0 count=3",
		"2026-11-20 12:00:01,123 fail2ban.actions        [7]: NOTICE  [sshd] Ban 192.0.2.7":                       "source_ip=192.0.2.7 jail=sshd",
		`192.0.2.7 - - [20/Nov/2026:12:00:01 +0000] "GET /.env HTTP/1.1" 404 12 "-" "curl/8"`:                     "source_ip=192.0.2.7 method=GET target=/.env status=404 agent=curl/8",
	} {
		x, err := Explain(Options{Rules: rules}, line)
		var got []string
		for _, field := range x.Fields {
			got = append(got, fmt.Sprintf("%s=%s", field.Name, field.Value))
		}
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s\n has %s, error %v\nwant %s", line, strings.Join(got, " "), err, want)
		}
	}
}

// A program that said nothing said nothing of an attack.
func TestExplainEmptyMessages(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"Jan 31 12:00:00 host sshd[7]: ", "Jan 31 12:00:00 host sshd[7]:", "2026-01-31T12:00:00Z host sshd[7]:  \t"} {
		if x, err := Explain(Options{Rules: builtinRules(t)}, line); err != nil || x.Rule != nil {
			t.Errorf("%q: %+v, error %v", line, x.Rule, err)
		}
	}
}

// What is repeated is read as it was the first time, whatever stood around it then.
func TestExplainRepeated(t *testing.T) {
	t.Parallel()
	for message, want := range map[string]string{
		"Failed password for root from 192.0.2.7 port 51112 ssh2":                                                      "sshd-failed-password",
		"error: PAM: Authentication failure for root from 192.0.2.7":                                                   "sshd-pam-error",
		"pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=root": "pam-sshd",
		"(pam_unix) authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=root":           "pam-sshd",
		"fatal: Timeout before authentication for 192.0.2.7 port 51112":                                                "sshd-timeout",
	} {
		for _, text := range []string{message, "message repeated 2 times: [ " + message + "]"} {
			x, err := Explain(Options{Rules: builtinRules(t)}, "Jan 31 12:00:00 host sshd[7]: "+text)
			if err != nil || x.Rule == nil || x.Rule.ID != want {
				t.Errorf("%s: %+v, error %v, want %s", text, x.Rule, err, want)
			}
		}
	}
}
