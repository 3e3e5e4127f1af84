package rule

import (
	"encoding/binary"

	"github.com/pialert/pialert/pkg/attack"
)

// Names remembers strings that were made of bytes lately, so that an attacker who tries one name a
// thousand times does not make a thousand strings.
type Names [1024]string

// String returns text as a string of at most [attack.MaxUser] bytes.
func (n *Names) String(text []byte) string {
	if len(text) == 0 { // as most fields are: decided where the call is inlined
		return ""
	}
	return n.string(text)
}

func (n *Names) string(text []byte) string {
	if len(text) > attack.MaxUser {
		text = text[:attack.MaxUser]
	}
	at := &n[placeOf(text)]
	if *at != string(text) {
		*at = string(text)
	}
	return *at
}

// placeOf spreads texts by their length and their ends. Who makes many that share a place gains no more
// than strings that are made anew.
func placeOf(text []byte) uint64 {
	h, n := uint64(len(text)), len(text)
	switch {
	case n >= 8:
		h = h*0x9e3779b97f4a7c15 ^ binary.LittleEndian.Uint64(text) ^ binary.LittleEndian.Uint64(text[n-8:])<<1
	case n >= 4:
		h = h<<61 ^ uint64(binary.LittleEndian.Uint32(text))<<24 ^ uint64(binary.LittleEndian.Uint32(text[n-4:]))
	default:
		h = h<<24 ^ uint64(text[0])<<16 ^ uint64(text[n/2])<<8 ^ uint64(text[n-1])
	}
	return h * 0x9e3779b97f4a7c15 >> 54 // of the 1024 places of Names
}
