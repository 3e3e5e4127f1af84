package history

import "hash/maphash"

// sieve knows which names some lists may have: a Bloom filter.
type sieve struct {
	seed maphash.Seed // chance chooses the hash, so that nobody can choose names that are taken for others
	bits []uint64
}

// newSieve returns a sieve for lists of so many bytes: of a bit for each, which is about eight for a name.
func newSieve(long int64) *sieve {
	return &sieve{seed: maphash.MakeSeed(), bits: make([]uint64, long/64+1)}
}

// sievedBits is how many bits stand for a name.
const sievedBits = 4

// add adds the names of a list, and says whether it may have left out some.
func (s *sieve) add(list []byte) (out bool) {
	intact := eachName(list, nil, func(_ group, name []byte, _ Sum) {
		out = out || len(name) == 0
		hash := maphash.Bytes(s.seed, name)
		for i := range uint64(sievedBits) {
			word, bit := s.at(hash, i)
			s.bits[word] |= bit
		}
	})
	return out || !intact
}

// mayHave says whether a name may be in one of the lists. exact is how lists write it.
func (s *sieve) mayHave(exact []byte) bool {
	hash := maphash.Bytes(s.seed, nameOf(exact))
	for i := range uint64(sievedBits) {
		if word, bit := s.at(hash, i); s.bits[word]&bit == 0 {
			return false
		}
	}
	return true
}

// at is where one of the bits of a hash is.
func (s *sieve) at(hash, i uint64) (word, bit uint64) {
	at := (hash>>32 + i*(hash&(1<<32-1)|1)) % uint64(64*len(s.bits))
	return at / 64, 1 << (at % 64)
}
