package history

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"slices"

	"github.com/pialert/pialert/pkg/attack"
)

// tallies adds attempts up by name. Most names are addresses and networks, which come by the ten thousand:
// short names are numbers, and nothing is allocated for each.
type tallies struct {
	short  sums               // attempts by [shortKey]
	long   map[string]*uint64 // of other names
	others uint64
	text   func(name string) string // how names are written, nil if they are text
}

// sums adds up by a key that is not 0: a hash table whose entries stand at the first free place from the one that
// the key's hash says. The zero value is empty.
type sums struct {
	keys, values []uint64 // as many as a power of two, more than half of them free
	used         int
	odd          uint64 // chance chooses the hash, so that nobody can choose names that collide
	shift        int
}

func (s *sums) add(key, n uint64) {
	if 2*s.used >= len(s.keys) {
		s.grow()
	}
	i := s.place(key)
	if s.keys[i] == 0 {
		s.keys[i] = key
		s.used++
	}
	s.values[i] += n
}

// place is where a key is, or would be.
func (s *sums) place(key uint64) int {
	i := int(key * s.odd >> s.shift)
	for s.keys[i] != 0 && s.keys[i] != key {
		i = (i + 1) & (len(s.keys) - 1)
	}
	return i
}

func (s *sums) grow() {
	if size := len(s.keys); size < 1<<16 {
		s.resize(max(4*size, 16))
	} else {
		s.resize(2 * size)
	}
}

// resize makes room for so many keys, a power of two and more than twice as many as there are.
func (s *sums) resize(size int) {
	before := *s
	*s = sums{make([]uint64, size), make([]uint64, size), before.used, rand.Uint64() | 1, 64 - bits.Len(uint(size-1))}
	for i, key := range before.keys {
		if key != 0 {
			at := s.place(key)
			s.keys[at], s.values[at] = key, before.values[i]
		}
	}
}

// packed returns the sums without what is free, to be added to others.
func (s *sums) packed() sums {
	to := sums{keys: make([]uint64, 0, s.used), values: make([]uint64, 0, s.used), used: s.used}
	for i, key := range s.keys {
		if key != 0 {
			to.keys, to.values = append(to.keys, key), append(to.values, s.values[i])
		}
	}
	return to
}

// addAll adds all of other sums, be they packed.
func (s *sums) addAll(other *sums) {
	if size := 1 << bits.Len(uint(2*max(s.used, other.used))); size > len(s.keys) && other.used > 0 {
		s.resize(max(size, 16))
	}
	for i, key := range other.keys {
		if key != 0 {
			s.add(key, other.values[i])
		}
	}
}

// shortest is how many bytes a name has room for in a number, beside its length.
const shortest = 7

func shortKey(name []byte) uint64 {
	key := uint64(len(name))
	for _, b := range name {
		key = key<<8 | uint64(b)
	}
	return key
}

// shortName writes the name of a key, whose first byte is its length, to room.
func shortName(key uint64, room *[8]byte) []byte {
	binary.BigEndian.PutUint64(room[:], key)
	return bytes.TrimLeft(room[:], "\x00")[1:]
}

func newTallies() *tallies {
	return &tallies{long: make(map[string]*uint64)}
}

func (t *tallies) add(name string, kind, attempts int64) { t.addRaw([]byte(name), kind, attempts) }

// addRaw adds what a kind counts, if that is attempts, or a counter.
func (t *tallies) addRaw(name []byte, kind, attempts int64) {
	if len(name) > 0 && isRanked(kind) && attempts > 0 {
		t.addBytes(name, uint64(attempts))
	}
}

// isRanked says whether what a stored kind counts is attempts, or a counter's.
func isRanked(kind int64) bool {
	k := attack.StoredKind(kind)
	return k.Attempt() || k == attack.Counter
}

func (t *tallies) addBytes(name []byte, attempts uint64) {
	if attempts == 0 {
		return
	}
	if len(name) <= shortest {
		t.short.add(shortKey(name), attempts)
		return
	}
	sum := t.long[string(name)]
	if sum == nil {
		sum = new(uint64)
		t.long[string(name)] = sum
	}
	*sum += attempts
}

// packed returns the same tallies in little room, to be added to others.
func (t *tallies) packed() *tallies {
	return &tallies{short: t.short.packed(), long: t.long, others: t.others}
}

// addAll adds all of other ones, which stay as they are.
func (t *tallies) addAll(other *tallies) {
	t.others += other.others
	t.short.addAll(&other.short)
	for name, sum := range other.long {
		t.addBytes([]byte(name), *sum)
	}
}

// list returns the most frequent.
func (t *tallies) list(limit int) []Tally {
	first := func(a, b Tally) int {
		return cmp.Or(cmp.Compare(b.Attempts, a.Attempts), cmp.Compare(a.Name, b.Name))
	}
	limit = max(limit, 0)
	var list []Tally
	least, last := uint64(1), "" // of those that have room
	keep := func(name string, attempts uint64) {
		one := Tally{name, attempts}
		if limit > shortList {
			list = append(list, one)
			return
		}
		at, _ := slices.BinarySearchFunc(list, one, first)
		list = slices.Insert(list, at, one)
		if list = list[:min(len(list), limit)]; len(list) == limit && limit > 0 {
			least, last = list[limit-1].Attempts, list[limit-1].Name
		}
	}
	var room [8]byte
	for i, attempts := range t.short.values {
		if attempts < least {
			continue
		}
		if name := shortName(t.short.keys[i], &room); attempts > least || last == "" || string(name) < last {
			keep(string(name), attempts)
		}
	}
	for name, attempts := range t.long {
		if *attempts >= least {
			keep(name, *attempts)
		}
	}
	if limit > shortList {
		slices.SortFunc(list, first)
		list = list[:min(len(list), limit)]
	}
	if t.text != nil {
		for i := range list {
			list[i].Name = t.text(list[i].Name)
		}
	}
	return list
}

// shortList is up to which length a list is kept in order while it is made; longer ones are sorted.
const shortList = 256

// Tally is a name and the attempts that it stands for.
type Tally struct {
	Name     string `json:"name"`
	Attempts uint64 `json:"attempts"`
}
