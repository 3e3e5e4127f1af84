package header

import (
	"bytes"

	"github.com/pialert/pialert/agent/internal/value"
)

// cutRFC5424 takes off the header of RFC 5424 section 6 behind its version.
func (m *Message) cutRFC5424(rest []byte) bool {
	var fields [5][]byte // TIMESTAMP HOSTNAME APP-NAME PROCID MSGID
	for i := range fields {
		space := bytes.IndexByte(rest, ' ')
		if space <= 0 {
			return false
		}
		fields[i], rest = rest[:space], rest[space+1:]
	}
	length, form := stampLength(fields[0])
	if form != None && length == len(fields[0]) {
		m.Stamp = Stamp{Form: form, Text: fields[0]}
	}
	if !isNil(fields[1]) {
		m.Host = fields[1]
	}
	if isNil(fields[2]) {
		return false
	}
	pid, _ := value.Uint(fields[3])
	m.PID = uint32(pid)
	rest, ok := cutStructuredData(rest)
	return ok && m.finish(withoutSite(fields[2]), bytes.TrimPrefix(rest, []byte("\ufeff")))
}

func isNil(field []byte) bool { return len(field) == 1 && field[0] == '-' }

// cutStructuredData skips "-" or any number of [...] groups, in which a quoted value may hold
// brackets and spaces, and escapes with a backslash.
func cutStructuredData(rest []byte) ([]byte, bool) {
	if len(rest) > 0 && rest[0] == '-' {
		return bytes.TrimPrefix(rest[1:], []byte(" ")), true
	}
	for len(rest) > 0 && rest[0] == '[' {
		end := endOfGroup(rest)
		if end < 0 {
			return nil, false
		}
		rest = rest[end:]
	}
	return bytes.TrimPrefix(rest, []byte(" ")), true
}

func endOfGroup(rest []byte) int {
	quoted := false
	for i := 1; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++
		case '"':
			quoted = !quoted
		case ']':
			if !quoted {
				return i + 1
			}
		}
	}
	return -1
}
