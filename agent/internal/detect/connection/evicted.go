package connection

// roomEvicted is how many summaries are forgotten at a time: to find out who has most takes a look at every log.
const roomEvicted = MaxEvicted / 16

// keptChanges bounds the room that a log keeps for its next changes.
const keptChanges = 64

// setAside keeps a summary of a connection. When there are too many, logs that have most of them forget those
// that were evicted first.
func (l *Log) setAside(k key, c *connection) {
	if len(l.summaries) >= MaxEvicted {
		l.takeFromMost(roomEvicted, func(l *Log) int { return l.aside.len }, (*Log).dropOldestEvicted)
	}
	e := &l.aside
	if len(e.order) > 2*e.len+keptChanges {
		l.tidyEvicted()
	}
	if _, again := l.summaries[k]; !again {
		e.len++
	}
	l.summaries[k] = summary{
		addr: c.addr, port: c.port, counted: c.counted, accepted: c.accepted, attempts: c.attempts, inAdvance: c.inAdvance,
		reported: c.reported, seen: c.seen, observed: c.observed, place: e.gone + uint64(len(e.order)),
	}
	e.order = append(e.order, k)
	l.hold()
}

// tidyEvicted leaves out of the order what was taken back.
func (l *Log) tidyEvicted() {
	e := &l.aside
	kept := make([]key, 0, e.len+1)
	for i, k := range e.order {
		if s, ok := l.summaries[k]; ok && s.place == e.gone+uint64(i) {
			s.place = uint64(len(kept))
			l.summaries[k] = s
			kept = append(kept, k)
		}
	}
	e.order, e.gone = kept, 0
}

// dropOldestEvicted forgets the log's summary that was made first.
func (l *Log) dropOldestEvicted() {
	e := &l.aside
	for dropped := false; !dropped && len(e.order) > 0; {
		k := e.order[0]
		if s, ok := l.summaries[k]; ok && s.place == e.gone {
			delete(l.summaries, k)
			l.removed[k] = struct{}{}
			e.len--
			dropped = true
		}
		e.order = e.order[1:]
		e.gone++
	}
	if len(e.order) == 0 {
		e.order = nil
	}
	l.release()
}

// takeBack returns a connection's summary and keeps it no more.
func (l *Log) takeBack(k key) (summary, bool) {
	if l.aside.len == 0 {
		return summary{}, false
	}
	s, ok := l.summaries[k]
	if ok {
		delete(l.summaries, k)
		l.aside.len--
		l.release()
	}
	return s, ok
}
