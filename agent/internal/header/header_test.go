package header

import (
	"strings"
	"testing"
	"time"
)

// now is when the lines are read.
var now = time.Date(2025, 2, 1, 0, 0, 0, 0, time.UTC)

const headerBody = "Failed password for root from 192.0.2.7 port 51112 ssh2"

var headerTests = []struct {
	name, line     string
	host, tag, pam string
	pid            uint32
	time           string // RFC 3339, empty for none
}{
	{"RFC 3164", "Jan  5 01:31:41 host sshd[7]: " + headerBody, "host", "sshd", "", 7, "2025-01-05T01:31:41Z"},
	{"day with a zero", "Jan 05 01:31:41 host sshd[7]: " + headerBody, "host", "sshd", "", 7, "2025-01-05T01:31:41Z"},
	{"day without padding", "Jan 5 01:31:41 host sshd[7]: " + headerBody, "host", "sshd", "", 7, "2025-01-05T01:31:41Z"},
	{"priority", "<86>Jan  5 01:31:41 host sshd[7]: " + headerBody, "host", "sshd", "", 7, "2025-01-05T01:31:41Z"},
	{"fraction", "Jan  5 01:31:41.250000 host sshd[7]: " + headerBody, "host", "sshd", "", 7, "2025-01-05T01:31:41.25Z"},
	{"last year", "Dec 31 23:59:59 host sshd[7]: " + headerBody, "host", "sshd", "", 7, "2024-12-31T23:59:59Z"},
	{"RFC 3339", "2025-01-31T12:00:00.123456+01:00 host sshd[7]: " + headerBody, "host", "sshd", "", 7, "2025-01-31T11:00:00.123456Z"},
	{"ISO without colon in the zone", "2025-01-31T12:00:00-0530 host sshd[7]: " + headerBody, "host", "sshd", "", 7, "2025-01-31T17:30:00Z"},
	{"ISO without zone", "2025-01-31 12:00:00 host sshd[7]: " + headerBody, "host", "sshd", "", 7, "2025-01-31T12:00:00Z"},
	{"RFC 5424", "<86>1 2025-01-31T12:00:00Z host sshd 7 - - " + headerBody, "host", "sshd", "", 7, "2025-01-31T12:00:00Z"},
	{"RFC 5424 with structured data", `<86>1 2025-01-31T12:00:00Z host sshd 7 - [a@1 b="x\"]"][c] ` + headerBody, "host", "sshd", "", 7, "2025-01-31T12:00:00Z"},
	{"RFC 5424 with nils", "<86>1 - - sshd - - - " + headerBody, "", "sshd", "", 0, ""},
	{"no host", "Jan  5 01:31:41 sshd[7]: " + headerBody, "", "sshd", "", 7, "2025-01-05T01:31:41Z"},
	{"no process", "Jan  5 01:31:41 host sshd: " + headerBody, "host", "sshd", "", 0, "2025-01-05T01:31:41Z"},
	{"tag in brackets", "Jan  5 01:31:41 [sshd]: " + headerBody, "", "sshd", "", 0, "2025-01-05T01:31:41Z"},
	{"host is an address", "Jan  5 01:31:41 2001:db8::1 sshd[7]: " + headerBody, "2001:db8::1", "sshd", "", 7, "2025-01-05T01:31:41Z"},
	{"Solaris", "Jan  5 01:31:41 host sshd[7]: [ID 800047 auth.info] " + headerBody, "host", "sshd", "", 7, "2025-01-05T01:31:41Z"},
	{"repeated header", "Jan  5 01:31:41 host dropbear[7]: [7] Jan 05 01:31:41 " + headerBody, "host", "dropbear", "", 7, "2025-01-05T01:31:41Z"},
	{"path in the tag", "Jan  5 01:31:41 host postfix/submission/smtpd[7]: " + headerBody, "host", "postfix/submission/smtpd", "", 7, "2025-01-05T01:31:41Z"},
	{"PAM behind the tag", "Jan  5 01:31:41 host sshd(pam_unix)[7]: " + headerBody, "host", "sshd", "pam_unix", 7, "2025-01-05T01:31:41Z"},
	{"fail2ban's padding", "2025-01-31 12:00:00,388 fail2ban.actions        [7]: " + headerBody, "", "fail2ban.actions", "", 7, "2025-01-31T12:00:00.388Z"},
	{"topics in place of a tag", "Jan  5 01:31:41 gw system,error,critical " + headerBody, "gw", "system,error,critical", "", 0, "2025-01-05T01:31:41Z"},
	{"path of a program", "Jan  5 01:31:41 host /usr/sbin/sshd[7]: " + headerBody, "host", "sshd", "", 7, "2025-01-05T01:31:41Z"},
	{"BusyBox", "Jan  5 01:31:41 host authpriv.info sshd[7]: " + headerBody, "host", "sshd", "", 7, "2025-01-05T01:31:41Z"},
	{"FreeBSD's syslogd -vv", "Jan  5 01:31:41 <auth.info> host sshd[7]: " + headerBody, "host", "sshd", "", 7, "2025-01-05T01:31:41Z"},
	{"FreeBSD's syslogd -v", "Jan  5 01:31:41 <4.6> host sshd[7]: " + headerBody, "host", "sshd", "", 7, "2025-01-05T01:31:41Z"},
	{"OpenWrt", "Sun Jan  5 01:31:41 2025 authpriv.warn dropbear[7]: " + headerBody, "", "dropbear", "", 7, "2025-01-05T01:31:41Z"},
	{"no stamp", "host sshd[7]: " + headerBody, "host", "sshd", "", 7, ""},
	{"carriage return", "Jan  5 01:31:41 host sshd[7]: " + headerBody + " \r", "host", "sshd", "", 7, "2025-01-05T01:31:41Z"},
	{"syslog-ng with a source", "Jan  5 01:31:41 s_local@host sshd[7]: " + headerBody, "s_local@host", "sshd", "", 7, "2025-01-05T01:31:41Z"},
	{"syslog-ng with a chain of hosts", "Jan  5 01:31:41 relay/host sshd[7]: " + headerBody, "relay/host", "sshd", "", 7, "2025-01-05T01:31:41Z"},
	{"sysklogd, without a host", "<38>Jan  5 01:31:41 sshd[7]: " + headerBody, "", "sshd", "", 7, "2025-01-05T01:31:41Z"},
	{"two headers of a relay", "Jan  5 01:31:42 192.0.2.1 Jan  5 01:31:41 host sshd[7]: " + headerBody, "host", "sshd", "", 7, "2025-01-05T01:31:42Z"},
	{"socklog", "auth.info: Jan  5 01:31:41 sshd[7]: " + headerBody, "", "sshd", "", 7, "2025-01-05T01:31:41Z"},
	{"socklog and svlogd -tt", "2025-01-05_01:31:41.25000 auth.info: Jan  5 02:31:41 sshd[7]: " + headerBody, "", "sshd", "", 7, "2025-01-05T01:31:41.25Z"},
	{"socklog and svlogd -t", "@400000006799de0a00000000 auth.info: Jan 29 07:51:28 sshd[7]: " + headerBody, "", "sshd", "", 7, "2025-01-29T07:51:28Z"},
	{"socklog over the network", "@400000006799de0a00000000 192.0.2.1: auth.info: Jan 29 07:51:28 sshd[7]: " + headerBody, "192.0.2.1", "sshd", "", 7, "2025-01-29T07:51:28Z"},
	{"svlogd -tt", "2025-01-05_01:31:41.25000 sshd[7]: " + headerBody, "", "sshd", "", 7, "2025-01-05T01:31:41.25Z"},
	{"journalctl, short-full", "Fri 2025-01-31 12:00:00 UTC host sshd[7]: " + headerBody, "host", "sshd", "", 7, "2025-01-31T12:00:00Z"},
	{"journalctl, short-unix", "1738324800.250000 host sshd[7]: " + headerBody, "host", "sshd", "", 7, "2025-01-31T12:00:00.25Z"},
	{"journalctl, short-monotonic", "[12345.678901] host sshd[7]: " + headerBody, "host", "sshd", "", 7, ""},
	{"kernel's clock", "Jan  5 01:31:41 host sshd[7]: kernel: [  970.699397] " + headerBody, "host", "sshd", "", 7, "2025-01-05T01:31:41Z"},
	{"sysklogd, RFC 5424 without a priority", `2025-01-31T12:00:00.123456+01:00 host sshd 7 - [a@1 b="x\"]"] ` + headerBody, "host", "sshd", "", 7, "2025-01-31T11:00:00.123456Z"},
	{"sysklogd, with nils", "2025-01-31T12:00:00.123456+01:00 host sshd - ID7 - " + headerBody, "host", "sshd", "", 0, "2025-01-31T11:00:00.123456Z"},
	{"site in the tag", "Jan 31 12:00:00 host wordpress(example.com)[7]: " + headerBody, "host", "wordpress", "", 7, "2025-01-31T12:00:00Z"},
	{"site without a name in the tag", "Jan 31 12:00:00 host wordpress()[7]: " + headerBody, "host", "wordpress", "", 7, "2025-01-31T12:00:00Z"},
	{"RFC 5424, site in the tag", "<86>1 2025-01-31T12:00:00Z host wordpress(example.com) 7 - - " + headerBody, "host", "wordpress", "", 7, "2025-01-31T12:00:00Z"},
	{"syslog-ng, full date", "2025 Jan  5 01:31:41 host sshd[7]: " + headerBody, "host", "sshd", "", 7, "2025-01-05T01:31:41Z"},
	{"syslog-ng, full date with a fraction", "2025 Jan 31 12:00:00.250 host sshd[7]: " + headerBody, "host", "sshd", "", 7, "2025-01-31T12:00:00.25Z"},
	{"year behind the day", "Jan 31 2025 12:00:00 host sshd[7]: " + headerBody, "host", "sshd", "", 7, "2025-01-31T12:00:00Z"},
	{"year behind a padded day, with a fraction", "<86>Jan  5 2024 01:31:41.250 host sshd[7]: " + headerBody, "host", "sshd", "", 7, "2024-01-05T01:31:41.25Z"},
	{"year behind a short day", "Jan 5 2024 01:31:41 sshd[7]: " + headerBody, "", "sshd", "", 7, "2024-01-05T01:31:41Z"},
	{"day of OpenWrt's without padding", "Sun Jan 5 01:31:41 2025 authpriv.warn dropbear[7]: " + headerBody, "", "dropbear", "", 7, "2025-01-05T01:31:41Z"},
	{"journalctl, short-delta", "[12345.678901 <    0.000123 >] host sshd[7]: " + headerBody, "host", "sshd", "", 7, ""},
	{"journalctl, with-unit", "Fri 2025-01-31 12:00:00 UTC host ssh.service[7]: " + headerBody, "host", "sshd", "", 7, "2025-01-31T12:00:00Z"},
	{"journalctl, unit of one connection", "Fri 2025-01-31 12:00:00 UTC host sshd@3-192.0.2.1:22-192.0.2.7:51112.service[7]: " + headerBody, "host", "sshd", "", 7, "2025-01-31T12:00:00Z"},
	{"journalctl, unit of an instance", "Fri 2025-01-31 12:00:00 UTC host postgresql@17-main.service[7]: " + headerBody, "host", "postgres", "", 7, "2025-01-31T12:00:00Z"},
	{"tai64n", "@400000006799de0a00000000 sshd[7]: " + headerBody, "", "sshd", "", 7, "2025-01-29T07:51:28Z"},
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	for _, test := range headerTests {
		t.Run(test.name, func(t *testing.T) {
			var m Message
			if !m.Cut([]byte(test.line)) {
				t.Fatal("it has no header")
			}
			if string(m.Host) != test.host || string(m.Tag) != test.tag || m.PID != test.pid || string(m.PAM) != test.pam {
				t.Errorf("host %q, tag %q, pid %d, PAM %q; want %q, %q, %d, %q", m.Host, m.Tag, m.PID, m.PAM,
					test.host, test.tag, test.pid, test.pam)
			}
			if string(m.Body) != headerBody {
				t.Errorf("body %q", m.Body)
			}
			clock := Clock{Location: time.UTC}
			sec, nsec, ok := clock.Read(m.Stamp, now)
			if got := time.Unix(sec, int64(nsec)).UTC().Format(time.RFC3339Nano); ok != (test.time != "") || ok && got != test.time {
				t.Errorf("time %v, %s, want %q", ok, got, test.time)
			}
		})
	}
}

