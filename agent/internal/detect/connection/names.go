package connection

import "github.com/pialert/pialert/pkg/attack"

// Names remembers strings that were made of bytes lately, so that an attacker who tries one name a
// thousand times does not make a thousand strings.
type Names [1024]string

// String returns text as a string of at most [attack.MaxUser] bytes.
func (n *Names) String(text []byte) string {
	if len(text) == 0 {
		return ""
	}
	if len(text) > attack.MaxUser {
		text = text[:attack.MaxUser]
	}
	at := &n[Hash(text)%uint64(len(n))]
	if *at != string(text) {
		*at = string(text)
	}
	return *at
}

// Hash is FNV-1a: stable across restarts, and good enough for names that the machine's own daemons
// choose.
func Hash(text []byte) uint64 {
	h := uint64(0xcbf29ce484222325)
	for _, c := range text {
		h = (h ^ uint64(c)) * 0x100000001b3
	}
	return h
}
