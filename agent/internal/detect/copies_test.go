package detect

import (
	"strings"
	"testing"
)

// exim sends what it refuses to syslog twice, for its main and its reject log. Its files have it once.
func TestCopiesForTheRejectLogCountOnce(t *testing.T) {
	t.Parallel()
	const refused = "2025-01-31 12:00:00 login authenticator failed for (x) [192.0.2.7]: 535 Incorrect authentication data (set_id=alice)"
	const syntax = "2025-01-31 12:00:00 SMTP syntax error in \"x\" H=(x) [192.0.2.7] unrecognized command"
	const first, second = "Jan 31 12:00:00 host exim[7]: ", "Jan 31 12:00:01 host exim[7]: "
	other := strings.Replace(first, "7", "8", 1)
	forged := strings.Replace(refused, "alice", "[7]: x", 1)
	for _, test := range []struct {
		name  string
		lines []string
		count uint64
	}{
		{"copy", []string{first + refused, first + refused}, 1},
		{"copy under a later stamp of syslog", []string{first + refused, second + refused}, 1},
		{"two attempts", []string{first + refused, first + refused, first + refused, first + refused}, 2},
		{"no copy", []string{first + refused}, 1},
		{"other user", []string{first + refused, first + strings.Replace(refused, "alice", "bob", 1)}, 2},
		{"other process", []string{first + refused, other + refused}, 2},
		{"other host", []string{first + refused, strings.Replace(first, "host", "other", 1) + refused}, 2},
		{"something between", []string{first + refused, "Jan 31 12:00:00 host cron[1]: x", first + refused}, 1},
		{"processes in turn", []string{first + refused, other + refused, first + refused, other + refused}, 2},
		{"message of one log", []string{first + syntax, first + syntax}, 2},
		{"exim's own log", []string{refused, refused}, 2},
		{"exim's own log, and a process in the name", []string{
			strings.Replace(forged, "00 login", "00 [7] login", 1), strings.Replace(forged, "00 login", "00 [7] login", 1),
		}, 2},
	} {
		var count uint64
		for _, ev := range detectAll(t, builtinRules(t), test.lines) {
			count += ev.Count
		}
		if count != test.count {
			t.Errorf("%s: %d attempts, want %d", test.name, count, test.count)
		}
	}
}
