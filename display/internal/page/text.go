package page

import (
	"html/template"
	"strings"
	"unicode/utf8"

	"github.com/pialert/pialert/pkg/escape"
)

// shown makes visible what an attacker wrote: what does not print, or would reorder the line that
// it stands in, becomes an escape that is marked as such, so that nobody takes it for a
// backslash. It is HTML, escaped.
func shown(text string) template.HTML {
	var b strings.Builder
	clean := 0 // where the part begins that is printed as it is
	for at := 0; at < len(text); {
		_, size := utf8.DecodeRuneInString(text[at:])
		if char := text[at : at+size]; !escape.Printable(char) {
			template.HTMLEscape(&b, []byte(text[clean:at]))
			b.WriteString(`<span class="escape">`)
			b.WriteString(escape.Text(char))
			b.WriteString(`</span>`)
			clean = at + size
		}
		at += size
	}
	template.HTMLEscape(&b, []byte(text[clean:]))
	return template.HTML(b.String())
}

// printable leaves out what does not print, where no mark can stand: in a field of a form.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !escape.Printable(string(r)) {
			return -1
		}
		return r
	}, text)
}
