package rule

import (
	"slices"
	"testing"
	"testing/fstest"
)

// What a daemon's rule file says of who writes its lines is what the journal's senders are held to.
func TestSenders(t *testing.T) {
	t.Parallel()
	rules, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	trust := rules.Trust()
	root, setuid := trust.RootOnly, trust.Setuid
	for name, want := range map[string]bool{
		"sshd": true, "sshd-session": true, "sshd-auth": true, "dropbear": true, "login": true, "vsftpd": true, "fail2ban": true,
		"charon": true, "kernel": true, "sudo": true, "su": true, "pkexec": true, "doas": true, "pluto": true,
		"postfix": false, "dovecot": false, "proftpd": false, "openvpn": false, "*": false, "nginx": false,
	} {
		if root[name] != want {
			t.Errorf("%s is root's alone: %v", name, root[name])
		}
	}
	for name, file := range map[string]string{
		"sudo": "/usr/bin/sudo", "su": "/bin/su", "pkexec": "/usr/bin/pkexec", "doas": "/usr/bin/doas",
	} {
		if !slices.Contains(setuid[name], file) {
			t.Errorf("%s is not one of %s's files %v", file, name, setuid[name])
		}
	}
	if len(setuid["sshd"]) > 0 {
		t.Errorf("sshd writes under its caller's user id: %v", setuid["sshd"])
	}

	own := "rules: [{id: mine, kind: local_auth, tags: [become], setuid: [/usr/bin/become], pattern: '^a$', match: [a]}]"
	if rules, err = Load(fstest.MapFS{"mine.yaml": {Data: []byte(own)}}); err != nil {
		t.Fatal(err)
	}
	trust = rules.Trust()
	if files := trust.Setuid["become"]; !slices.Equal(files, []string{"/usr/bin/become"}) || trust.RootOnly["become"] {
		t.Errorf("become's files are %v, and it is root's alone: %v", files, trust.RootOnly["become"])
	}
}
