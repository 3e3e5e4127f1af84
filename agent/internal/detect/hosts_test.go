package detect

import (
	"fmt"
	"maps"
	"testing"

	"github.com/pialert/pialert/agent/internal/rule"
)

// hostsOf feeds lines and returns how many attempts each machine had.
func hostsOf(t *testing.T, hosts Hosts, lines ...string) map[string]uint64 {
	t.Helper()
	rules, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	r := newRestartable(t, rules)
	for _, line := range lines {
		r.source.Of(hosts)
		r.engine.Feed(r.source, []byte(line+"\n"), now)
		r.engine.Changes(func(key string, value []byte) { r.saved[key] = value })
		maps.DeleteFunc(r.saved, func(_ string, value []byte) bool { return value == nil })
		r.restart()
	}
	r.engine.Finish()
	found := map[string]uint64{}
	for _, e := range r.events {
		found[e.Host] += e.Count
	}
	return found
}

const failed = "Failed password for root from 192.0.2.7 port 50022 ssh2"

func TestHosts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		hosts Hosts
		lines []string
		want  map[string]uint64
	}{
		{"this machine", OwnHost, []string{"Jan 31 12:00:00 web sshd[7]: " + failed}, map[string]uint64{"": 1}},
		{"a collector's file", HeaderHost, []string{
			"Jan 31 12:00:00 web sshd[7]: " + failed, "Jan 31 12:00:01 db sshd[7]: " + failed, "Jan 31 12:00:02 db sshd[7]: " + failed,
		}, map[string]uint64{"web": 1, "db": 2}},
		{"a slash in a collector's file", HeaderHost, []string{"Jan 31 12:00:00 rack/web sshd[7]: " + failed}, map[string]uint64{"rack/web": 1}},
		{"senders", SenderHost, []string{
			"Jan 31 12:00:00 192.0.2.1 sshd[7]: " + failed, "Jan 31 12:00:00 192.0.2.2/web sshd[7]: " + failed,
		}, map[string]uint64{"192.0.2.1": 1, "web": 1}},
		// The disconnect of a connection on which a password was counted counts nothing, unless another
		// sender writes it, whatever host that names.
		{"one connection", SenderHost, []string{
			"Jan 31 12:00:00 192.0.2.2/web sshd[7]: " + failed,
			"Jan 31 12:00:01 192.0.2.2/web sshd[7]: Connection closed by authenticating user root 192.0.2.7 port 50022 [preauth]",
		}, map[string]uint64{"web": 1}},
		{"two connections", SenderHost, []string{
			"Jan 31 12:00:00 192.0.2.2/web sshd[7]: " + failed,
			"Jan 31 12:00:01 192.0.2.3/web sshd[7]: Connection closed by authenticating user root 192.0.2.7 port 50022 [preauth]",
		}, map[string]uint64{"web": 2}},
		// What waits for its end across restarts is still of its machine.
		{"a doubt", HeaderHost, []string{
			"Jan 31 12:00:00 web sshd[7]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=root",
		}, map[string]uint64{"web": 1}},
		{"a web log", HeaderHost, []string{
			`Jan 31 12:00:00 web nginx: 192.0.2.7 - - [31/Jan/2025:12:00:00 +0000] "GET /.env HTTP/1.1" 404 1 "-" "-"`,
		}, map[string]uint64{"web": 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := hostsOf(t, test.hosts, test.lines...); !maps.Equal(got, test.want) {
				t.Errorf("attempts by machine: %v, want %v", got, test.want)
			}
		})
	}
}

// TestLastLinesOfManyHosts holds that "last message repeated" refers to the last line of its own host,
// also where many write by turns.
func TestLastLinesOfManyHosts(t *testing.T) {
	t.Parallel()
	rules, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	r := newRestartable(t, rules)
	r.source.Of(HeaderHost)
	const hosts = maxHosts
	for i := range hosts + 1 {
		r.engine.Feed(r.source, fmt.Appendf(nil, "Jan 31 12:00:00 host%d sshd[7]: %s\n", i, failed), now)
	}
	r.events = nil
	for i := range hosts + 1 {
		r.engine.Feed(r.source, fmt.Appendf(nil, "Jan 31 12:00:01 host%d last message repeated 2 times\n", i), now)
	}
	var attempts uint64
	for _, e := range r.events {
		if e.Host == "host0" {
			t.Error("the host that was quiet for longest is still remembered")
		}
		attempts += e.Count
	}
	if attempts != 2*hosts {
		t.Errorf("%d attempts, want 2 of each of the last %d hosts", attempts, hosts)
	}
	if src, err := NewSource("x", rule.TypeAuto, ""); err != nil || src.machine([]byte("web")) != nil {
		t.Error("a log is of its own machine unless somebody says otherwise")
	}
}
