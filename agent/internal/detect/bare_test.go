package detect

import (
	"strings"
	"testing"
)

// A file without headers is joined by address and port, also where connections stand between each
// other's lines.
func TestFileWithoutHeaders(t *testing.T) {
	t.Parallel()
	rules := builtinRules(t)
	tests := []struct {
		name  string
		lines string
		want  map[string]uint64
	}{
		{"two clients at once", `Invalid user a from 192.0.2.7 port 1001
Invalid user b from 192.0.2.8 port 1001
Failed password for invalid user a from 192.0.2.7 port 1001 ssh2
Failed password for invalid user b from 192.0.2.8 port 1001 ssh2
Connection closed by invalid user a 192.0.2.7 port 1001 [preauth]
Connection closed by invalid user b 192.0.2.8 port 1001 [preauth]`, map[string]uint64{"192.0.2.7": 1, "192.0.2.8": 1}},
		{"two connections of one client", `Invalid user a from 192.0.2.7 port 1001
Invalid user a from 192.0.2.7 port 1002
Failed password for invalid user a from 192.0.2.7 port 1001 ssh2
Failed password for invalid user a from 192.0.2.7 port 1002 ssh2`, map[string]uint64{"192.0.2.7": 2}},
		{"no port at first", `User root from 192.0.2.7 not allowed because not listed in AllowUsers
Failed password for invalid user root from 192.0.2.7 port 1001 ssh2
Connection closed by invalid user root 192.0.2.7 port 1001 [preauth]`, map[string]uint64{"192.0.2.7": 1}},
		{"no address at first", `error: kex_exchange_identification: client sent invalid protocol identifier "x"
banner exchange: Connection from 192.0.2.7 port 1001: invalid format`, map[string]uint64{"192.0.2.7": 1}},
		{"no address at first, twice", `kex_exchange_identification: client sent invalid protocol identifier "x"
banner exchange: Connection from 192.0.2.7 port 1001: invalid format
kex_exchange_identification: Connection closed by remote host
Connection closed by 192.0.2.7 port 1002`, map[string]uint64{"192.0.2.7": 2}},
		{"a name of two lines", "Invalid user a\nFailed password for root from 203.0.113.9 port 22 ssh2\nb from 192.0.2.7 port 1001", map[string]uint64{"192.0.2.7": 1}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			lines := strings.Split(test.lines, "\n")
			for i := range lines {
				if test.name != "a name of two lines" || i == len(lines)-1 {
					lines[i] += "\r"
				}
			}
			lines = append([]string{"Server listening on 192.0.2.1 port 22.\r"}, lines...)
			got := map[string]uint64{}
			for _, ev := range detectAll(t, rules, lines) {
				got[ev.SourceIP.String()] += ev.Count
			}
			if len(got) != len(test.want) {
				t.Errorf("counted %v, want %v", got, test.want)
			}
			for source, n := range test.want {
				if got[source] != n {
					t.Errorf("counted %v, want %v", got, test.want)
				}
			}
		})
	}
}

// The last line of a host is remembered until another one comes, also one that does not count or is too long.
func TestLastLineOfAHost(t *testing.T) {
	t.Parallel()
	var m memory
	for _, line := range []string{"a line that counts", "", strings.Repeat("x", maxLast), strings.Repeat("x", maxLast+1), "y"} {
		m.setLast(1, []byte(line))
		if line == "" {
			m.setLast(1, nil) // one that does not count
		}
		want := line
		if len(line) > maxLast {
			want = ""
		}
		if got := m.last(1); string(got) != want || (got == nil) != (want == "") {
			t.Errorf("behind %.20q of %d bytes there is %.20q", line, len(line), got)
		}
	}
}

// "last message repeated" refers to the last line of its host, and to nothing if that did not count.
func TestLastMessageRepeated(t *testing.T) {
	t.Parallel()
	rules := builtinRules(t)
	lines := []string{
		"Jan 31 12:00:00 a sshd[7]: Failed password for root from 192.0.2.7 port 1001 ssh2",
		"Jan 31 12:00:01 b sshd[7]: Failed password for root from 192.0.2.8 port 1001 ssh2",
		"Jan 31 12:00:02 b sshd[9]: Server listening on 0.0.0.0 port 22.",
		"Jan 31 12:00:03 a last message repeated 3 times",
		"Jan 31 12:00:04 b last message repeated 5 times",
		"Jan 31 12:00:05 c sshd[7]: Failed password for root from 192.0.2.9 port 1001 ssh2",
		"Jan 31 12:00:06 c --- last message repeated 1 time ---",
	}
	got := map[string]uint64{}
	for _, ev := range detectAll(t, rules, lines) {
		got[ev.SourceIP.String()] += ev.Count
	}
	if got["192.0.2.7"] != 4 || got["192.0.2.8"] != 1 || got["192.0.2.9"] != 2 {
		t.Errorf("counted %v, want 4 from 192.0.2.7, 1 from 192.0.2.8 and 2 from 192.0.2.9", got)
	}
}
