package history

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/pialert/pialert/pkg/attack"
)

// tallies adds attempts up by name. Most names are addresses and networks, which come by the ten thousand:
// short names are numbers, and nothing is allocated for each.
type tallies struct {
	short  map[uint64]uint64  // attempts by [shortKey]
	long   map[string]*uint64 // of other names
	others uint64
	text   func(name string) string // how names are written, nil if they are text
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

// shortName is the name of a key, whose first byte is its length.
func shortName(key uint64) string {
	raw := binary.BigEndian.AppendUint64(nil, key)
	return string(bytes.TrimLeft(raw, "\x00")[1:])
}

func newTallies() *tallies {
	return &tallies{short: make(map[uint64]uint64), long: make(map[string]*uint64)}
}

func (t *tallies) add(name string, kind, attempts int64) {
	if k := attack.StoredKind(kind); name != "" && (k.Attempt() || k == attack.Counter) && attempts > 0 {
		t.addBytes([]byte(name), uint64(attempts))
	}
}

func (t *tallies) addBytes(name []byte, attempts uint64) {
	if attempts == 0 {
		return
	}
	if len(name) <= shortest {
		t.short[shortKey(name)] += attempts
		return
	}
	sum := t.long[string(name)]
	if sum == nil {
		sum = new(uint64)
		t.long[string(name)] = sum
	}
	*sum += attempts
}

// list returns the most frequent.
func (t *tallies) list(limit int) []Tally {
	first := func(a, b Tally) int {
		return cmp.Or(cmp.Compare(b.Attempts, a.Attempts), cmp.Compare(a.Name, b.Name))
	}
	limit = max(limit, 0)
	var list []Tally
	least := uint64(1) // of those that have room
	keep := func(name string, attempts uint64) {
		one := Tally{name, attempts}
		if limit > shortList {
			list = append(list, one)
			return
		}
		at, _ := slices.BinarySearchFunc(list, one, first)
		list = slices.Insert(list, at, one)
		if list = list[:min(len(list), limit)]; len(list) == limit && limit > 0 {
			least = list[limit-1].Attempts
		}
	}
	for key, attempts := range t.short {
		if attempts >= least {
			keep(shortName(key), attempts)
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
