package weblog

import (
	"bytes"

	"github.com/pialert/pialert/agent/internal/value"
)

// take returns how much of the front of text belongs to the token.
func (t *token) take(text []byte) (int, bool) {
	if t.literal != "" {
		n := len(t.literal)
		return n, len(text) >= n && string(text[:n]) == t.literal
	}
	switch t.shape {
	case quoted:
		end := unescapedQuote(text, 0)
		return end, end >= 0
	case stamp:
		end := bytes.IndexByte(text, ']')
		return end, end >= 0
	case number:
		if t.after == "" && len(text) > 3 && text[3] == ' ' && isStatus(text) { // as nearly always
			return 3, true
		}
	}
	if t.last {
		return len(text), true
	}
	if len(text) > 1 && text[0] == '-' && text[1] == ' ' && t.after == "" {
		return 1, true // not known
	}
	// A word ends at a space, or before the literal that follows in it: the last time that it
	// does, since host names may hold colons.
	end := bytes.IndexByte(text, ' ')
	if end < 0 {
		end = len(text)
	}
	if t.after != "" {
		if end = lastIndex(text[:end], t.after); end < 0 {
			return 0, false
		}
	}
	return end, end > 0 && (t.shape != number || isNumber(text[:end]))
}

// lastIndex is bytes.LastIndex for short words.
func lastIndex(text []byte, word string) int {
	for at := len(text) - len(word); at >= 0; at-- {
		if string(text[at:at+len(word)]) == word {
			return at
		}
	}
	return -1
}

// takeBack returns where the end of text that belongs to the token starts.
func (t *token) takeBack(text []byte) (int, bool) {
	if t.literal != "" {
		start := len(text) - len(t.literal)
		return start, start >= 0 && string(text[start:]) == t.literal
	}
	switch t.shape {
	case quoted:
		start := openingQuote(text)
		return start, start > 0
	case stamp:
		start := bytes.LastIndexByte(text, '[')
		return start + 1, start >= 0
	}
	start := bytes.LastIndexByte(text, ' ') + 1
	if t.before != "" {
		_, after, ok := bytes.Cut(text[start:], []byte(t.before))
		if !ok {
			return 0, false
		}
		start = len(text) - len(after)
	}
	return start, start < len(text) && (t.shape != number || isNumber(text[start:]))
}

// isNone says whether a field is the - for what is not known.
func isNone(text []byte) bool { return len(text) == 1 && text[0] == '-' }

// isStatus says whether three digits stand at the front of a text that has as many bytes.
func isStatus(text []byte) bool {
	return value.Digit(text[0]) && value.Digit(text[1]) && value.Digit(text[2])
}

// statusOf returns the number of three digits.
func statusOf(text []byte) uint16 {
	return uint16(text[0])*100 + uint16(text[1])*10 + uint16(text[2]) - '0'*111
}

func isNumber(b []byte) bool {
	if len(b) == 1 && b[0] == '-' {
		return true
	}
	_, ok := value.Int(b, 1<<31-1)
	return ok
}

// set gives a field its text, and says whether the text can be of that field.
func (a *Access) set(f field, text []byte) bool {
	if isNone(text) {
		return f != client && f != when
	}
	switch f {
	case client:
		if addr, ok := value.IPv4(text); ok { // as nearly always
			a.Client.Addr = addr
			return true
		}
		c, ok := value.ParsePeer(text)
		if !ok {
			c, ok = value.ParsePeerPort(text)
		}
		c.Port |= a.Client.Port
		a.Client = c
		return ok
	case forwarded: // what the client sent comes first, what the nearest proxy added last
		last := bytes.TrimSpace(text[bytes.LastIndexByte(text, ',')+1:])
		c, ok := value.ParsePeer(last)
		for i, b := range text { // the only spaces are those of the list
			ok = ok && (b != ' ' || i > 0 && text[i-1] == ',')
		}
		c.Port = a.Client.Port
		a.Client = c
		return ok
	case clientPort:
		port, ok := value.Port(text)
		a.Client.Port = port
		return ok
	case vhost:
		a.Host = text
	case user:
		a.User = text
	case when:
		a.Stamp = text
		return looksLikeStamp(text)
	case request:
		a.parseRequest(text)
	case method:
		a.Method = text
	case target:
		a.Target = text
	case query: // %q starts with its question mark and follows %U at once or not at all
		if a.Target == nil {
			a.Target = text
		}
	case protocol:
		a.Proto = text
	case status:
		if len(text) == 3 && isStatus(text) {
			a.Status = statusOf(text)
			return true
		}
		n, ok := value.Int(text, 999)
		a.Status = uint16(n)
		return ok
	case referer:
		a.Referer = text
	case agent:
		a.Agent = text
	}
	return true
}

// looksLikeStamp tells times as [Clock.Access] reads them, with a zone, a space or nothing at
// their end, from other text in brackets.
func looksLikeStamp(b []byte) bool {
	const length = len("02/Jan/2006:15:04:05")
	return len(b) >= length && len(b) <= length+len(" +0000") &&
		b[2] == '/' && b[6] == '/' && b[11] == ':' && b[14] == ':' && b[17] == ':'
}
