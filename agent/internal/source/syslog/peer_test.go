package syslog

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	peer "github.com/leodido/go-syslog/v4"
	"github.com/leodido/go-syslog/v4/nontransparent"
	"github.com/leodido/go-syslog/v4/octetcounting"
	"github.com/leodido/go-syslog/v4/rfc3164"
	"github.com/leodido/go-syslog/v4/rfc5424"

	"github.com/pialert/pialert/agent/internal/header"
)

// go-syslog is somebody else's reading of the same documents. Wherever it takes a message without any
// complaint, this package reads the same out of it; where it does not, the reasons are these:
//
//   - It takes no more than RFC 5424 and 3164 say; much of what devices send is not that, and is lost.
//   - A NUL in the text of a message makes it vanish without an error.
//   - It ends a stream at the first byte that it does not expect.
//   - It cuts the text of RFC 3164 at its first newline, also in a counted message.
//   - It looks for a colon or a bracket from the host on: a host that is an IPv6 address, "web[7]" without a host
//     and "name(x)" are cut within, and so is what follows.
//   - It takes versions of RFC 5424's form that there are none of yet.
//   - It takes 29 February of any year, and years that no event can be of; here such a message is of the time that
//     it was received at.
//   - It takes a single word for a host without a message, and the beginning of "last message repeated", too, which
//     the BSDs write without a host.
//   - It leaves a byte order mark in the text, and the hyphen before a tag out; of a colon alone behind
//     the host, as Cisco's ASA writes it, it makes the text.

// FuzzAgainstPeer compares how one message is cut.
func FuzzAgainstPeer(f *testing.F) {
	for _, seed := range []string{
		"<38>Nov 20 12:00:00 web sshd[7]: Failed password for root", "<38>Nov  2 12:00:00 web sshd: x", "<13>Nov 20 12:00:00 web x y",
		`<165>1 2026-11-20T12:00:00.123Z web sshd 7 ID47 [a@1 b="c\"]"][d] text`, "<38>1 - - - - - -", "<38>1 2026-11-20T12:00:00+01:00 web sshd - - - \ufefftext",
		"<38>2026-11-20T12:00:00+01:00 web sshd[7]: x", "<0>1 - h a p m [x@1 y=\"\\\\\"] t",
	} {
		f.Add([]byte(seed))
	}
	compare := comparison()
	f.Fuzz(func(t *testing.T, message []byte) { compare(t, message) })
}

// TestAgainstPeer compares messages of words that matter, in every order.
func TestAgainstPeer(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(words ...string) string { return words[random.IntN(len(words))] }
	stamp := func() string {
		return pick("Nov 20 12:00:00", "Nov  2 12:00:00", "Nov 02 12:00:00", "Nov 20 12:00:00.5", "Feb 29 12:00:00", "2024-02-29T12:00:00Z",
			"2026-11-20T12:00:00Z", "2026-11-20T12:00:00.123+01:00", "2026-02-29T12:00:00Z", "1970-01-01T00:00:00Z", "-")
	}
	word := func() string {
		return pick("web", "sshd", "0", "a.b", "x-y", "A_b", "2001:db8::1", "a/b", "12:00:00", "Nov", "-", "last message repeated 3 times", "\ufeff", "\xff") +
			pick("", "", "", "[7]", "[", "]", "[x y]", "()", "[7", "[]", "(x)", "[7]x", `[a b="c"]`, `[a b="\"]\\"][c]`, `[a b="]"]`) +
			pick(":", "", "", ":", "::") + pick(" ", " ", " ", "  ", "")
	}
	compare := comparison()
	compared := 0
	for range 200_000 {
		message := "<38>" + stamp() + pick(" ", " ", " ", "  ", "")
		if random.IntN(2) == 0 {
			message = "<38>1 " + strings.Join([]string{pick(stamp(), "-"), pick("web", "-", "2001:db8::1"), pick("sshd", "-", "a/b[7]:"), pick("7", "-", "x"),
				pick("-", "ID", "["), pick("-", "[a]", `[a b="c"]`, `[a@1 b="\"]\\" c=""][d]`, `[a b="]"]`, `[a b="\]"]`)}, " ") + pick(" ", " ", "", " \ufeff")
		}
		for range 1 + random.IntN(6) {
			message += word()
		}
		if compare(t, []byte(message)) {
			compared++
		}
	}
	if compared < 30_000 {
		t.Errorf("only %d messages could be compared", compared)
	}
}

