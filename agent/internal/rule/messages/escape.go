package messages

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Escapes lists how daemons write what a client sent.
func Escapes() []string { return slices.Sorted(maps.Keys(escapes)) }

var escapes = map[string]func(string) string{
	"none":         func(text string) string { return text },
	"vis":          vis,
	"postfix":      printable,
	"exim":         printing,
	"dovecot":      sanitized,
	"apache":       func(text string) string { return hexadecimal(text, "\\\"") },
	"apache-error": func(text string) string { return hexadecimal(text, "\\") }, // of error logs: quotes as they are
	"json":         quoted,
	"csv":          func(text string) string { return strings.ReplaceAll(text, `"`, `""`) },
}

// vis is what OpenSSH's log.c asks strnvis for: VIS_CSTYLE, VIS_NL, VIS_TAB and VIS_OCTAL, which
// leaves printable ASCII and blanks, doubles the backslash and writes the rest in octal.
func vis(text string) string {
	var b strings.Builder
	for i := range len(text) {
		switch c := text[i]; {
		case c == '\\':
			b.WriteString(`\\`)
		case ' ' <= c && c < 0x7f:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, `\%03o`, c)
		}
	}
	return b.String()
}

// printable is postfix' function of that name: each byte that is not printable ASCII becomes a
// question mark.
func printable(text string) string {
	masked := []byte(text)
	for i, c := range masked {
		if c < ' ' || c >= 0x7f {
			masked[i] = '?'
		}
	}
	return string(masked)
}

// printing is exim's string_printing: octal for what the C locale does not print, and a doubled
// backslash.
func printing(text string) string {
	short := strings.NewReplacer("\\", `\\`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "\b", `\b`, "\v", `\v`, "\f", `\f`)
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; c >= 0x7f || c < ' ' && !strings.ContainsRune("\n\r\t\b\v\f", rune(c)) {
			fmt.Fprintf(&b, `\%03o`, c)
		} else {
			b.WriteString(short.Replace(text[i : i+1]))
		}
	}
	return b.String()
}

// sanitized is dovecot's str_sanitize_utf8: control characters and what is no UTF-8 are replaced.
func sanitized(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			r = '?'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// hexadecimal is ap_escape_logitem of Apache: quoted characters get a backslash, control characters
// their letter or \xHH.
func hexadecimal(text, quote string) string {
	var b strings.Builder
	for i := range len(text) {
		switch c := text[i]; {
		case strings.IndexByte(quote, c) >= 0:
			b.WriteByte('\\')
			b.WriteByte(c)
		case strings.IndexByte("\b\n\r\t\v", c) >= 0:
			b.WriteByte('\\')
			b.WriteByte("bnrtv"[strings.IndexByte("\b\n\r\t\v", c)])
		case ' ' <= c && c < 0x7f:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, `\x%02x`, c)
		}
	}
	return b.String()
}

// quoted is a text within the quotes of JSON.
func quoted(text string) string {
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(text, "\ufffd") {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r < ' ' || r == '<' || r == '>' || r == '&':
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
