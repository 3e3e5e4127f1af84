package header

import (
	"encoding/binary"

	"github.com/pialert/pialert/agent/internal/value"
)

// Recent is what the header of the last RFC 3164 or RFC 3339 line was: the next line's differs only in
// its time and process, mostly, and need not be taken apart anew.
type Recent struct {
	stamp  Stamp  // Text is a copy
	day    uint64 // "Jan  5 " or "2025-01-"
	zone   int    // where the stamp's fraction ends and its zone begins, if it can have one
	clock  int    // where its time stands
	tag    []byte
	middle middle

	hostEnd, length int // where the host and the middle end; 0 if none is kept
}

// middle is the " host tag[" behind a stamp: its first and its last eight bytes, to be compared at once, which are the same ones in
// part where it has less than sixteen, and what is between them where it has more.
type middle struct {
	first, last uint64
	between     []byte
}

// shortestMiddle is how many bytes a middle has at least.
const shortestMiddle = 8

// isOf says whether a text is the one whose middle it is, but for the length.
func (m *middle) isOf(text []byte) bool {
	return binary.LittleEndian.Uint64(text) == m.first && binary.LittleEndian.Uint64(text[len(text)-8:]) == m.last &&
		(len(m.between) == 0 || string(text[8:len(text)-8]) == string(m.between))
}

// Tag returns its tag.
func (r *Recent) Tag() []byte { return r.tag }

// StampLength returns the length of its stamp, in bytes.
func (r *Recent) StampLength() int { return len(r.stamp.Text) }

const (
	stampBytes = 15 // length of an RFC 3164 stamp
	dayBytes   = 7  // of its "Jan  5 "
	dateBytes  = 11 // of the "2025-01-31T" of an RFC 3339 stamp
	wholeBytes = 19 // of one without fraction and zone
)

// dayKey returns the first dayBytes of a line, to be compared at once.
func dayKey(line []byte) uint64 { return binary.LittleEndian.Uint64(line) << 8 }

// Keep remembers the header of a line, which m is cut from, if it has the plain form
// "Jan  5 01:31:41 host tag[pid]: " or "2025-01-31T12:00:00.123456+01:00 host tag[pid]: ". Otherwise it says no, and
// what was kept stays.
func (r *Recent) Keep(m *Message, line []byte) bool {
	if !isPlain(m) || len(m.Host) == 0 || m.PAM != nil || stampedTwice(m.Tag) {
		return false
	}
	stamp := len(m.Stamp.Text)
	end := stamp + 1 + len(m.Host) + 1 + len(m.Tag) + 1
	if end-stamp < shortestMiddle || len(line) < end || string(line[:stamp]) != string(m.Stamp.Text) ||
		string(line[stamp:end]) != " "+string(m.Host)+" "+string(m.Tag)+"[" {
		return false
	}
	text := line[stamp:end]
	r.middle = middle{binary.LittleEndian.Uint64(text), binary.LittleEndian.Uint64(text[len(text)-8:]), append(r.middle.between[:0], text[8:max(8, len(text)-8)]...)}
	r.tag = append(r.tag[:0], m.Tag...)
	r.hostEnd, r.length = stamp+1+len(m.Host), end
	r.stamp = Stamp{m.Stamp.Form, append(r.stamp.Text[:0], m.Stamp.Text...)}
	if r.day, r.clock = dayKey(line), dayBytes; m.Stamp.Form == ISO {
		r.clock, r.zone = dateBytes, fraction(m.Stamp.Text, wholeBytes)
	}
	return true
}

// isPlain says whether a stamp has one of the two forms. Where a host could be what a daemon writes behind such
// a stamp of its own, before a message that decides what it is, the form is not plain.
func isPlain(m *Message) bool {
	switch text := m.Stamp.Text; m.Stamp.Form {
	case BSD:
		return len(text) == stampBytes
	case ISO:
		return text[dateBytes-1] == 'T' && value.IsTime(text[dateBytes:]) && len(m.Host) > 1 && !value.IsDigits(m.Host)
	}
	return false
}

// Cut takes the header off a line that has the one that was kept. Where it cannot, as off one that ends close behind it,
// [Message.Cut] can.
func (r *Recent) Cut(m *Message, line []byte) bool {
	stamp, at := len(r.stamp.Text), r.length
	if at == 0 || len(line) < at+8 || dayKey(line) != r.day || !r.middle.isOf(line[stamp:at]) ||
		!value.IsTime(line[r.clock:]) || r.stamp.Form != BSD && !r.isISO(line) {
		return false
	}
	pid, digits := value.Leading(line[at:])
	at += digits
	if digits == 0 || len(line) < at+4 {
		return false
	}
	behind := binary.LittleEndian.Uint32(line[at:]) // "]: " and the body's first byte
	if behind&0xffffff != ']'|':'<<8|' '<<16 {
		return false
	}
	switch behind >> 24 {
	case ' ', '[', 'k':
		return false
	}
	m.Stamp.Form, m.Stamp.Text, m.Host, m.Tag = r.stamp.Form, line[:stamp], line[stamp+1:r.hostEnd], r.tag
	m.PID, m.PAM, m.Body, m.Clipped = pid, nil, TrimEnd(line[at+3:]), isClipped(line[r.hostEnd+1:], muslSends)
	return true
}

// isISO says whether a line of the same first bytes and with a time starts with a stamp of the same length and zone:
//
//	2025-01-31T12:00:00.123456+01:00
//	same.......time....digits.same..
func (r *Recent) isISO(line []byte) bool {
	kept := r.stamp.Text
	if string(line[dayBytes:dateBytes]) != string(kept[dayBytes:dateBytes]) || string(line[r.zone:len(kept)]) != string(kept[r.zone:]) {
		return false
	}
	return r.zone == wholeBytes || line[wholeBytes] == kept[wholeBytes] && value.IsDigits(line[wholeBytes+1:r.zone])
}
