package connection

// Hash is FNV-1a: stable across restarts, and good enough for names that the machine's own daemons
// choose.
func Hash(text []byte) uint64 {
	h := uint64(0xcbf29ce484222325)
	for _, c := range text {
		h = (h ^ uint64(c)) * 0x100000001b3
	}
	return h
}

// ShortHash is FNV-1a of 32 bits.
func ShortHash[T ~string | ~[]byte](text T) uint32 {
	h := uint32(0x811c9dc5)
	for i := range len(text) {
		h = (h ^ uint32(text[i])) * 0x01000193
	}
	return h
}
