package history

import (
	"slices"
	"sync"
)

// past keeps what the lists of whole hours, days and months add up to, for whoever asks again: what is over changes
// seldom. It is bounded in bytes; what was not asked for the longest time goes first.
type past struct {
	mu      sync.Mutex
	era     uint64 // rises when lists of hours, days or months have changed
	kept    map[pastKey]remembered
	order   []pastKey // by their last use
	bytes   int
	evicted uint64 // of what was kept, for want of room
	least   int    // what is made of so many bytes of lists is kept
	most    int    // bytes that are kept
}

// pastKey is a part of a span, and what is kept of it: by which [Naming] it is counted, nil is
// by the names in the lists, or what [traced] and [sieved] say.
type pastKey struct {
	listPart
	as any
}

// listPart is a part of a span, of lists of one kind.
type listPart struct {
	what nameKind
	stretch
}

// remembered is what some lists add up to, in one of five forms. Nobody may change it.
type remembered struct {
	tallies *tallies // of names
	joined  bool     // these do not tell all agents apart
	list    []byte   // of machines: one list
	named   []namedSum
	rows    []listRow // what lists have of one name, or which left out names
	sieve   *sieve    // of the names that lists have
}

// namedSum is what is counted under a name.
type namedSum struct {
	name string
	Sum
}

const (
	pastMost  = 24 << 20
	pastLeast = 64 << 10
	pastNames = 64 // what is counted under more is not kept
)

// now returns the era, to be asked for before what is looked up or kept is read.
func (p *past) now() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.era
}

// change begins another era, after a change of some lists was committed, each with the time when it begins.
func (p *past) change(changed []listPart) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.era++
	p.drop(func(key pastKey) bool {
		return slices.ContainsFunc(changed, func(one listPart) bool {
			return one.what == key.what && one.step == key.step && one.since >= key.since && one.since < key.until
		})
	})
}

// forget begins another era of which nothing is known.
func (p *past) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.era++
	p.drop(func(pastKey) bool { return true })
}

func (p *past) drop(chosen func(pastKey) bool) {
	p.order = slices.DeleteFunc(p.order, func(key pastKey) bool {
		if !chosen(key) {
			return false
		}
		p.bytes -= p.kept[key].size()
		delete(p.kept, key)
		return true
	})
}

func (p *past) get(era uint64, key pastKey) (one remembered, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if one, ok = p.kept[key]; !ok || era != p.era {
		return remembered{}, false
	}
	p.order = append(slices.DeleteFunc(p.order, func(other pastKey) bool { return other == key }), key)
	return one, true
}

func (p *past) keep(era uint64, key pastKey, one remembered) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, known := p.kept[key]; known || era != p.era {
		return
	}
	if p.kept == nil {
		p.kept = make(map[pastKey]remembered)
	}
	p.kept[key], p.order, p.bytes = one, append(p.order, key), p.bytes+one.size()
	for p.bytes > p.most {
		p.bytes -= p.kept[p.order[0]].size()
		delete(p.kept, p.order[0])
		p.order = p.order[1:]
		p.evicted++
	}
}

// size is about how many bytes it takes.
func (r remembered) size() int {
	long := 256 + len(r.list) + 48*len(r.named)
	if r.tallies != nil {
		long += 16 * len(r.tallies.short.keys)
		for name := range r.tallies.long {
			long += 64 + len(name)
		}
	}
	for _, row := range r.rows {
		long += 64 + len(row.list)
	}
	if r.sieve != nil {
		long += 8 * len(r.sieve.bits)
	}
	return long
}

// PastUse is what the memory of what is over takes.
type PastUse struct {
	Bytes   int
	Evicted uint64 // what went for want of room
}

// Past says how much of what is over is kept in memory.
func (h *History) Past() PastUse {
	h.past.mu.Lock()
	defer h.past.mu.Unlock()
	return PastUse{h.past.bytes, h.past.evicted}
}
