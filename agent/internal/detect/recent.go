package detect

import "encoding/binary"

// recentHeader is what the header of the last RFC 3164 line was: the next line's differs only in
// its time and process, mostly, and need not be taken apart anew.
type recentHeader struct {
	day    uint64 // "Jan  5 "
	middle []byte // " host tag["
	host   []byte
	tag    []byte

	hash       uint64 // of the host
	candidates *candidates
}

const (
	stampBytes = 15 // length of an RFC 3164 stamp
	dayBytes   = 7  // of its "Jan  5 "
)

// dayKey returns the first dayBytes of a line, to be compared at once.
func dayKey(line []byte) uint64 { return binary.LittleEndian.Uint64(line) << 8 }

// keep remembers the header of a line and says so, if it has the plain form "Jan  5 01:31:41 host tag[pid]: ".
func (r *recentHeader) keep(line []byte) bool {
	var m message
	r.middle = r.middle[:0]
	if len(line) < stampBytes+4 || line[0] < 'A' || !m.cut(line) || m.stamp.form != stampBSD || len(m.stamp.text) != stampBytes ||
		len(m.host) == 0 || m.pam != nil {
		return false
	}
	middle := 1 + len(m.host) + 1 + len(m.tag) + 1
	if len(line) < stampBytes+middle {
		return false
	}
	r.middle = append(r.middle, line[stampBytes:stampBytes+middle]...)
	r.host, r.tag = append(r.host[:0], m.host...), append(r.tag[:0], m.tag...)
	if string(r.middle) != " "+string(r.host)+" "+string(r.tag)+"[" {
		r.middle = r.middle[:0]
		return false
	}
	r.day = dayKey(line)
	return true
}

// cut takes the header off a line that has the one that was kept. Where it cannot, message.cut can.
func (r *recentHeader) cut(m *message, line []byte) bool {
	at := stampBytes + len(r.middle)
	if len(r.middle) == 0 || len(line) < at+4 || string(line[stampBytes:at]) != string(r.middle) ||
		dayKey(line) != r.day || !clock(line[dayBytes:]) {
		return false
	}
	var pid uint32
	rest := line[at:]
	length := 0
	for length < len(rest) && digit(rest[length]) {
		pid = pid*10 + uint32(rest[length]-'0')
		length++
	}
	if length == 0 || length > 9 || length+3 >= len(rest) || string(rest[length:length+3]) != "]: " {
		return false
	}
	body := rest[length+3:]
	if body[0] == ' ' || body[0] == '[' {
		return false
	}
	if m.header != r {
		m.header, m.host, m.tag = r, r.host, r.tag
	}
	m.stamp = stamp{stampBSD, line[:stampBytes]}
	m.pid, m.pam, m.body = pid, nil, trimEnd(body)
	return true
}
