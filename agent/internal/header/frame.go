package header

import (
	"bytes"

	"github.com/pialert/pialert/agent/internal/value"
)

// Frame is a message of syslog as it came over a network, cut where its text begins. The parts point
// into the frame.
type Frame struct {
	Stamp Stamp  // None where the sender wrote no time
	Host  []byte // as the sender wrote it; empty if it did not
	Tag   []byte // of RFC 5424 only, which has it in a field of its own
	PID   uint32 // with it
	Text  []byte // what is left: of RFC 3164 from its tag on
}

// maxRelays bounds the headers that relays put before one another.
const maxRelays = 4

// CutFrame takes the header off a frame. The forms are those of RFC 5424, of RFC 3164 as rsyslog,
// syslog-ng, logger and the BSDs write it, with and without a host, also with a stamp of RFC 3339 in it;
// RouterOS' topics with and without a header; and those of Cisco, with a sequence number before and a
// year, a zone or a colon behind the time. What has none of them is all text, and not ok: such a frame
// starts with neither a priority nor a time.
func CutFrame(frame []byte) (f Frame, ok bool) {
	rest, prioritised := cutPriority(frame)
	if prioritised && len(rest) > 2 && rest[0] == '1' && rest[1] == ' ' {
		if f.cutRFC5424(rest[2:]) {
			return f, true
		}
		f = Frame{}
	}
	if prioritised {
		rest = cutSequence(bytes.TrimLeft(rest, " ")) // "<38> Nov 20 12:00:01"
	}
	length, form := stampLength(rest)
	if form == None {
		f.Text = bytes.TrimLeft(rest, " ")
		return f, prioritised
	}
	f.Stamp = Stamp{Form: form, Text: rest[:length]}
	for range maxRelays {
		rest = cutBehindStamp(rest[length:])
		f.cutHost(&rest)
		if length, form = stampLength(rest); form != BSD {
			break
		}
	}
	f.Text = rest
	return f, true
}

// cutHost takes off the host, unless a tag stands in its place.
func (f *Frame) cutHost(rest *[]byte) {
	var m Message
	text := *rest
	space := bytes.IndexByte(text, ' ')
	if space <= 0 || bytes.HasPrefix(text, lastMessage) || m.cutTag(text, false) {
		return
	}
	behind := bytes.TrimLeft(text[space:], " ")
	behind = bytes.TrimPrefix(behind, []byte(": ")) // "asa : %ASA-6-302013: "
	if len(behind) == 0 {
		return
	}
	f.Host, *rest = text[:space], behind
}

// cutRFC5424 reads the header of section 6 behind its version.
func (f *Frame) cutRFC5424(rest []byte) bool {
	var fields [5][]byte // TIMESTAMP HOSTNAME APP-NAME PROCID MSGID
	for i := range fields {
		space := bytes.IndexByte(rest, ' ')
		if space <= 0 {
			return false
		}
		if fields[i] = rest[:space]; isNil(fields[i]) {
			fields[i] = nil
		}
		rest = rest[space+1:]
	}
	text, ok := cutStructuredData(rest)
	if !ok {
		return false
	}
	if length, form := stampLength(fields[0]); form != None && length == len(fields[0]) {
		f.Stamp = Stamp{Form: form, Text: fields[0]}
	}
	pid, _ := value.Uint(fields[3])
	f.Host, f.Tag, f.PID = fields[1], fields[2], uint32(pid)
	f.Text = bytes.TrimPrefix(text, []byte("\ufeff"))
	return true
}

// cutSequence takes off "123: ", ": " and the sign of a clock that is not set ("*Nov 20"), which Cisco's
// devices put before the time.
func cutSequence(text []byte) []byte {
	n := 0
	for n < len(text) && n < 12 && value.Digit(text[n]) {
		n++
	}
	if n >= len(text) || text[n] != ':' {
		return text
	}
	rest := bytes.TrimLeft(text[n+1:], " ")
	if len(rest) > 0 && (rest[0] == '*' || rest[0] == '.') {
		rest = rest[1:]
	}
	if _, form := stampLength(rest); form == None {
		return text
	}
	return rest
}

// cutBehindStamp takes off what may stand between a time and the host: a zone (" UTC:"), a colon.
func cutBehindStamp(text []byte) []byte {
	rest := bytes.TrimLeft(text, " ")
	n := 0
	for n < len(rest) && n < 5 && 'A' <= rest[n] && rest[n] <= 'Z' {
		n++
	}
	if n >= 3 && n+1 < len(rest) && rest[n] == ':' && rest[n+1] == ' ' {
		rest = rest[n:]
	}
	if bytes.HasPrefix(rest, []byte(": ")) {
		rest = bytes.TrimLeft(rest[1:], " ")
	}
	return rest
}

// Nested says whether a text begins with what [Message.Cut] would take for a header of its own behind
// another header.
func Nested(text []byte) bool {
	_, form := stampLength(text)
	return form != None
}
