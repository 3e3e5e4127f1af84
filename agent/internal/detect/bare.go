package detect

import (
	"bytes"

	"github.com/pialert/pialert/agent/internal/header"
)

// A file that `sshd -E` writes has neither headers nor process numbers: lines are joined by address
// and port. sshd ends its messages with a carriage return there, and does not escape the newlines
// of a name, so that a message may take several lines. A client that puts carriage returns into its
// name as well cannot be told from sshd: only syslog and the journal are safe from that.

// maxPartial bounds a message that takes several lines, in bytes.
const maxPartial = 4 << 10

// joinBare reads a line without a header, once its message is complete, and says whether it can be
// one of sshd's.
func (e *Engine) joinBare(src *Source, line []byte, number uint64) bool {
	mem := src.mem
	ended := bytes.HasSuffix(line, []byte("\r"))
	if ended || len(mem.partial) > 0 {
		mem.moved = true
	}
	if !ended && mem.carriage {
		mem.moved = true
		if len(mem.partial)+len(line)+len(newline) <= maxPartial {
			mem.partial = append(append(mem.partial, line...), newline...)
		}
		return true
	}
	mem.carriage = ended
	if len(mem.partial) > 0 {
		line = append(mem.partial, line...)
		mem.partial = mem.partial[:0]
	}
	m := e.matchAgain(src, number)
	m.msg = header.Message{Tag: sshdTag, Body: header.TrimEnd(line)}
	missed := m.missed
	m.missed = missed && ended // nothing else says that the line is sshd's
	m.cutLine(line, 1)
	m.missed = missed
	known := e.recognised
	e.join(&e.again, number-1, forever, false)
	ok := ended || len(e.again.messages) > 0 || len(e.again.repeats) > 0
	e.recognised = known || ok
	return ok
}

// newline is how sshd escapes one elsewhere.
const newline = `\012`