// What a line says of its end: the shortest and the longest of each buffer, with a control character that BusyBox writes as
// two, and blanks that the body loses.
func TestClipped(t *testing.T) {
	t.Parallel()
	x := func(n int) string { return "sshd[7]: " + strings.Repeat("x", n-len("sshd[7]: ")) }
	for _, test := range []struct {
		front, text string
		want        bool
	}{
		{"Jan  5 01:31:41 host auth.info ", x(233), false}, {"Jan  5 01:31:41 host local0.info ", x(234), true},
		{"Jan  5 01:31:41 host user.info ", x(236), true}, {"Jan  5 01:31:41 host auth.info ", x(237), false},
		{"Jan  5 01:31:41 host auth.info ", x(234) + "^A^^", true}, {"Jan  5 01:31:41 host auth.info ", x(235) + "^_", true}, {"Jan  5 01:31:41 host auth.info ", x(235) + "^a", false},
		{"Jan  5 01:31:41 host auth.info ", x(230) + "     ", true}, {"Jan  5 01:31:41 host auth.info ", x(491), true},
		{"Jan  5 01:31:41 host auth.info ", x(1003), true}, {"Jan  5 01:31:41 ", x(235), true}, {"Jan  5 01:31:41 ", x(240), false},
		{"Jan  5 01:31:41 host ", x(235), false}, {"Jan  5 01:31:41 host ", x(1001), false}, {"Jan  5 01:31:41 host ", x(1003), true},
		{"Jan  5 01:31:41 host ", x(1005), false}, {"2025-01-31T12:00:00Z host ", x(1004), true},
	} {
		line := []byte(test.front + test.text)
		var m Message
		if !m.Cut(line) || m.Clipped != test.want {
			t.Errorf("%s and %d bytes: clipped %v", test.front, len(test.text), m.Clipped)
		}
		var recent Recent
		if recent.Keep(&m, line) && (!recent.Cut(&m, line) || m.Clipped != test.want) {
			t.Errorf("%s and %d bytes, read as a recent one: clipped %v", test.front, len(test.text), m.Clipped)
		}
	}
}

