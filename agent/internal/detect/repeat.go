package detect

import (
	"github.com/pialert/pialert/agent/internal/header"
)

// repeatLast feeds the last line of the host again, n times over.
func (e *Engine) repeatLast(src *Source, n uint64) {
	line := src.mem.last(e.hostHash(src))
	if line == nil {
		return
	}
	stamp := e.msg.Stamp
	line = append([]byte(nil), line...)
	if !e.msg.Cut(line) {
		e.msg = header.Message{Tag: sshdTag, Body: header.TrimEnd(line)}
	}
	e.msg.Stamp = stamp
	if _, again := header.LastRepeated(e.msg.Body); !again {
		e.feedMessage(src, line, n)
	}
}
