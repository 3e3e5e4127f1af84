package header

import "testing"

func TestTrust(t *testing.T) {
	t.Parallel()
	nobody := Sender{UID: -1}
	root := Sender{UID: 0}
	web := Sender{UID: 33, Service: true}
	login := Sender{UID: 1000}
	for _, test := range []struct {
		name       string
		identifier string
		by         Sender
		want       bool
	}{
		{"the kernel", "kernel", Sender{Kernel: true, UID: -1}, true},
		{"root's daemon", "sshd", root, true},
		{"root under any name", "anything", root, true},
		{"a service under a name of its own", "postfix/smtpd", web, true},
		{"a service under the name of root's daemon", "sshd", web, false},
		{"a service in capitals", "SSHD", web, false},
		{"a service with root's daemon in parentheses", "sshd(pam_unix)", web, false},
		{"a service whose name begins alike", "sshd-exporter", web, true},
		{"somebody who is logged in", "postfix/smtpd", login, false},
		{"a sender nobody knows", "postfix/smtpd", nobody, false},
		{"a service without a user", "postfix/smtpd", Sender{UID: -1, Service: true}, false},
		{"sudo for its caller", "sudo", Sender{UID: 1000, Executable: "/usr/bin/sudo"}, true},
		{"somebody's own sudo", "sudo", Sender{UID: 1000, Executable: "/home/a/sudo"}, false},
		{"sudo under another name", "sshd", Sender{UID: 1000, Executable: "/usr/bin/sudo"}, false},
		{"a sender without executable", "sudo", Sender{UID: 1000}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			trust := Trust{
				RootOnly: map[string]bool{"sshd": true, "sudo": true, "kernel": true},
				Setuid:   map[string][]string{"sudo": {"/usr/bin/sudo"}},
			}
			if got := trust.Believes(test.identifier, test.by); got != test.want {
				t.Errorf("%+v as %s is believed: %v", test.by, test.identifier, got)
			}
		})
	}
}