// Some lines look as if they had a header.
func TestWhatIsNoHeader(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"", "<", "<86>", "<86>1 ", "<86>1 - - - - - - x", "<86>1 - - sshd - -", "<86>1 - - sshd - - [a", `<86>1 - - sshd - - [a="]x`,
		"<86>1  - sshd - - - x", "x", "sshd]: x", "[]: x", "[sshd: x", ": x", "[7]: x", "(pam_unix): x", "sshd[7: x", "sshd[]", "sshd(x",
		"Jan  5 01:31:41", "Jan  5 01:31:41 ", "Jan  5 01:31:41 host", "Jan  5 01:31:41 host sshd]: x", "Jan  5 01:31:41 host []: x",
		"2025-01-31T12:00:00Z", "2025-01-31T12:00:00Z host", "2025/01/31 12:00:00 [error] 28#0: *66 x", // nginx
	} {
		var m Message
		if m.Cut([]byte(line)) {
			t.Errorf("%q has the tag %q, process %d and body %q", line, m.Tag, m.PID, m.Body)
		}
	}
}

// A line may break off, or begin, anywhere: what is found in it is of the line, and nothing fails.
func TestPartsOfLines(t *testing.T) {
	t.Parallel()
	for _, line := range headers() {
		for i := range len(line) + 1 {
			for _, part := range []string{line[:i], line[i:]} {
				var m Message
				ok := m.Cut([]byte(part))
				for _, found := range [][]byte{m.Stamp.Text, m.Host, m.Body, m.PAM} {
					if !strings.Contains(part, string(found)) {
						t.Errorf("%q, which is not in it, is found in %q", found, part)
					}
				}
				if ok && len(m.Tag) == 0 || strings.TrimRight(string(m.Body), " \t\r\n") != string(m.Body) {
					t.Errorf("%q has the tag %q and the body %q", part, m.Tag, m.Body)
				}
				if inner, err := Unwrap([]byte(part), &Trust{}); err == nil {
					m.Cut(inner)
				}
				var recent Recent
				keep(&recent, part)
				if recent.Cut(&m, []byte(line)) {
					var slow Message
					if slow.Cut([]byte(line)); string(slow.Tag) != string(m.Tag) || string(slow.Body) != string(m.Body) || slow.PID != m.PID {
						t.Errorf("behind %q the tag of %q is %q and its body %q", part, line, m.Tag, m.Body)
					}
				}
			}
		}
	}
}

