package detect

import (
	"slices"

	"github.com/pialert/pialert/agent/internal/detect/connection"
	"github.com/pialert/pialert/agent/internal/header"
)

// memory is what detection remembers of one log across its lines.
type memory struct {
	name   string
	clock  header.Clock
	conns  *connection.Log
	lasts  []lastLine
	places map[uint64]int // of hosts in lasts
	uses   uint64         // of lasts
	newest hostLine       // not in lasts yet

	structured bool   // a line had a stamp or a web log's format: text without header is no message
	carriage   bool   // the last line ended in a carriage return; see joinBare
	partial    []byte // lines of a message that has not ended
	moved      bool   // one of these three changed since the last Changes
}

// lastLine is the last line of a host, if it counted: "last message repeated" refers to it.
type lastLine struct {
	host    uint64
	used    uint64 // order of use, 0 if empty
	line    []byte
	changed bool
}

// hostLine is the last line of a host within a batch; nil if it did not count.
type hostLine struct {
	host  uint64
	line  []byte
	known bool
}

const (
	maxHosts = 1 << 10 // hosts per log whose last line is remembered
	maxLast  = 2 << 10 // bytes of a line that is remembered
)

// memory returns what is remembered under a name.
func (e *Engine) memory(name string) *memory {
	mem := e.memories[name]
	if mem == nil {
		mem = &memory{name: name, clock: e.newClock(), conns: e.joiner.NewLog(e.shared.conns)}
		e.memories[name] = mem
	}
	return mem
}

func (e *Engine) newClock() header.Clock {
	return header.Clock{Location: e.opts.Location, Year: e.opts.Year}
}

// last returns the last line of a host, nil if it did not count.
func (m *memory) last(host uint64) []byte {
	m.settleLast()
	if at, ok := m.places[host]; ok {
		return m.lasts[at].line
	}
	return nil
}

// setLast notes the last line of a host, nil if it did not count. Most lines are followed by another
// one of the same host, so that it need not be stored until [memory.settleLast].
func (m *memory) setLast(host uint64, line []byte) {
	if m.newest.known && m.newest.host != host {
		m.settleLast()
	}
	m.newest.host, m.newest.line, m.newest.known = host, line, true // one by one: a copy would wait for its parts
}

// settleLast stores what setLast noted, at the latest before the line is overwritten.
func (m *memory) settleLast() {
	if l := m.newest; l.known {
		m.newest = hostLine{}
		if l.line == nil || len(l.line) > maxLast {
			m.forgetLast(l.host)
		} else {
			m.keepLast(l.host, l.line)
		}
	}
}

// keepLast remembers the last line of a host, in place of the host's that was quiet for longest.
func (m *memory) keepLast(host uint64, line []byte) {
	at, ok := m.places[host]
	if !ok {
		at = m.placeFor(host)
	}
	m.uses++
	slot := &m.lasts[at]
	slot.host, slot.used, slot.changed = host, m.uses, true
	slot.line = append(slot.line[:0], line...)
}

// placeFor gives a host a place: a free one, or that of the least recently used.
func (m *memory) placeFor(host uint64) int {
	at := slices.IndexFunc(m.lasts, func(l lastLine) bool { return l.used == 0 })
	switch {
	case at >= 0:
	case len(m.lasts) < maxHosts:
		at = len(m.lasts)
		m.lasts = append(m.lasts, lastLine{})
	default:
		at = 0
		for i := range m.lasts {
			if m.lasts[i].used < m.lasts[at].used {
				at = i
			}
		}
		delete(m.places, m.lasts[at].host)
	}
	if m.places == nil {
		m.places = map[uint64]int{}
	}
	m.places[host] = at
	return at
}

func (m *memory) forgetLast(host uint64) {
	if at, ok := m.places[host]; ok {
		m.lasts[at].used, m.lasts[at].changed = 0, true
		delete(m.places, host)
	}
}
