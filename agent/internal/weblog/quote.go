package weblog

import "bytes"

// closingQuote returns where the first quote without a backslash before it stands, or -1.
func closingQuote(text []byte) int {
	end := bytes.IndexByte(text, '"')
	if end > 0 && text[end-1] == '\\' {
		return unescapedQuote(text, 0)
	}
	return end
}

// unescapedQuote returns where the first quote without a backslash before it stands, or -1. Apache
// sets a backslash before quotes and backslashes in what clients send (util.c, ap_escape_logitem).
func unescapedQuote(text []byte, from int) int {
	for at := from; ; {
		n := bytes.IndexByte(text[at:], '"')
		if n < 0 {
			return -1
		}
		at += n
		if !escaped(text, from, at) {
			return at
		}
		at++
	}
}

// openingQuote returns the position after the last quote without a backslash before it, or 0.
func openingQuote(text []byte) int {
	for at := len(text); ; {
		at = bytes.LastIndexByte(text[:at], '"')
		if at < 0 {
			return 0
		}
		if !escaped(text, 0, at) {
			return at + 1
		}
	}
}

// escaped says whether an odd number of backslashes stands before a position.
func escaped(text []byte, from, at int) bool {
	start := at
	for start > from && text[start-1] == '\\' {
		start--
	}
	return (at-start)%2 == 1
}
