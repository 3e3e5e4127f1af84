package page

import (
	"html/template"
	"strconv"
	"strings"
	"unicode/utf8"
)

// shown makes visible what an attacker wrote: what does not print, or would reorder the line that
// it stands in, becomes an escape that is marked as such, so that nobody takes it for a
// backslash. It is HTML, escaped.
func shown(text string) template.HTML {
	var b strings.Builder
	clean := 0 // where the part begins that is printed as it is
	for at := 0; at < len(text); {
		r, size := utf8.DecodeRuneInString(text[at:])
		if r == utf8.RuneError && size == 1 || !strconv.IsPrint(r) {
			template.HTMLEscape(&b, []byte(text[clean:at]))
			b.WriteString(`<span class="escape">`)
			b.WriteString(escape(r, text[at:at+size]))
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
		if !strconv.IsPrint(r) || r == utf8.RuneError {
			return -1
		}
		return r
	}, text)
}

// escape writes a rune as Go does: \t, \x00, \u202e.
func escape(r rune, raw string) string {
	if r == utf8.RuneError && len(raw) == 1 {
		return `\x` + strconv.FormatUint(uint64(raw[0])|0x100, 16)[1:]
	}
	quoted := strconv.QuoteRuneToASCII(r)
	return quoted[1 : len(quoted)-1]
}
