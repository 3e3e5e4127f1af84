package header

import (
	"encoding/binary"

	"github.com/pialert/pialert/agent/internal/value"
)

// Recent is what the header of the last RFC 3164 line was: the next line's differs only in
// its time and process, mostly, and need not be taken apart anew.
type Recent struct {
	day    uint64 // "Jan  5 "
	middle []byte // " host tag["
	host   []byte
	tag    []byte
}

// Host returns the host of the header that was kept.
func (r *Recent) Host() []byte { return r.host }

// Tag returns its tag.
func (r *Recent) Tag() []byte { return r.tag }

const (
	stampBytes = 15 // length of an RFC 3164 stamp
	dayBytes   = 7  // of its "Jan  5 "
)

// dayKey returns the first dayBytes of a line, to be compared at once.
func dayKey(line []byte) uint64 { return binary.LittleEndian.Uint64(line) << 8 }

// Keep remembers the header of a line and says so, if it has the plain form "Jan  5 01:31:41 host tag[pid]: ".
func (r *Recent) Keep(line []byte) bool {
	var m Message
	r.middle = r.middle[:0]
	if len(line) < stampBytes+4 || line[0] < 'A' || !m.Cut(line) || m.Stamp.Form != BSD || len(m.Stamp.Text) != stampBytes ||
		len(m.Host) == 0 || m.PAM != nil || stampedTwice(m.Tag) {
		return false
	}
	middle := 1 + len(m.Host) + 1 + len(m.Tag) + 1
	if len(line) < stampBytes+middle {
		return false
	}
	r.middle = append(r.middle, line[stampBytes:stampBytes+middle]...)
	r.host, r.tag = append(r.host[:0], m.Host...), append(r.tag[:0], m.Tag...)
	if string(r.middle) != " "+string(r.host)+" "+string(r.tag)+"[" {
		r.middle = r.middle[:0]
		return false
	}
	r.day = dayKey(line)
	return true
}

// Cut takes the header off a line that has the one that was kept. Where it cannot, [Message.Cut] can.
func (r *Recent) Cut(m *Message, line []byte) bool {
	at := stampBytes + len(r.middle)
	if len(r.middle) == 0 || len(line) < at+4 || string(line[stampBytes:at]) != string(r.middle) ||
		dayKey(line) != r.day || !value.IsTime(line[dayBytes:]) {
		return false
	}
	var pid uint32
	rest := line[at:]
	length := 0
	for length < len(rest) && value.Digit(rest[length]) {
		pid = pid*10 + uint32(rest[length]-'0')
		length++
	}
	if length == 0 || length > 9 || length+3 >= len(rest) || string(rest[length:length+3]) != "]: " {
		return false
	}
	body := rest[length+3:]
	if body[0] == ' ' || body[0] == '[' || body[0] == 'k' {
		return false
	}
	m.Host, m.Tag = r.host, r.tag
	m.Stamp = Stamp{BSD, line[:stampBytes]}
	m.PID, m.PAM, m.Body = pid, nil, TrimEnd(body)
	return true
}
