package escape_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/pialert/pialert/pkg/escape"
)

func TestText(t *testing.T) {
	for text, want := range map[string]string{
		"":                      "",
		"/var/log/auth.log":     "/var/log/auth.log",
		"Grüße, 世界 🎉":           "Grüße, 世界 🎉",
		"a\nb\tc\x00":           `a\nb\tc\x00`,
		"\x1b[2J\x7f":           `\x1b[2J\x7f`,
		"\u009b2J":              `\u009b2J`,          // CSI as one C1 control in UTF-8
		"\x9b2J":                `\x9b2J`,            // the same in Latin-1, no UTF-8
		"user\u202egnp.exe":     `user\u202egnp.exe`, // right-to-left override
		"a\u2066b\u2069\u200f":  `a\u2066b\u2069\u200f`,
		"\ufeff\u2028\u00ad":    `\ufeff\u2028\u00ad`,
		"tag \U000e0041 hidden": `tag \U000e0041 hidden`,
		"\ufffd is a character": "\ufffd is a character",
	} {
		if got := escape.Text(text); got != want {
			t.Errorf("%+q is shown as %+q, want %+q", text, got, want)
		}
	}
}

// Whatever goes in, no control, formatting or line-breaking character comes out.
func TestNothingUnprintableComesOut(t *testing.T) {
	for r := range rune(unicode.MaxRune) + 1 {
		for _, shown := range escape.Text("a" + string(r) + "b") {
			if !unicode.IsPrint(shown) {
				t.Fatalf("%U is shown as %U", r, shown)
			}
		}
		text, err := json.Marshal("a" + string(r) + "b")
		if err != nil {
			t.Fatal(err)
		}
		shown := escape.JSON(text)
		var back string
		if err := json.Unmarshal(shown, &back); err != nil || back != strings.ToValidUTF8("a"+string(r)+"b", "\ufffd") {
			t.Fatalf("%U comes back as %+q, error %v", r, back, err)
		}
		for _, c := range string(shown) {
			if !unicode.IsPrint(c) {
				t.Fatalf("%U is shown in JSON as %s", r, shown)
			}
		}
	}
}

func TestLines(t *testing.T) {
	for text, want := range map[string]string{"": "", "one": "one", "a\x1b\nb\u202e\n": "a\\x1b\nb\\u202e\n"} {
		if got := escape.Lines(text); got != want {
			t.Errorf("%+q is shown as %+q, want %+q", text, got, want)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add("plain")
	f.Add("\x9b\u202e\xff")
	f.Fuzz(func(t *testing.T, text string) {
		shown := escape.Text(text)
		if !utf8.ValidString(shown) || !escape.Printable(shown) {
			t.Fatalf("%+q is shown as %+q", text, shown)
		}
		if escape.Printable(text) && shown != text {
			t.Fatalf("%q was changed to %q", text, shown)
		}
		escape.JSON([]byte(text))
	})
}
