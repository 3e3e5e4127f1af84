package syslog

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// read reads a stream that comes in pieces of the given sizes, the last of them as often as needed, and
// as if nothing came for a while after each piece if pauses is set.
func read(stream string, pauses bool, sizes ...int) (messages []string, f framer) {
	var pending []byte
	take := func(ends outlook) {
		for {
			message, done, ok := f.next(pending, ends)
			pending = pending[done:]
			if !ok {
				break
			}
			messages = append(messages, string(message))
		}
		if len(pending) > maxPending {
			panic("too much is pending")
		}
	}
	for i := 0; len(stream) > 0; i++ {
		n := min(sizes[min(i, len(sizes)-1)], len(stream))
		pending = append(pending, stream[:n]...)
		stream = stream[n:]
		take(more)
		if pauses {
			take(quiet)
		}
	}
	take(closed)
	return messages, f
}

func TestFrames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", MaxFrame+1)
	for _, test := range []struct {
		name, stream string
		want         []string
		truncated    uint64
	}{
		{"newlines", "<38>a\n<38>b\n", []string{"<38>a", "<38>b"}, 0},
		{"carriage returns", "<38>a\r\n<38>b\r\n", []string{"<38>a", "<38>b"}, 0},
		{"NUL bytes", "<38>a\x00<38>b\x00", []string{"<38>a", "<38>b"}, 0},
		{"counts", "5 <38>a6 <38>bb", []string{"<38>a", "<38>bb"}, 0},
		{"a newline in a counted message", "7 <38>a\nb5 <38>c", []string{"<38>a\nb", "<38>c"}, 0},
		{"a newline behind a counted message", "5 <38>a\n<38>b\n", []string{"<38>a", "", "<38>b"}, 0},
		{"all by turns", "5 <38>a<38>b\n5 <38>c<38>d\x005 <38>e", []string{"<38>a", "<38>b", "<38>c", "<38>d\x005 <38>e"}, 0},
		{"a NUL in a line", "<38>a\x00b\n<38>c\n", []string{"<38>a\x00b", "<38>c"}, 0},
		{"a NUL and a priority in a line of one who ends lines", "<38>a\n<38>b\x00<38>c\n", []string{"<38>a", "<38>b\x00<38>c"}, 0},
		{"no end", "<38>a", []string{"<38>a"}, 0},
		{"a count without its message", "50 <38>a", []string{"<38>a"}, 0},
		{"text that begins with a number", "2026-11-20T12:00:00Z web sshd: x\n12 monkeys\n", []string{"2026-11-20T12:00:00Z web sshd: x", "12 monkeys"}, 0},
		{"a number too long for a count", "123456789 <38>a\n<38>b\n", []string{"123456789 <38>a", "<38>b"}, 0},
		{"only a number", "123", []string{"123"}, 0},
		{"too long", "<38>" + long + "\n<38>b\n", []string{"<38>" + long[:MaxFrame-4], "<38>b"}, 1},
		{"as long as may be", long[1:] + "\n<38>b\n", []string{long[1:], "<38>b"}, 0},
		{"counted and too long", fmt.Sprint(MaxFrame+5, " <38>", long, "5 <38>b"), []string{"<38>" + long[:MaxFrame-4], "<38>b"}, 1},
		{"empty lines", "\n\n<38>a\n", []string{"", "", "<38>a"}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, size := range []int{1, 2, 3, 7, 4096, 1 << 20} {
				if size < 8 && len(test.stream) > MaxFrame {
					continue
				}
				messages, f := read(test.stream, false, size)
				if !slices.Equal(messages, test.want) || f.truncated != test.truncated {
					t.Fatalf("in pieces of %d: %.200q, %d truncated, want %.200q, %d", size, messages, f.truncated, test.want, test.truncated)
				}
			}
		})
	}
}

// Who ends messages by a NUL is not kept waiting for the next one.
func TestAPauseEndsAMessage(t *testing.T) {
	t.Parallel()
	var f framer
	data := []byte("<38>a\x00")
	if _, _, ok := f.next(data, more); ok {
		t.Error("a NUL ended a message that may go on")
	}
	if message, done, ok := f.next(data, quiet); !ok || string(message) != "<38>a" || done != len(data) {
		t.Errorf("after a pause: %q, %d, %v", message, done, ok)
	}
	for _, half := range []string{"<38>a", "12 <38>a", "12"} {
		if _, _, ok := f.next([]byte(half), quiet); ok {
			t.Errorf("a pause ended %q", half)
		}
	}
}

// FuzzFrames holds that pieces do not matter, and that nothing but ends, counts and what is too long
// disappears.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("5 <38>a<38>b\n<38>c\x00"), uint64(1))
	f.Add([]byte("99999 <38>a"), uint64(2))
	f.Fuzz(func(t *testing.T, stream []byte, seed uint64) {
		whole, _ := read(string(stream), false, len(stream)+1)
		random := rand.New(rand.NewPCG(seed, 0))
		var sizes []int
		for range 64 {
			sizes = append(sizes, 1+random.IntN(16))
		}
		pieces, _ := read(string(stream), false, append(sizes, 1<<16)...)
		if !slices.Equal(whole, pieces) {
			t.Errorf("%q is %q at once and %q in pieces", stream, whole, pieces)
		}
		if len(stream) > MaxFrame {
			return
		}
		// Every byte of the stream is in a message, in order, or an end or a count.
		rest := stream
		for _, message := range whole {
			at := bytes.Index(rest, []byte(message))
			if at < 0 {
				t.Fatalf("%q is not in %q", message, rest)
			}
			for _, c := range rest[:at] {
				if c != '\n' && c != '\r' && c != 0 && c != ' ' && (c < '0' || c > '9') {
					t.Fatalf("%q of %q is lost", rest[:at], stream)
				}
			}
			rest = rest[at+len(message):]
		}
	})
}
