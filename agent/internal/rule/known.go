package rule

import "encoding/binary"

// known are texts that matched lately, each in a place of its own by its length and first bytes. Most lines of
// sshd under attack say what one of the last lines said, but for the port: the same attacker failed, or hung up.
type known [128]Match

// Match is a text that matched, and what it led to. Where no rule can tell the digits apart, a text with other
// digits leads there as well.
type Match struct {
	Rule         *Rule
	Groups       []int // indexes of the text
	SeveralHosts bool  // the text is a PAM module's and has more than one " rhost="
	digits       bool
	text         []byte
}

// maxRemembered bounds a text that is remembered, in bytes.
const maxRemembered = 256

// at returns the place of a text with these first bytes.
func (k *known) at(front uint64, length int) *Match {
	return &k[(front^uint64(length)<<32)*0x9e3779b97f4a7c15>>57]
}

// keep remembers the match of a text in its place, if it is not too long, and returns where it is remembered.
func (m *Match) keep(text []byte, found *Match) *Match {
	if len(text) > maxRemembered {
		return found
	}
	m.text, m.Groups = append(m.text[:0], text...), append(m.Groups[:0], found.Groups...)
	m.Rule, m.SeveralHosts, m.digits = found.Rule, found.SeveralHosts, found.digits
	return m
}

// leads says whether a text of the same length leads to the rule and the groups.
func (m *Match) leads(text []byte) bool {
	if m.digits {
		return text[0] == m.text[0] && sameButDigits(text, m.text) // the candidates are those of the first byte
	}
	return string(text) == string(m.text)
}

// sameButDigits says whether two texts of one length differ in nothing but digits that stand in the same
// places. It looks at eight bytes at once: where they differ, both have to be digits.
//
//	a           "port 422"
//	b           "port 417"
//	differing    00 00 00 00 00 00 80 80    of each byte of a ^ b that is not zero the high bit
//	digits       00 00 00 00 00 80 80 80    in both
func sameButDigits(a, b []byte) bool {
	at := 0
	for ; at+8 <= len(a); at += 8 {
		x, y := binary.LittleEndian.Uint64(a[at:]), binary.LittleEndian.Uint64(b[at:])
		if x != y && notZero(x^y)&^(digits(x)&digits(y)) != 0 {
			return false
		}
	}
	for ; at < len(a); at++ {
		if a[at] != b[at] && (a[at]-'0' > 9 || b[at]-'0' > 9) {
			return false
		}
	}
	return true
}

const (
	low  = 0x7f7f7f7f7f7f7f7f
	high = 0x8080808080808080
)

// notZero sets the high bit of every byte that is not zero.
func notZero(x uint64) uint64 { return (x&low + low | x) & high }

// digits sets the high bit of every byte that is a digit: what is left of '0' is at most 9 then, and does not
// reach 0x80 if 0x76 is added.
func digits(x uint64) uint64 {
	x ^= 0x3030303030303030
	return ^(x&low + 0x7676767676767676 | x) & high
}
