package page

import (
	"html"
	"strings"
	"testing"
	"unicode"
)

func TestWhatDoesNotPrintIsMadeVisible(t *testing.T) {
	for text, want := range map[string]string{
		"root":                      "root",
		"Jürgen 管理员":                "Jürgen 管理员",
		`back\x00slash`:             `back\x00slash`,
		"nul\x00":                   `nul<span class="escape">\x00</span>`,
		"bad\xff utf8":              `bad<span class="escape">\xff</span> utf8`,
		"a\u202egpj.exe":            `a<span class="escape">\u202e</span>gpj.exe`,
		"line\nbreak\ttab":          `line<span class="escape">\n</span>break<span class="escape">\t</span>tab`,
		"<script>alert(1)</script>": "&lt;script&gt;alert(1)&lt;/script&gt;",
		`"'><img onerror=x>`:        "&#34;&#39;&gt;&lt;img onerror=x&gt;",
		"\U000e0041tag":             `<span class="escape">\U000e0041</span>tag`,
	} {
		if got := string(shown(text)); got != want {
			t.Errorf("shown(%q) = %s, want %s", text, got, want)
		}
	}
}

// Whatever the text, its HTML has no tag but the mark of an escape, and no character that a reader
// cannot see.
func FuzzShown(f *testing.F) {
	for _, seed := range []string{"root", "\x00\u202e<b>", "&amp;", strings.Repeat("a\xff", 500), "<span class=\"escape\">"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		made := string(shown(text))
		plain := strings.ReplaceAll(strings.ReplaceAll(made, `<span class="escape">`, ""), "</span>", "")
		if strings.ContainsAny(plain, `<>"'`) {
			t.Fatalf("shown(%q) has markup: %s", text, made)
		}
		for _, r := range html.UnescapeString(plain) {
			if !unicode.IsPrint(r) {
				t.Fatalf("shown(%q) has %U", text, r)
			}
		}
	})
}
