package login

// bounded is a map with a bound: when it is full, what was entered first goes.
type bounded[K comparable, V any] struct {
	limit   int
	entries map[K]*entry[V]
	order   []K // in which they were entered, from next on
	next    int
	changed map[K]struct{} // since the last call of changes; nil until somebody asks

	last      K // the entry that was looked for last: the next one is mostly the same
	lastEntry *entry[V]
}

type entry[V any] struct {
	value V
	place int // in order
}

func newBounded[K comparable, V any](limit int) bounded[K, V] {
	return bounded[K, V]{limit: limit, entries: map[K]*entry[V]{}}
}

func (b *bounded[K, V]) get(k K) (v V, ok bool) {
	if e := b.find(k); e != nil {
		return e.value, true
	}
	return v, false
}

func (b *bounded[K, V]) find(k K) *entry[V] {
	if b.lastEntry == nil || b.last != k {
		b.last, b.lastEntry = k, b.entries[k]
	}
	return b.lastEntry
}

func (b *bounded[K, V]) put(k K, v V) {
	b.touch(k)
	if e := b.find(k); e != nil {
		e.value = v
		return
	}
	b.lastEntry = nil // it may be what has to go
	if len(b.order) < b.limit {
		b.entries[k] = &entry[V]{v, len(b.order)}
		b.order = append(b.order, k)
		return
	}
	first := b.order[b.next]
	b.touch(first)
	delete(b.entries, first)
	b.entries[k] = &entry[V]{v, b.next}
	b.order[b.next] = k
	b.next = (b.next + 1) % b.limit
}

func (b *bounded[K, V]) touch(k K) {
	if b.changed != nil {
		b.changed[k] = struct{}{}
	}
}

// changes calls put with what changed since the last call; ok is false for what is gone.
func (b *bounded[K, V]) changes(put func(k K, v V, ok bool)) {
	if b.changed == nil {
		b.changed = map[K]struct{}{}
		for k := range b.entries {
			b.changed[k] = struct{}{}
		}
	}
	for k := range b.changed {
		v, ok := b.get(k)
		put(k, v, ok)
	}
	clear(b.changed)
}
