package syslog

import (
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/agent/internal/header"
)

var received = time.Date(2026, 11, 20, 12, 0, 1, 0, time.UTC)

func TestLines(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, message, bySender, byHeader string
	}{
		{"3164", "<38>Nov 20 12:00:00 web sshd[7]: x\n", "Nov 20 12:00:00 S sshd[7]: x", "Nov 20 12:00:00 S/web sshd[7]: x"},
		{"without a host", "<38>Nov 20 12:00:00 sshd[7]: x", "Nov 20 12:00:00 S sshd[7]: x", "Nov 20 12:00:00 S sshd[7]: x"},
		{"5424", "<38>1 2026-11-20T12:00:00Z web sshd 7 - - x", "2026-11-20T12:00:00Z S sshd[7]: x", "2026-11-20T12:00:00Z S/web sshd[7]: x"},
		{"5424 of nobody", "<38>1 - - - - - - x", "2026-11-20T12:00:01Z S x", "2026-11-20T12:00:01Z S x"},
		{"RouterOS", "<30>system,error,critical login failure", "2026-11-20T12:00:01Z S system,error,critical login failure",
			"2026-11-20T12:00:01Z S system,error,critical login failure"},
		{"a newline and a NUL", "<38>Nov 20 12:00:00 web sshd[7]: a\nb\x00c", "Nov 20 12:00:00 S sshd[7]: a#012b\x00c", "Nov 20 12:00:00 S/web sshd[7]: a#012b\x00c"},
		{"a host that is none", "<38>1 - a(b:/[ ssh\x01d - - - x", "2026-11-20T12:00:01Z S ssh_d: x", "2026-11-20T12:00:01Z S/a_b:__ ssh_d: x"},
		{"only text", "hello", "2026-11-20T12:00:01Z S hello", "2026-11-20T12:00:01Z S hello"},
		{"text that looks like a header", "<38>1 - - - - - - Nov 20 12:00:00 S2 sshd[7]: x", "2026-11-20T12:00:01Z S syslog: Nov 20 12:00:00 S2 sshd[7]: x",
			"2026-11-20T12:00:01Z S syslog: Nov 20 12:00:00 S2 sshd[7]: x"},
		{"nothing", "<38>\r\n", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for byHeader, want := range map[bool]string{false: test.bySender, true: test.byHeader} {
				w := writer{byHeader: byHeader}
				got, _ := w.append(nil, []byte(test.message), []byte("S"), received)
				if strings.TrimSuffix(string(got), "\n") != want || len(got) > 0 && got[len(got)-1] != '\n' {
					t.Errorf("by header %v: %q, want %q", byHeader, got, want)
				}
			}
		})
	}
}

// FuzzLines holds that a message is one line, and that whoever reads the line's header finds the sender
// in it, whatever the message says.
func FuzzLines(f *testing.F) {
	for _, seed := range []string{
		"<38>Nov 20 12:00:00 web sshd[7]: x", "<38>1 2026-11-20T12:00:00Z web sshd 7 - - x", "<30>system,error login failure", "\nNov 20 12:00:00 ",
		"Nov 20 12:00:00 Nov 20 12:00:00 Nov 20 12:00:00 Nov 20 12:00:00 Nov 20 12:00:00 a b: c", "<0>local0.info x: y", "<0>last message repeated 3 times",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		for _, byHeader := range []bool{false, true} {
			w := writer{byHeader: byHeader}
			line, _ := w.append(nil, message, []byte("192.0.2.1"), received)
			if len(line) == 0 {
				continue
			}
			if strings.Count(string(line), "\n") != 1 {
				t.Fatalf("%q is more than one line", line)
			}
			var m header.Message
			if !m.Cut(line[:len(line)-1]) {
				continue
			}
			if host, _, _ := strings.Cut(string(m.Host), "/"); host != "192.0.2.1" || m.Stamp.Form == header.None {
				t.Errorf("%q becomes %q, which is of %q", message, line, m.Host)
			}
		}
	})
}
