package detect

// memory is what detection remembers of one log across its lines.
type memory struct {
	name  string
	clock int64 // latest logged time, in seconds since 1970
	conns connections
	lasts [maxHosts]lastLine
	kept  int // lasts in use
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
		mem = &memory{name: name}
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

func (m *memory) keepLast(e *Engine, host uint64, line []byte) {
	if len(line) > maxLast {
		m.forgetLast(e, host)
		return
	}
	slot := &m.lasts[0]
	var latest uint64
	for i := range m.lasts {
		l := &m.lasts[i]
		latest = max(latest, l.used)
		if l.used > 0 && l.host == host {
			slot = l
		} else if slot.host != host && l.used < slot.used {
			slot = l
		}
	}
	if slot.used == 0 {
		m.kept++
	}
	slot.host, slot.used, slot.changed = host, latest+1, true
	slot.line = append(slot.line[:0], line...)
}

func (m *memory) forgetLast(e *Engine, host uint64) {
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

// change notes that a connection is to be saved.
func (e *Engine) change(mem *memory, c *connection) {}

// drop forgets a connection.
func (e *Engine) drop(mem *memory, c *connection) { mem.conns.remove(c) }
