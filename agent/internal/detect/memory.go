package detect

import "github.com/pialert/pialert/agent/internal/detect/connection"

// memory is what detection remembers of one log across its lines.
type memory struct {
	name   string
	conns  *connection.Log
	lasts  [maxHosts]lastLine
	kept   int    // lasts in use
	recent int    // the last one used
	uses   uint64 // of lasts

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

const (
	maxHosts = 8       // hosts per log whose last line is remembered
	maxLast  = 2 << 10 // bytes of a line that is remembered
)

// memory returns what is remembered under a name.
func (e *Engine) memory(name string) *memory {
	mem := e.memories[name]
	if mem == nil {
		mem = &memory{name: name, conns: e.joiner.NewLog()}
		e.memories[name] = mem
	}
	return mem
}

func (m *memory) last(host uint64) []byte {
	for i := range m.lasts {
		if l := &m.lasts[i]; l.used > 0 && l.host == host {
			return l.line
		}
	}
	return nil
}

// keepLast remembers the last line of a host, in place of the host's that was quiet for longest.
func (m *memory) keepLast(host uint64, line []byte) {
	if len(line) > maxLast {
		m.forgetLast(host)
		return
	}
	slot := &m.lasts[m.recent]
	if slot.host != host {
		m.recent = m.slotFor(host)
		slot = &m.lasts[m.recent]
	}
	if slot.used == 0 {
		m.kept++
	}
	m.uses++
	slot.host, slot.used, slot.changed = host, m.uses, true
	slot.line = append(slot.line[:0], line...)
}

// slotFor returns the host's place, or the least recently used.
func (m *memory) slotFor(host uint64) int {
	oldest := 0
	for i := range m.lasts {
		if l := &m.lasts[i]; l.used > 0 && l.host == host {
			return i
		} else if l.used < m.lasts[oldest].used {
			oldest = i
		}
	}
	return oldest
}

func (m *memory) forgetLast(host uint64) {
	if m.kept == 0 {
		return
	}
	for i := range m.lasts {
		if l := &m.lasts[i]; l.used > 0 && l.host == host {
			l.used, l.changed = 0, true
			m.kept--
		}
	}
}
