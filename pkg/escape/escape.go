// Package escape makes text fit to be shown: on a terminal, in a line of a log or as JSON.
//
// Names of files, what a peer, a daemon or ssh says, and whatever else somebody else wrote may hold
// control characters that move a terminal's cursor (C0, DEL, and C1 in UTF-8 and Latin-1: ECMA-48),
// marks that turn the direction of what follows (Unicode's bidirectional formatting characters), or
// bytes that are no UTF-8. None of them leaves this package as it came: each is written in Go's
// escapes, so that nothing is hidden either. What prints stays, in every script.
package escape

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Text returns text as one printable line.
func Text(text string) string {
	if Printable(text) {
		return text
	}
	var b strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, text[0])
		case strconv.IsPrint(r):
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		text = text[size:]
	}
	return b.String()
}

// Lines returns text as printable lines: line breaks stay.
func Lines(text string) string {
	if Printable(text) {
		return text
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = Text(line)
	}
	return strings.Join(lines, "\n")
}

// Printable says whether text can be shown as it is.
func Printable(text string) bool {
	for i := 0; i < len(text); {
		if c := text[i]; ' ' <= c && c < 0x7f {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		if r == utf8.RuneError && size == 1 || !strconv.IsPrint(r) {
			return false
		}
		i += size
	}
	return true
}

// JSON returns JSON text that means the same, with what does not print in its strings as \u
// escapes. Line breaks between its tokens stay. It works in place where it can.
func JSON(text []byte) []byte {
	for i := 0; i < len(text); {
		r, size := rune(text[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRune(text[i:])
		}
		if r == '\n' || strconv.IsPrint(r) && (r != utf8.RuneError || size > 1) {
			i += size
			continue
		}
		escaped := append([]byte(nil), text[:i]...)
		for ; i < len(text); i += size {
			if r, size = utf8.DecodeRune(text[i:]); r == '\n' || strconv.IsPrint(r) && (r != utf8.RuneError || size > 1) {
				escaped = append(escaped, text[i:i+size]...)
				continue
			}
			escaped = AppendJSON(escaped, r)
		}
		return escaped
	}
	return text
}

// JSONWriter writes JSON as [JSON] makes it. Each call takes whole characters, as encoding/json and log/slog
// hand them on.
type JSONWriter struct{ To io.Writer }

// Write implements [io.Writer].
func (w JSONWriter) Write(text []byte) (int, error) {
	if _, err := w.To.Write(JSON(text)); err != nil {
		return 0, err
	}
	return len(text), nil
}

// AppendJSON appends a character as JSON escapes it: \u and four digits, twice above U+FFFF.
func AppendJSON(b []byte, r rune) []byte {
	if r > 0xffff {
		r -= 0x10000
		return fmt.Appendf(b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
	}
	return fmt.Appendf(b, `\u%04x`, r)
}
