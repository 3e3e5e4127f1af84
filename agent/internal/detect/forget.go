package detect

// Forget drops what is remembered of a log that is gone for good, by the name of its [Source],
// which must not be fed any more. What was pending counts, as at [Engine.Finish]; the next
// [Engine.Changes] says what is no longer to be kept.
func (e *Engine) Forget(name string) {
	mem := e.memories[name]
	if mem == nil || mem == e.shared {
		return
	}
	mem.conns.Finish()
	delete(e.memories, name)
	if e.opts.Remember {
		e.gone = append(e.gone, mem)
	}
}
