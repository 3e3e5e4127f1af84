package channel_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/pialert/pialert/display/internal/notice/channel"
)

func TestText(t *testing.T) {
	m := channel.Message{
		Subject: "not in the body",
		Lines:   []string{"412 attempts in 10 minutes on web1."},
		Tables:  []channel.Table{{Title: "Sources", Rows: []channel.Row{{Name: "203.0.113.7", Count: 400}, {Name: "2001:db8::7", Count: 12}}}},
		Bars:    &channel.Bars{From: time.Date(2026, 11, 20, 22, 0, 0, 0, time.UTC), Step: time.Hour, Counts: []uint64{0, 1, 8, 4}},
		Link:    "https://pi.example.org/",
	}
	want := `412 attempts in 10 minutes on web1.

Sources
     400  203.0.113.7
      12  2001:db8::7

22:00 ·▁█▄ 02:00

https://pi.example.org/
`
	if got := m.Text(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestBars(t *testing.T) {
	for name, test := range map[string]struct {
		counts []uint64
		want   string
	}{
		"nothing":      {nil, "00:00  00:00"},
		"all quiet":    {[]uint64{0, 0}, "00:00 ·· 02:00"},
		"one":          {[]uint64{1}, "00:00 █ 01:00"},
		"in eighths":   {[]uint64{1, 2, 3, 4, 5, 6, 7, 8}, "00:00 ▁▂▃▄▅▆▇█ 08:00"},
		"few and many": {[]uint64{1, 1_000_000_000_000}, "00:00 ▁█ 02:00"},
	} {
		bars := channel.Bars{From: time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC), Step: time.Hour, Counts: test.counts}
		if got := bars.String(); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestCut(t *testing.T) {
	for _, test := range []struct {
		text string
		n    int
		want string
	}{
		{"short", 5, "short"},
		{"longer", 5, "lo…"},
		{"ääää", 7, "ää…"},
		{"ääää", 6, "ä…"},
		{"abc", 2, "…"},
	} {
		if got := channel.Cut(test.text, test.n); got != test.want {
			t.Errorf("Cut(%q, %d) = %q, want %q", test.text, test.n, got, test.want)
		}
	}
	if cut := channel.Cut(strings.Repeat("€", 100), 100); len(cut) > 100 || !utf8.ValidString(cut) {
		t.Errorf("%d bytes: %q", len(cut), cut)
	}
}

func TestOneLine(t *testing.T) {
	hostile := "550 no\r\nBcc: eve@example.org\x00\x1b[2J\u202e\u0085 " + strings.Repeat("x", 500)
	got := channel.OneLine(hostile)
	if strings.ContainsAny(got, "\r\n\x00\x1b\u202e\u0085") || len(got) > 200 {
		t.Errorf("%q", got)
	}
	if want := "550 no Bcc: eve@example.org [2J xxx"; !strings.HasPrefix(got, want) {
		t.Errorf("%q, want %q first", got, want)
	}
}
