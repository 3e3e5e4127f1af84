package history

import (
	"cmp"
	"math/bits"
	"math/rand/v2"
	"slices"
)

// long is how many bytes an entry takes in a list, at most.
func (e *entry) long() int {
	return 2 + len(e.name) + (bits.Len64(e.Events|1)+6)/7 + (bits.Len64(e.Attempts|1)+6)/7
}

// cut leaves those with the most attempts, of all groups, in at most so many bytes, if the kind is cut. Among equals chance
// decides, anew each time: nobody can choose a name that is always left out.
func (l nameList) cut(what nameKind, most int) {
	if !what.isCut() {
		return
	}
	if whole := l.long(); whole <= most {
		return
	} else if groups := most / 4 / groupLong; len(l) > groups {
		l.join(groups)
	}
	var longs [many + 1]int // bytes of those with so many attempts
	room := max(most-groupLong*len(l), 0)
	whole := 0
	for _, n := range l {
		for i := range n.entries {
			if e := &n.entries[i]; e.name != "" {
				longs[min(e.Attempts, many)] += e.long()
				whole += e.long()
			}
		}
	}
	if whole <= room {
		return
	}
	// Those with more attempts than least have room, those with as many only in part.
	least := uint64(many)
	for least > 0 && longs[least] <= room {
		room -= longs[least]
		least--
	}
	equal := longs[least]
	if least == many {
		least, equal, room = l.leastOfMany(room)
	}
	chance := float64(room) / float64(max(equal, 1))
	for _, n := range l {
		var rest Sum
		kept := make([]entry, 0, len(n.entries)/2)
		for i := range n.entries {
			e := &n.entries[i]
			switch {
			case e.name == "" || e.Attempts < least:
				rest = rest.with(e.Sum)
			case e.Attempts > least:
				kept = append(kept, *e)
			case room >= e.long() && rand.Float64() < chance:
				room -= e.long()
				kept = append(kept, *e)
			default:
				rest = rest.with(e.Sum)
			}
		}
		if rest != (Sum{}) {
			kept = append(kept, entry{"", rest})
		}
		n.entries, n.index = kept, nil
	}
}

// long is how many bytes a list takes, at most about.
func (l nameList) long() int {
	whole := groupLong * len(l)
	for _, n := range l {
		for i := range n.entries {
			whole += n.entries[i].long()
		}
	}
	return whole
}

// join leaves so many groups of agents of their own, those with the most attempts, so that agents by the thousand
// leave room for names. The others become groups of no agent: what they did is known, but not to whom.
func (l nameList) join(groups int) {
	type size struct {
		group
		attempts uint64
	}
	var sizes []size
	for g, n := range l {
		one := size{group: g}
		for i := range n.entries {
			one.attempts += n.entries[i].Attempts
		}
		if g.agent != noAgent {
			sizes = append(sizes, one)
		}
	}
	slices.SortFunc(sizes, func(a, b size) int {
		return cmp.Or(cmp.Compare(b.attempts, a.attempts), a.compare(b.group))
	})
	for _, one := range sizes[min(groups, len(sizes)):] {
		from, to := l[one.group], l.of(group{noAgent, one.kind})
		for i := range from.entries {
			to.add(from.entries[i].name, from.entries[i].Sum)
		}
		delete(l, one.group)
	}
}

// noAgent is the agent of what is known of several together.
const noAgent = 0

// many is from which number of attempts on names are sorted to find those with the most.
const many = 255

// groupLong is how many bytes a group takes beside its names, at most about.
const groupLong = 16

// leastOfMany finds where the room ends among names, those with the most attempts first: at names with least attempts,
// which take equal bytes together, of the bytes that are left by those with more.
func (l nameList) leastOfMany(room int) (least uint64, equal, left int) {
	var all []*entry
	for _, n := range l {
		for i := range n.entries {
			if e := &n.entries[i]; e.name != "" && e.Attempts >= many {
				all = append(all, e)
			}
		}
	}
	slices.SortFunc(all, func(a, b *entry) int { return cmp.Compare(b.Attempts, a.Attempts) })
	for i := 0; i < len(all); room -= equal {
		least, equal = all[i].Attempts, 0
		for ; i < len(all) && all[i].Attempts == least; i++ {
			equal += all[i].long()
		}
		if equal > room {
			break
		}
	}
	return least, equal, room
}