// headers returns lines of every form, one of each.
func headers() []string {
	lines := []string{
		"2025-01-31T12:00:00.123456789Z stdout F Jan  5 01:31:41 host sshd[7]: x",
		`{"log":"Jan  5 01:31:41 host sshd[7]: x\n","stream":"stdout","time":"2025-01-31T12:00:00.1Z"}`,
		"2025-01-31T12:00:00.123456Z 8 [Note] [MY-010926] [Server] Access denied for user 'a'@'192.0.2.7' (using password: YES)",
		"2025-01-31 12:00:00 8 [Warning] Access denied for user 'a'@'192.0.2.7' (using password: YES)",
		"250131 12:00:00 [Warning] Access denied for user 'a'@'192.0.2.7' (using password: YES)",
		"2025-01-31T12:00:00.123456Z\t    8 Connect\ta@192.0.2.7 on db using TCP/IP",
		`2025-01-31 12:00:00.123 UTC [4711] a@b FATAL:  password authentication failed for user "a"`,
		`2025-01-31 12:00:00 UTC:192.0.2.7(51112):a@b:[4711]:FATAL:  password authentication failed for user "a"`,
		"2025-01-31 12:00:00,388 fail2ban.actions        [7]: NOTICE  [sshd] Ban 192.0.2.7",
		"Sun Jan  5 01:31:41 2025 [pid 7] [a] FAIL LOGIN: Client \"192.0.2.7\"",
		"2025-01-31T12:00:00.1Z sshd 7 - [a@1 b=\"x\\\"]\"] x",
	}
	for _, test := range headerTests {
		lines = append(lines, test.line)
	}
	return lines
}

