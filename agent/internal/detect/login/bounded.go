package login

// bounded is a map with a bound: when it is full, what was entered first goes.
type bounded[K comparable, V any] struct {
	limit   int
	entries map[K]*V
	order   []K // in which they were entered, from next on
	next    int
	changed map[K]struct{} // since the last call of changes; nil until somebody asks

	last      K // the entry that was looked for last: the next one is mostly the same
	lastEntry *V
}

func newBounded[K comparable, V any](limit int) bounded[K, V] {
	return bounded[K, V]{limit: limit, entries: map[K]*V{}}
}

func (b *bounded[K, V]) get(k K) (v V, ok bool) {
	if e := b.find(&k); e != nil {
		return *e, true
	}
	return v, false
}

func (b *bounded[K, V]) find(k *K) *V {
	if b.lastEntry == nil || b.last != *k {
		b.last, b.lastEntry = *k, b.entries[*k]
	}
	return b.lastEntry
}

func (b *bounded[K, V]) put(k K, v V) { *b.at(&k) = v }

// at returns the value of a key to be changed, a new one if there is none.
func (b *bounded[K, V]) at(k *K) *V {
	b.touch(k)
	if e := b.find(k); e != nil {
		return e
	}
	return b.enter(*k)
}

// enter makes an entry for a key that has none.
func (b *bounded[K, V]) enter(k K) *V {
	if len(b.order) < b.limit {
		b.order = append(b.order, k)
	} else {
		first := b.order[b.next]
		b.touch(&first)
		delete(b.entries, first)
		b.order[b.next] = k
		b.next = (b.next + 1) % b.limit
	}
	b.last, b.lastEntry = k, new(V)
	b.entries[k] = b.lastEntry
	return b.lastEntry
}

func (b *bounded[K, V]) touch(k *K) {
	if b.changed != nil {
		b.changed[*k] = struct{}{}
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
