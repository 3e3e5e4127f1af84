package weblog

import (
	"bytes"
	"unicode/utf8"

	"github.com/pialert/pialert/agent/internal/value"
)

// maxRounds is how often escapes are decoded anew: %252e is . after two rounds.
const maxRounds = 3

// Normalise appends to dst what a logged target, referer or agent means to a server that is too
// kind, so that a pattern sees one spelling of it: escapes of the log (\x2e, \") and of URLs
// (%2e, %u002e) decoded, also those within others (%252e, %%32%65), overlong UTF-8 (%c0%ae) and
// plus signs of a query read as what they stand for, \ turned into / and letters lowered. It
// never writes more than len(text) bytes.
func Normalise(dst, text []byte) []byte {
	start := len(dst)
	dst = append(dst, text...)
	out := dst[start:]
	out = decode(out, '\\', inLog)
	out = decode(out, '#', inHAProxy)
	for range maxRounds {
		decoded := decode(out, '%', inURL)
		if len(decoded) == len(out) {
			break
		}
		out = decoded
	}
	query := false
	n := 0
	for i := 0; i < len(out); i++ {
		c := out[i]
		switch {
		case c == '+' && query:
			c = ' '
		case c == '?':
			query = true
		case c == '\\':
			c = '/'
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		case c >= 0xc0:
			if decoded, size := overlong(out[i:]); size > 0 {
				c = decoded
				i += size - 1
			}
		}
		out[n] = c
		n++
	}
	return dst[:start+n]
}

// decode replaces in place each escape, which begins with mark, by the byte that it stands for. meaning is given
// what is behind the mark, and returns that byte and how much of the rest belongs to the escape: nothing, if the
// mark stands for itself.
func decode(b []byte, mark byte, meaning func(rest []byte) (c byte, length int)) []byte {
	n := bytes.IndexByte(b, mark)
	if n < 0 {
		return b
	}
	for i := n; i < len(b); i++ {
		c := b[i]
		if c == mark {
			if meant, length := meaning(b[i+1:]); length > 0 {
				c = meant
				i += length
			}
		}
		b[n] = c
		n++
	}
	return b[:n]
}

// inLog knows what Apache and nginx escape by a backslash in a log: quotes, backslashes, and bytes as \xhh; and
// ASCII that JSON writes as \u00hh, which neither of the others does.
func inLog(rest []byte) (c byte, length int) {
	if len(rest) == 0 {
		return 0, 0
	}
	switch rest[0] {
	case '"', '\\', '/':
		return rest[0], 1
	case 't', 'n', 'r':
		return ' ', 1
	case 'x':
		if c, ok := hexByte(rest[1:]); ok {
			return c, 3
		}
	case 'u':
		if c, ok := unicodeEscape(rest); ok {
			return c, 5
		}
	}
	return 0, 0
}

// inHAProxy knows what HAProxy escapes as #HH: quotes and the like. No browser sends a # in a request.
func inHAProxy(rest []byte) (c byte, length int) {
	if c, ok := hexByte(rest); ok {
		return c, 2
	}
	return 0, 0
}

// inURL knows the percent escapes of a URL: %hh and %u00hh.
func inURL(rest []byte) (c byte, length int) {
	if c, ok := hexByte(rest); ok {
		return c, 2
	}
	if c, ok := unicodeEscape(rest); ok {
		return c, 5
	}
	return 0, 0
}

// unicodeEscape reads the u002e of %u002e, for characters that one byte holds.
func unicodeEscape(b []byte) (byte, bool) {
	if len(b) < 5 || b[0] != 'u' && b[0] != 'U' {
		return 0, false
	}
	high, ok := hexByte(b[1:])
	low, ok2 := hexByte(b[3:])
	return low, ok && ok2 && high == 0 && low < utf8.RuneSelf
}

func hexByte(b []byte) (byte, bool) {
	if len(b) < 2 {
		return 0, false
	}
	high, low := value.HexDigit(b[0]), value.HexDigit(b[1])
	return byte(high<<4 | low), high >= 0 && low >= 0
}

// overlong reads an ASCII character in two or three bytes of what looks like UTF-8, as decoders
// do that do not check: 0xc0 0xae is a dot.
func overlong(b []byte) (c byte, size int) {
	switch {
	case len(b) >= 2 && (b[0] == 0xc0 || b[0] == 0xc1) && b[1]&0xc0 == 0x80:
		c, size = b[0]&0x1f<<6|b[1]&0x3f, 2
	case len(b) >= 3 && b[0] == 0xe0 && (b[1] == 0x80 || b[1] == 0x81) && b[2]&0xc0 == 0x80:
		c, size = b[1]&0x1<<6|b[2]&0x3f, 3
	default:
		return 0, 0
	}
	if c >= 'A' && c <= 'Z' {
		c += 'a' - 'A'
	}
	if c == '\\' {
		c = '/'
	}
	return c, size
}

// Unescape undoes what Apache and nginx escape in a log, and nothing else: a user name as it was
// sent. Text without escapes is returned as it is.
func Unescape(text []byte) []byte {
	if bytes.IndexByte(text, '\\') < 0 {
		return text
	}
	return decode(bytes.Clone(text), '\\', inLog)
}
