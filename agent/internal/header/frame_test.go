package header

import (
	"testing"
)

// Forms that senders write: "real" ones were recorded from the program that the comment names, the
// others are as its documentation has them.
func TestCutFrame(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, frame            string
		stamp, host, tag, text string
		pid                    uint32
		bare                   bool // not ok
	}{
		{"rsyslog, traditional (real)", "<38>Nov 20 12:00:01 web sshd[7]: Failed password", "Nov 20 12:00:01", "web", "", "sshd[7]: Failed password", 0, false},
		{"rsyslog, forward format (real)", "<38>2026-11-20T12:00:01.123456+01:00 web sshd[7]: x", "2026-11-20T12:00:01.123456+01:00", "web", "", "sshd[7]: x", 0, false},
		{"syslog-ng, a day of one digit", "<38>Nov  2 12:00:01 web sshd[7]: x", "Nov  2 12:00:01", "web", "", "sshd[7]: x", 0, false},
		{"FreeBSD and pfSense, no host", "<38>Nov 20 12:00:01 sshd[7]: x", "Nov 20 12:00:01", "", "", "sshd[7]: x", 0, false},
		{"FreeBSD, repeated", "<38>Nov 20 12:00:01 last message repeated 3 times", "Nov 20 12:00:01", "", "", "last message repeated 3 times", 0, false},
		{"a blank behind the priority", "<38> Nov 20 12:00:01 web sshd[7]: x", "Nov 20 12:00:01", "web", "", "sshd[7]: x", 0, false},
		{"a blank, and no time", "<30> system,error x", "", "", "", "system,error x", 0, false},
		{"OpenWrt", "<38>Nov 20 12:00:01 OpenWrt dropbear[7]: Bad password attempt for 'root' from 192.0.2.7:50022", "Nov 20 12:00:01", "OpenWrt", "",
			"dropbear[7]: Bad password attempt for 'root' from 192.0.2.7:50022", 0, false},
		{"RouterOS, BSD", "<36>Nov 20 12:00:01 MikroTik system,error,critical login failure for user admin from 192.0.2.7 via ssh", "Nov 20 12:00:01", "MikroTik", "",
			"system,error,critical login failure for user admin from 192.0.2.7 via ssh", 0, false},
		{"RouterOS, default", "<30>system,error,critical login failure for user admin from 192.0.2.7 via ssh", "", "", "",
			"system,error,critical login failure for user admin from 192.0.2.7 via ssh", 0, false},
		{"Cisco IOS", "<189>17: router: Nov 20 12:00:01: x", "", "", "", "17: router: Nov 20 12:00:01: x", 0, false},
		{"Cisco IOS, a sequence number", "<189>17: *Nov 20 12:00:01.123 UTC: %SEC_LOGIN-4-LOGIN_FAILED: x", "Nov 20 12:00:01.123", "", "",
			"%SEC_LOGIN-4-LOGIN_FAILED: x", 0, false},
		{"Cisco ASA, with a year", "<166>Nov 20 2026 12:00:01: %ASA-6-605004: x", "Nov 20 2026 12:00:01", "", "", "%ASA-6-605004: x", 0, false},
		{"Cisco ASA, with a host", "<166>Nov  2 2026 12:00:01 asa : %ASA-6-605004: x", "Nov  2 2026 12:00:01", "asa", "", "%ASA-6-605004: x", 0, false},
		{"a host that is an address", "<38>Nov 20 12:00:01 2001:db8::1 sshd[7]: x", "Nov 20 12:00:01", "2001:db8::1", "", "sshd[7]: x", 0, false},
		{"two relays", "<38>Nov 20 12:00:01 relay Nov 20 12:00:00 web sshd[7]: x", "Nov 20 12:00:01", "web", "", "sshd[7]: x", 0, false},
		{"logger (real)", `<13>1 2026-11-20T12:00:01.123456+00:00 web sshd 7 - [timeQuality tzKnown="1" isSynced="1"] x`,
			"2026-11-20T12:00:01.123456+00:00", "web", "sshd", "x", 7, false},
		{"5424 with structured data that has brackets", `<13>1 2026-11-20T12:00:01Z web sshd - - [a b="\"]x]"][c] x`, "2026-11-20T12:00:01Z", "web", "sshd", "x", 0, false},
		{"5424 with a byte order mark", "<13>1 - - sshd - - - \ufeffx", "", "", "sshd", "x", 0, false},
		{"5424 with a fraction of seven digits", "<13>1 2026-11-20T12:00:01.1234567Z web sshd - - - x", "2026-11-20T12:00:01.1234567Z", "web", "sshd", "x", 0, false},
		{"5424 of nobody", "<13>1 - - - - - - x", "", "", "", "x", 0, false},
		{"NUL bytes", "<38>Nov 20 12:00:01 web sshd[7]: a\x00b", "Nov 20 12:00:01", "web", "", "sshd[7]: a\x00b", 0, false},
		{"no priority", "Nov 20 12:00:01 web sshd[7]: x", "Nov 20 12:00:01", "web", "", "sshd[7]: x", 0, false},
		{"only text", "hello world", "", "", "", "hello world", 0, true},
		{"a priority that is none", "<9999>hello", "", "", "", "<9999>hello", 0, true},
		{"nothing", "", "", "", "", "", 0, true},
		{"only a priority", "<38>", "", "", "", "", 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f, ok := CutFrame([]byte(test.frame))
			if ok == test.bare || string(f.Stamp.Text) != test.stamp || string(f.Host) != test.host || string(f.Tag) != test.tag ||
				f.PID != test.pid || string(f.Text) != test.text {
				t.Errorf("%q is cut into %q %q %q %d %q, %v", test.frame, f.Stamp.Text, f.Host, f.Tag, f.PID, f.Text, ok)
			}
		})
	}
}
