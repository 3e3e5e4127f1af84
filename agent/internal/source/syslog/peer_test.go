package syslog

import (
	"bytes"
	"fmt"
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
//   - It takes a colon within what stands behind the time for the end of a tag: of a host that is an IPv6
//     address, and of a tag with a colon in it.
//   - It leaves a byte order mark in the text.
//   - It takes years that no event can be of; here such a message is of the time that it was received at.

// FuzzAgainstPeer compares how one message is cut.
func FuzzAgainstPeer(f *testing.F) {
	for _, seed := range []string{
		"<38>Nov 20 12:00:00 web sshd[7]: Failed password for root", "<38>Nov  2 12:00:00 web sshd: x", "<13>Nov 20 12:00:00 web x y",
		`<165>1 2026-11-20T12:00:00.123Z web sshd 7 ID47 [a@1 b="c\"]"][d] text`, "<38>1 - - - - - -", "<38>1 2026-11-20T12:00:00+01:00 web sshd - - - \ufefftext",
		"<38>2026-11-20T12:00:00+01:00 web sshd[7]: x", "<0>1 - h a p m [x@1 y=\"\\\\\"] t",
	} {
		f.Add([]byte(seed))
	}
	modern := rfc5424.NewMachine()
	old := rfc3164.NewMachine(rfc3164.WithYear(rfc3164.Year{YYYY: 2026}), rfc3164.WithRFC3339(), rfc3164.WithSecondFractions())
	f.Fuzz(func(t *testing.T, message []byte) {
		if parsed, err := modern.Parse(message); err == nil && parsed != nil && parsed.Valid() {
			m := parsed.(*rfc5424.SyslogMessage)
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
		}
		if parsed, err := old.Parse(message); err == nil && parsed != nil && parsed.Valid() {
			m := parsed.(*rfc3164.SyslogMessage)
			ours, ok := header.CutFrame(message)
			if !ok {
				t.Fatalf("%q is not cut", message)
			}
			if m.Appname == nil || m.Hostname == nil || m.Message == nil || strange(message) {
				return
			}
			same(t, message, "host", *m.Hostname, string(ours.Host))
			tag := *m.Appname
			if m.ProcID != nil {
				tag += "[" + *m.ProcID + "]"
			}
			if !strings.HasPrefix(string(ours.Text), tag) || !strings.HasSuffix(strings.TrimRight(string(ours.Text), " "), strings.TrimRight(*m.Message, " ")) {
				t.Errorf("%q: the text is %q, want %q and %q", message, ours.Text, tag, *m.Message)
			}
			if m.Timestamp != nil && !readsAs(ours.Stamp, *m.Timestamp) {
				t.Errorf("%q is of %s, not %q", message, m.Timestamp, ours.Stamp.Text)
			}
		}
	})
}

// strange says whether a message has what the two are known to read differently: see above.
func strange(message []byte) bool {
	_, behind, _ := bytes.Cut(message, []byte(">"))
	words := bytes.Fields(behind)
	colons := 0
	for _, word := range words[:min(len(words), 6)] {
		if bytes.ContainsAny(word, ":[") {
			colons++
		}
	}
	return colons != 2 || bytes.ContainsAny(message, "\n\x00\t\r\v\f\u0085\u00a0") || bytes.Contains(message, []byte("  "))
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

// readsAs says whether a stamp means a time, or none where that is of a year that no event can be of.
func readsAs(stamp header.Stamp, want time.Time) bool {
	clock := header.Clock{Location: time.UTC, Year: 2026}
	sec, nsec, ok := clock.Read(stamp, want)
	if want.Year() < 1990 || want.Year() > 2200 {
		return !ok
	}
	return ok && sec == want.Unix() && int(nsec) == want.Nanosecond() || want.Year() == 1990 || want.Year() == 2200
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
