package header

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

var plainHeaders = []string{
	"Jan  5 01:31:41 host sshd[7]: a line",
	"2025-01-31T12:00:00.123456+01:00 host sshd[7]: a line",
	"2025-01-31T12:00:00,5Z host sshd[7]: a line",
	"2025-01-31T12:00:00Z host sshd[7]: a line",
	"2025-01-31T12:00:00-0530 host sshd[7]: a line",
	"2025-01-31T12:00:00Z 192.0.2.1 sshd[7]: a line",
	"Jan  5 01:31:41 mail.example.org sshd-session[7]: a line",
	"Jan  5 01:31:41 h su[7]: a line",
}

// The header that most lines share is taken off by comparison, with the same result.
func TestRecentHeader(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"Jan  5 01:31:42 host sshd[12345]: b c ", "Jan  6 01:31:42 host sshd[8]: b", "Jan  5 01:31:42 host sshd: b",
		"Jan  5 01:31:42 host sshd[x]: b", "Jan  5 01:31:42 host sshd[8]:", "Jan  5 01:31:4x host sshd[8]: b",
		"Jan  5 01:31:42 host sshd-session[8]: b", "Jan  5 01:31:42 other sshd[8]: b", "Jan  5 01:31:42 host sshd[8]:  [ID 1 a.b] b",
		"2025-01-31T23:59:59.000001+01:00 host sshd[8]: b", "2025-01-31T12:00:00.123456+01:30 host sshd[8]: b",
		"2025-01-31T12:00:00.12345x+01:00 host sshd[8]: b", "2025-01-31T12:00:00.1234560+1:00 host sshd[8]: b",
		"2025-01-30T12:00:00Z host sshd[8]: b", "2025-01-31 12:00:00Z host sshd[8]: b", "2025-01-31T12:00:0xZ host sshd[8]: b",
		"2025-01-31T12:00:00.5Z host sshd[8]: b", "2025-01-31T12:00:00,6Z host sshd[8]: b", "2025-01-31T12:00:01-0530 host sshd[8]: b",
	} {
		for _, first := range append(slices.Clone(plainHeaders), line) {
			sameAsSlow(t, first, []byte(line))
			sameAsSlow(t, first, []byte(line+" and more"))
		}
	}
	for first, next := range map[string]string{
		plainHeaders[0]: "Jan  5 23:59:59 host sshd[4711]: x y",
		plainHeaders[1]: "2025-01-31T23:59:59.000001+01:00 host sshd[4711]: x y",
		plainHeaders[2]: "2025-01-31T23:59:59,6Z host sshd[4711]: x y",
		plainHeaders[3]: "2025-01-31T23:59:59Z host sshd[4711]: x y",
		plainHeaders[4]: "2025-01-31T23:59:59-0530 host sshd[4711]: x y",
		plainHeaders[5]: "2025-01-31T23:59:59Z 192.0.2.1 sshd[4711]: x y",
	} {
		var recent Recent
		if !keep(&recent, first) || !recent.Cut(new(Message), []byte(next)) {
			t.Errorf("%q is not recognised as the usual next line", next)
		}
	}
	var recent Recent
	if !keep(&recent, plainHeaders[0]) || keep(&recent, "Jan  5 01:31:41 host kernel: a") || !recent.Cut(new(Message), []byte(plainHeaders[0])) {
		t.Error("a header without a process drives out the one before")
	}
	for _, own := range []string{ // what follows such a stamp may be a daemon's own format, decided behind the host
		"2025-01-31T12:00:00Z 8 sshd[7]: a", "2025-01-31T12:00:00Z 42 sshd[7]: a", "2025-01-31T12:00:00Z I sshd[7]: a", "2025-01-31 12:00:00 host sshd[7]: a", "<38>Jan  5 01:31:41 host sshd[7]: a",
	} {
		if keep(new(Recent), own) {
			t.Errorf("%q is kept", own)
		}
	}
}

// So it is whatever byte of a line is another one.
func TestRecentHeaderOfDamagedLines(t *testing.T) {
	t.Parallel()
	const others = " 09:.,+-ZT[]akx\x00<"
	random := rand.New(rand.NewPCG(1, 2))
	for _, first := range plainHeaders {
		for at := range first {
			for range 40 {
				line := []byte(first)
				line[at] = others[random.IntN(len(others))]
				if random.IntN(2) == 0 {
					line = slices.Delete(line, at, at+1)
				}
				sameAsSlow(t, first, line)
			}
		}
	}
}

// keep has a line's header kept.
func keep(r *Recent, line string) bool {
	var m Message
	return m.Cut([]byte(line)) && r.Keep(&m, []byte(line))
}

func sameAsSlow(t *testing.T, first string, line []byte) {
	t.Helper()
	var recent Recent
	var fast, slow Message
	keep(&recent, first)
	if !recent.Cut(&fast, line) {
		return
	}
	if !slow.Cut(line) || string(fast.Host) != string(slow.Host) || string(fast.Tag) != string(slow.Tag) || fast.PID != slow.PID ||
		string(fast.Body) != string(slow.Body) || fast.Stamp.Form != slow.Stamp.Form || string(fast.Stamp.Text) != string(slow.Stamp.Text) {
		t.Errorf("%q behind %q: %q %q %d %q %q", line, first, fast.Host, fast.Tag, fast.PID, fast.Body, fast.Stamp.Text)
	}
}

// A clock that knows the day gives the time that one gives which does not, and the time that Go reads.
func TestKnownDate(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	known := Clock{Location: time.UTC}
	days := []string{"2025-01-31", "2025-02-01", "2024-02-29", "2025-02-30", "1990-01-01", "1990-01-02", "2200-12-29", "2200-12-30", "2200-12-31", "0000-00-00"}
	times := []string{"00:00:00", "12:34:56.789", "23:59:59.000001", "99:99:99", "23:59:60"}
	zones := []string{"Z", "+01:00", "-0530", "+14:00", "-12:00", ""}
	for range 20_000 {
		text := days[random.IntN(len(days))] + "T" + times[random.IntN(len(times))] + zones[random.IntN(len(zones))]
		fresh := Clock{Location: time.UTC}
		sec, nsec, ok := known.Read(Stamp{ISO, []byte(text)}, now)
		wantSec, wantNsec, wantOK := fresh.Read(Stamp{ISO, []byte(text)}, now)
		if ok != wantOK || ok && (sec != wantSec || nsec != wantNsec) {
			t.Fatalf("%s: %d.%09d %v, want %d.%09d %v", text, sec, nsec, ok, wantSec, wantNsec, wantOK)
		}
		if want, err := time.Parse(time.RFC3339Nano, text); err == nil && ok && (sec != want.Unix() || int(nsec) != want.Nanosecond()) {
			t.Fatalf("%s: %d.%09d, want %v", text, sec, nsec, want)
		}
	}
}
