package detect

import (
	"strings"
	"testing"

	"github.com/pialert/pialert/pkg/attack"
)

// From OpenSSH 9.8 the process of a session writes of its broken connection what a client leaves that
// never logged in. Who was let in from there is no prober; who was not is one.
func TestBrokenSessionsAreNoProbes(t *testing.T) {
	t.Parallel()
	const header = "Jan 31 12:00:00 host sshd-session"
	const accepted = header + "[7]: Accepted publickey for alice from 192.0.2.7 port 51112 ssh2: ED25519 SHA256:x"
	for _, test := range []struct {
		lines  string
		probes uint64
	}{
		{accepted + "\n" + header + "[8]: Connection closed by 192.0.2.7 port 51112", 0},
		{accepted + "\n" + header + "[8]: Connection reset by 192.0.2.7 port 51112", 0},
		{accepted + "\n" + header + "[8]: Connection closed by 192.0.2.7 port 51113", 1},
		{accepted + "\n" + header + "[8]: Connection closed by 192.0.2.8 port 51112", 1},
		{accepted + "\n" + strings.Replace(header, "host", "other", 1) + "[8]: Connection closed by 192.0.2.7 port 51112", 1},
		{header + "[8]: Connection closed by 192.0.2.7 port 51112", 1},
		{accepted + "\n" + strings.Replace(header, "12:00", "23:00", 1) + "[8]: Connection closed by 192.0.2.7 port 51112", 0},
	} {
		var probes uint64
		for _, ev := range detectAll(t, builtinRules(t), strings.Split(test.lines, "\n")) {
			if ev.Kind == attack.SSHProbe {
				probes += ev.Count
			}
		}
		if probes != test.probes {
			t.Errorf("%d probes, want %d:\n%s", probes, test.probes, test.lines)
		}
	}
}
