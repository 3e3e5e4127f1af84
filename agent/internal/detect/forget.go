package detect

// Forget drops what is remembered of a log that is gone for good, by the name of its [Source],
// which must not be fed any more. What was pending counts, as at [Engine.Finish]; the next
// [Engine.Changes] says what is no longer to be kept.
func (e *Engine) Forget(name string) {
	mem := e.memories[name]
	if mem == nil || mem == e.shared {
		return
	}
	e.forgetAll(mem)
	delete(e.memories, name)
	if e.opts.Remember {
		e.gone = append(e.gone, mem)
	}
}

// erase deletes what was saved of a memory without connections.
func (m *memory) erase(put func(key string, value []byte)) {
	for key := range m.removed {
		put(m.connectionKey(key), nil)
	}
	for i := range m.lasts {
		put(m.lastKey(i), nil)
	}
	put(keyLog+m.name, nil)
}
