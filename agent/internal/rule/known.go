package rule

import "encoding/binary"

// known are texts that matched lately, each in a place of its own by its length and some of what is no digit. Most
// lines of sshd under attack say what one of the last lines said, but for the port: an attacker failed, or hung up,
// among others who do so in turns.
type known struct {
	texts [1 << knownBits]Match
	last  Match // that is not among them
	names Names // of users in them
}

const knownBits = 10

// Match is a text that matched, and what it says. Where no rule can tell the digits apart, a text with other
// digits leads to the same rule and groups.
type Match struct {
	of           uint64 // number of the candidates among which the rule was found; 0 if there is no text
	Rule         *Rule
	Fields       Fields // of the text
	User         string // of the fields
	SeveralHosts bool   // the text is a PAM module's and has more than one " rhost="
	digits       bool
	groups       []int // indexes of the text
	port         Span  // where in the text the port stands; its end if it names none
	text         []byte
}

// maxRemembered bounds a text that is remembered, in bytes.
const maxRemembered = 256

// at returns the place of a text, by its length and three samples of eight bytes. Of those the upper halves count, which
// all digits have in common.
func (k *known) at(text []byte) *Match {
	n := len(text)
	h := uint64(n)
	if n >= 16 {
		a, b, c := binary.LittleEndian.Uint64(text[n/4:]), binary.LittleEndian.Uint64(text[n/2:]), binary.LittleEndian.Uint64(text[n-8-n/8:])
		h ^= a&halves ^ b&halves*3 ^ c&halves*5
	}
	return &k.texts[(h^h>>29)*0x9e3779b97f4a7c15>>(64-knownBits)]
}

const halves = 0xf0f0f0f0f0f0f0f0

// keep remembers the match of a text in its place, if it is not too long, and returns where it is remembered.
func (m *Match) keep(text []byte, found *Match) *Match {
	if len(text) > maxRemembered {
		return found
	}
	kept := *found
	kept.text, kept.groups = append(m.text[:0], text...), append(m.groups[:0], found.groups...)
	kept.port = kept.Rule.portIn(kept.groups, len(text))
	*m = kept
	return m
}

// leads says whether a text leads to the match, which is the text's own then. Mostly it differs in its port alone.
func (m *Match) leads(text []byte, names *Names) bool {
	if len(text) != len(m.text) || text[0] != m.text[0] { // the candidates are those of the first byte
		return false
	}
	if from, to := m.port.From, m.port.To; string(text[:from]) == string(m.text[:from]) && string(text[to:]) == string(m.text[to:]) {
		if from == to {
			return true
		}
		if port := m.port.port(text); port != 0 && m.digits {
			m.Fields.Port = port
			return true
		}
	}
	if !m.digits {
		return string(text) == string(m.text)
	}
	if !sameButDigits(text, m.text) {
		return false
	}
	copy(m.text, text)
	m.read(text, names)
	return true
}

// read reads what a text says by its groups.
func (m *Match) read(text []byte, names *Names) {
	m.Fields.read(m.Rule, text, m.groups)
	m.User = names.String(m.Fields.User.In(text))
}

// sameButDigits says whether two texts of one length differ in nothing but digits that stand in the same
// places. It looks at eight bytes at once: where they differ, both have to be digits.
//
//	a           "port 422"
//	b           "port 417"
//	differing    00 00 00 00 00 00 80 80    of each byte of a ^ b that is not zero the high bit
//	digits       00 00 00 00 00 80 80 80    in both
func sameButDigits(a, b []byte) bool {
	if len(a) < 8 || len(b) < 8 {
		for i := range min(len(a), len(b)) {
			if a[i] != b[i] && (a[i]-'0' > 9 || b[i]-'0' > 9) {
				return false
			}
		}
		return true
	}
	end := min(len(a), len(b)) - 8
	for at := 0; at < end; at += 8 {
		if !eightButDigits(a[at:], b[at:]) {
			return false
		}
	}
	return eightButDigits(a[end:], b[end:])
}

func eightButDigits(a, b []byte) bool {
	x, y := binary.LittleEndian.Uint64(a), binary.LittleEndian.Uint64(b)
	return x == y || notZero(x^y)&^(digits(x)&digits(y)) == 0
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