// comparison returns what compares how one message is cut, and says whether the peer reads it, in the same
// way as far as is known.
func comparison() func(t *testing.T, message []byte) bool {
	modern := rfc5424.NewMachine()
	old := rfc3164.NewMachine(rfc3164.WithYear(rfc3164.Year{YYYY: 2026}), rfc3164.WithRFC3339(), rfc3164.WithSecondFractions())
	return func(t *testing.T, message []byte) bool {
		if parsed, err := modern.Parse(message); err == nil && parsed != nil && parsed.Valid() {
			m := parsed.(*rfc5424.SyslogMessage)
			if m.Version != 1 {
				return false
			}
			ours, ok := header.CutFrame(message)
			if !ok {
				t.Fatalf("%q is not cut", message)
			}
			same(t, message, "host", text(m.Hostname), string(ours.Host))
			same(t, message, "tag", text(m.Appname), string(ours.Tag))
			same(t, message, "text", strings.TrimPrefix(text(m.Message), "\ufeff"), string(ours.Text))
			if m.Timestamp != nil && !readsAs(ours.Stamp, *m.Timestamp) {
				t.Errorf("%q is of %s, not %q", message, m.Timestamp, ours.Stamp.Text)
			}
			return true
		}
		parsed, err := old.Parse(message)
		if err != nil || parsed == nil || !parsed.Valid() {
			return false
		}
		m := parsed.(*rfc3164.SyslogMessage)
		ours, ok := header.CutFrame(message)
		if !ok {
			t.Fatalf("%q is not cut", message)
		}
		if m.Hostname == nil || m.Message == nil || strange(message, ours.Stamp.Text) {
			return false
		}
		same(t, message, "host", *m.Hostname, string(ours.Host))
		tag := text(m.Appname)
		if m.ProcID != nil {
			tag += "[" + *m.ProcID + "]"
		}
		if !strings.HasPrefix(string(ours.Text), tag) || !strings.HasSuffix(strings.TrimRight(string(ours.Text), " "), strings.TrimRight(*m.Message, " ")) {
			t.Errorf("%q: the text is %q, want %q and %q", message, ours.Text, tag, *m.Message)
		}
		if m.Timestamp != nil && !readsAs(ours.Stamp, *m.Timestamp) {
			t.Errorf("%q is of %s, not %q", message, m.Timestamp, ours.Stamp.Text)
		}
		return true
	}
}

// strange says whether a message has what the two are known to read differently: see above.
func strange(message, stamp []byte) bool {
	_, behind, _ := bytes.Cut(message, stamp)
	behind = bytes.TrimLeft(behind, " ")
	first, rest, _ := bytes.Cut(behind, []byte(" "))
	rest = bytes.TrimLeft(rest, " ")
	return len(rest) == 0 || rest[0] == '-' || rest[0] == ':' || bytes.ContainsAny(first, ":[(") || bytes.HasPrefix(behind, []byte("last message repeated ")) || bytes.ContainsAny(message, "\n\x00\t\r\v\f\u0085\u00a0")
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func same(t *testing.T, message []byte, what, want, got string) {
	t.Helper()
	if got != want {
		t.Errorf("%q: the %s is %q, and %q to the peer", message, what, got, want)
	}
}

// readsAs says whether a stamp means a time, or none where there is no such day or no event can be of that year.
func readsAs(stamp header.Stamp, want time.Time) bool {
	clock := header.Clock{Location: time.UTC, Year: 2026}
	sec, nsec, ok := clock.Read(stamp, want)
	if want.Year() <= 1990 || want.Year() >= 2200 || stamp.Form == header.BSD && bytes.HasPrefix(stamp.Text, []byte("Feb 29")) {
		return !ok
	}
	return ok && sec == want.Unix() && int(nsec) == want.Nanosecond()
}

// FuzzFramesAgainstPeer compares which messages a stream has, as far as the peer reads it.
func FuzzFramesAgainstPeer(f *testing.F) {
	f.Add([]byte("a"), []byte("bb"), []byte("c c"), uint8(0))
	f.Add([]byte("12"), []byte("<34>"), []byte("x\ny"), uint8(1))
	f.Fuzz(func(t *testing.T, a, b, c []byte, framing uint8) {
		var stream bytes.Buffer
		var want []string
		for _, content := range [][]byte{a, b, c} {
			message := append([]byte("<38>1 - - - - - - "), content...)
			if framing%2 == 0 {
				if bytes.ContainsAny(content, "\n\x00") {
					return // which ends a message there
				}
				message = bytes.TrimRight(message, "\r")
				fmt.Fprintf(&stream, "%s\n", message)
			} else {
				fmt.Fprintf(&stream, "%d %s", len(message), message)
			}
			want = append(want, string(message))
		}
		var theirs []string
		failed := false
		listen := peer.WithListener(func(r *peer.Result) {
			if failed = failed || r.Error != nil || r.Message == nil; !failed {
				theirs = append(theirs, text(r.Message.(*rfc5424.SyslogMessage).Message))
			}
		})
		if framing%2 == 0 {
			nontransparent.NewParser(listen).Parse(bytes.NewReader(stream.Bytes()))
		} else {
			octetcounting.NewParser(listen).Parse(bytes.NewReader(stream.Bytes()))
		}
		ours, _ := read(stream.String(), false, stream.Len())
		if len(ours) != len(want) {
			t.Fatalf("%q is %q", stream.Bytes(), ours)
		}
		for i := range ours {
			if ours[i] != want[i] {
				t.Errorf("message %d of %q is %q", i, stream.Bytes(), ours[i])
			}
			if i < len(theirs) && strings.TrimRight(theirs[i], "\r\n ") != strings.TrimRight(strings.TrimPrefix(want[i], "<38>1 - - - - - - "), "\r\n ") {
				t.Errorf("message %d of %q is %q to the peer", i, stream.Bytes(), theirs[i])
			}
		}
	})
}