// A priority is one to three digits between < and > (RFC 5424 section 6.2.1). What is not one stays
// in the line.
func TestPriority(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"<0>x": "x", "<86>x": "x", "<191>x": "x", "<191>": "",
		"<>x": "<>x", "<1910>x": "<1910>x", "<8a>x": "<8a>x", "<86": "<86", "<-1>x": "<-1>x",
	} {
		got, ok := cutPriority([]byte(line))
		if string(got) != want || ok != (want != line) {
			t.Errorf("%q leaves %q, %v; want %q", line, got, ok, want)
		}
	}
	for line, want := range map[string]bool{
		"<86>x": true, "<": true, "Jan  5 01:31:41 host x": true, "2025-01-31T12:00:00Z x": true,
		"": false, "x": false, "86> x": false,
	} {
		if Stamped([]byte(line)) != want {
			t.Errorf("%q is stamped: %v", line, !want)
		}
	}
}

// What a module of PAM wrote names the module, and mostly the service that asked it; otherwise that is
// the tag's program.
func TestCutPAM(t *testing.T) {
	t.Parallel()
	for body, want := range map[string][3]string{ // module, service and what is left
		"pam_unix(sshd:auth): authentication failure": {"pam_unix", "sshd", "authentication failure"},
		"pam_unix(:auth): authentication failure":     {"pam_unix", "su", "authentication failure"},
		"pam_tally2(auth): x: y":                      {"pam_tally2", "su", "x: y"},
		"pam_sss: x":                                  {"pam_sss", "su", "x"},
		"(pam_unix) x":                                {"pam_unix", "su", "x"},
		"pam_unix and more: x":                        {"", "", "pam_unix and more: x"},
		"pam_unix(sshd:auth)":                         {"", "", "pam_unix(sshd:auth)"},
		"(pam_unix)x":                                 {"", "", "(pam_unix)x"},
		"PAM: x":                                      {"", "", "PAM: x"},
	} {
		m := Message{Tag: []byte("su"), Body: []byte(body)}
		service, ok := m.CutPAM()
		if got := [3]string{string(m.PAM), string(service), string(m.Body)}; got != want || ok != (want[0] != "") {
			t.Errorf("%q is cut into %q, %v; want %q", body, got, ok, want)
		}
	}
}

func TestYears(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		year   int
		stamps []string
		want   []int
	}{
		{"latest that is not in the future", 0, []string{"Jan 31 12:00:00", "Feb  2 12:00:00", "Dec 31 23:59:59", "Feb  1 20:00:00"}, []int{2025, 2024, 2024, 2025}},
		{"leap day", 0, []string{"Feb 29 12:00:00"}, []int{2024}},
		{"given", 2005, []string{"Jun 21 12:00:00", "Feb 25 12:00:00", "Nov  1 12:00:00"}, []int{2005, 2005, 2005}},
		{"given, across New Year", 2005, []string{"Dec 31 23:59:59", "Jan  1 00:00:01", "Dec 31 23:59:59", "Jan  1 00:00:02", "Jul  1 00:00:00"}, []int{2005, 2006, 2005, 2006, 2006}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			clock := Clock{Location: time.UTC, Year: test.year}
			for i, text := range test.stamps {
				sec, _, ok := clock.Read(Stamp{BSD, []byte(text)}, now)
				if got := time.Unix(sec, 0).UTC().Year(); !ok || got != test.want[i] {
					t.Errorf("%s is of %d, want %d", text, got, test.want[i])
				}
			}
		})
	}
}

// On the days that summer time begins or ends, hours are not counted from midnight.
func TestSummerTime(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	clock := Clock{Location: berlin}
	for _, text := range []string{"Mar 31 01:00:00", "Mar 31 04:00:00", "Mar 31 05:30:00", "Oct 27 05:00:00", "Oct 28 05:00:00"} {
		sec, _, ok := clock.Read(Stamp{BSD, []byte(text)}, now)
		if got := time.Unix(sec, 0).In(berlin).Format(time.Stamp); !ok || got != text {
			t.Errorf("%s was read as %s", text, got)
		}
	}
}
