package history

import (
	"maps"
	"slices"
	"sync"
)

// past keeps what the lists of names of whole hours and days add up to, for whoever asks again: what is over changes
// seldom. It is bounded in bytes; what was not asked for the longest time goes first.
type past struct {
	mu    sync.Mutex
	era   uint64 // rises when lists of hours or days have changed
	kept  map[listPart]remembered
	order []listPart // by their last use
	bytes int
	least int // what is made of so many bytes of lists is kept
}

// listPart is a part of a span, of lists of one kind.
type listPart struct {
	what nameKind
	stretch
}

// remembered is what some lists add up to. Nobody may change it.
type remembered struct {
	*tallies
	joined bool // they do not tell all agents apart
}

const (
	pastBytes = 24 << 20 // about as many are kept
	pastLeast = 64 << 10
)

// now returns the era, to be asked for before what is looked up or kept is read.
func (p *past) now() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.era
}

// change begins another era, after a change was committed.
func (p *past) change() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.era++
	p.kept, p.order, p.bytes = nil, nil, 0
}

func (p *past) get(era uint64, part listPart) (one remembered, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if one, ok = p.kept[part]; !ok || era != p.era {
		return remembered{}, false
	}
	p.order = append(slices.DeleteFunc(p.order, func(other listPart) bool { return other == part }), part)
	return one, true
}

func (p *past) keep(era uint64, part listPart, one remembered) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, known := p.kept[part]; known || era != p.era {
		return
	}
	if p.kept == nil {
		p.kept = make(map[listPart]remembered)
	}
	p.kept[part], p.order, p.bytes = one, append(p.order, part), p.bytes+one.size()
	for p.bytes > pastBytes {
		p.bytes -= p.kept[p.order[0]].size()
		delete(p.kept, p.order[0])
		p.order = p.order[1:]
	}
}

// size is about how many bytes tallies take.
func (t *tallies) size() int {
	long := 0
	for name := range t.long {
		long += 64 + len(name)
	}
	return 16*len(t.short.keys) + long
}

// addAll adds all of other ones, which stay as they are.
func (t *tallies) addAll(other *tallies) {
	t.others += other.others
	if t.short.used == 0 {
		t.short = other.short
		t.short.keys, t.short.values = slices.Clone(other.short.keys), slices.Clone(other.short.values)
	} else {
		for i, key := range other.short.keys {
			if key != 0 {
				t.short.add(key, other.short.values[i])
			}
		}
	}
	if len(t.long) == 0 {
		t.long = maps.Clone(other.long)
		for name, sum := range t.long {
			one := *sum
			t.long[name] = &one
		}
		return
	}
	for name, sum := range other.long {
		t.addBytes([]byte(name), *sum)
	}
}
