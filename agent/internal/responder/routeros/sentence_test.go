package routeros

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"maps"
	"strings"
	"testing"
	"time"
)

// The lengths that the documentation gives as examples of each encoding's bounds.
func TestWordLengths(t *testing.T) {
	for n, want := range map[int][]byte{
		1: {1}, 0x7f: {0x7f}, 0x80: {0x80, 0x80}, 0x3fff: {0xbf, 0xff}, 0x4000: {0xc0, 0x40, 0}, 0x1fffff: {0xdf, 0xff, 0xff},
		0x200000: {0xe0, 0x20, 0, 0},
	} {
		var out bytes.Buffer
		w := bufio.NewWriter(&out)
		writeWord(w, strings.Repeat("x", n))
		w.Flush()
		if got := out.Bytes()[:len(want)]; !bytes.Equal(got, want) || out.Len() != len(want)+n {
			t.Errorf("%d bytes begin with % x, want % x", n, got, want)
		}
		word, err := readWord(bufio.NewReader(&out))
		if tooLong := n > maxWord; tooLong != (err != nil) || err == nil && len(word) != n {
			t.Errorf("%d bytes: read %d, %v", n, len(word), err)
		}
	}
}

func TestReplies(t *testing.T) {
	for in, want := range map[string]reply{
		"\x03!re\x08=.id=*1A\x0a=comment==\x07.tag=x1\x00": {"!re", map[string]string{".id": "*1A", "comment": "=", ".tag": "x1"}, ""},
		"\x00\x00\x06!fatal\x0dnot logged in\x00":          {"!fatal", map[string]string{}, "not logged in"},
		"\x06!empty\x00": {"!empty", map[string]string{}, ""},
	} {
		got, err := readReply(bufio.NewReader(strings.NewReader(in)))
		if err != nil || got.word != want.word || got.text != want.text || !maps.Equal(got.values, want.values) {
			t.Errorf("%q: %+v, %v", in, got, err)
		}
	}
	for _, in := range []string{"\x03!r", "\x03!re", "\xf8", "\xf0\xff\xff\xff\xff", "\xe0\x10\x00\x00", strings.Repeat("\x01x", 300)} {
		if got, err := readReply(bufio.NewReader(strings.NewReader(in))); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%q: %+v, %v", in, got, err)
		}
	}
}

func TestSpans(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"5s": 5 * time.Second, "1h": time.Hour, "1d2h3m4s": 26*time.Hour + 3*time.Minute + 4*time.Second, "1w": 7 * 24 * time.Hour,
		"1w2d03:04:05": 9*24*time.Hour + 3*time.Hour + 4*time.Minute + 5*time.Second, "00:00:07": 7 * time.Second,
	} {
		if got, ok := parseSpan(text); !ok || got != want {
			t.Errorf("%q: %s, %t; want %s", text, got, ok, want)
		}
		if got, ok := parseSpan(formatSpan(want)); !ok || got != want {
			t.Errorf("%s is written as %q", want, formatSpan(want))
		}
	}
	for _, text := range []string{"", "x", "5", "5s4m", "1h-2m", "99999999999w", "1:2", "999999999w"} {
		if got, ok := parseSpan(text); ok {
			t.Errorf("%q: %s", text, got)
		}
	}
	if got := formatSpan(0); got != "1s" {
		t.Errorf("nothing is %q, which is for ever", got)
	}
	if got := formatSpan(1500 * time.Millisecond); got != "2s" {
		t.Errorf("1.5s is %q", got)
	}
}

// Nothing that a router sends breaks the client, or takes more memory than the bounds allow; what it
// understands it writes so that it understands it again.
func FuzzReply(f *testing.F) {
	f.Add([]byte("\x03!re\x08=.id=*1A\x07.tag=x1\x00"))
	f.Add([]byte("\x05!trap\x80\x90=message=" + strings.Repeat("x", 200) + "\x00"))
	f.Add([]byte("\xf0\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, in []byte) {
		one, err := readReply(bufio.NewReader(bytes.NewReader(in)))
		if err != nil {
			return
		}
		var out bytes.Buffer
		w := bufio.NewWriter(&out)
		words := []string{one.word}
		for key, value := range one.values {
			if key == ".tag" {
				words = append(words, ".tag="+value)
			} else {
				words = append(words, "="+key+"="+value)
			}
		}
		writeSentence(w, words...)
		w.Flush()
		again, err := readReply(bufio.NewReader(&out))
		if err != nil || again.word != one.word || !maps.Equal(again.values, one.values) {
			t.Fatalf("%+v becomes %+v, %v", one, again, err)
		}
		parseSpan(one.values["timeout"])
	})
}
