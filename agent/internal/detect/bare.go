package detect

import (
	"bytes"
	"encoding/binary"

	"github.com/pialert/pialert/agent/internal/header"
)

// A file that `sshd -E` writes has neither headers nor process numbers: lines are joined by address
// and port. sshd ends its messages with a carriage return there, and does not escape the newlines
// of a name, so that a message may take several lines. A client that puts carriage returns into its
// name as well cannot be told from sshd: only syslog and the journal are safe from that.

// maxPartial bounds a message that takes several lines, in bytes.
const maxPartial = 4 << 10

// feedBare reads a line without a header.
func (e *Engine) feedBare(src *Source, line []byte) {
	m := src.mem
	ended := bytes.HasSuffix(line, []byte("\r"))
	if ended || len(m.partial) > 0 {
		m.moved = true
	}
	if !ended && m.carriage {
		m.moved = true
		if len(m.partial)+len(line)+len(newline) <= maxPartial {
			m.partial = append(append(m.partial, line...), newline...)
		}
		return
	}
	m.carriage = ended
	if len(m.partial) > 0 {
		line = append(m.partial, line...)
		m.partial = m.partial[:0]
	}
	e.msg = header.Message{Tag: sshdTag, Body: header.TrimEnd(line)}
	e.feedMessage(src, line, 1)
}

// newline is how sshd escapes one elsewhere.
const newline = `\012`

// bareKey returns the key of the connection that a line without a process belongs to: that of its
// address and port or, failing that, one whose address or port no line has named yet.
func (e *Engine) bareKey(f *finding, key connectionKey) connectionKey {
	if !f.fields.Source.IsValid() {
		if c := f.mem.conns.find(key); c != nil && c.addr.IsValid() {
			e.forget(f.mem, c) // its address was told: a line without one is of another connection
		}
		return key
	}
	raw := f.fields.Source.As16()
	key.id = hash(raw[:])
	alone := key
	if f.fields.Port == 0 {
		return key
	}
	key.id = hash(binary.BigEndian.AppendUint16(raw[:], f.fields.Port))
	if f.mem.conns.find(key) != nil {
		return key
	}
	nobody := connectionKey{host: key.host, family: key.family}
	for _, other := range []connectionKey{nobody, alone} {
		if c := f.mem.conns.find(other); c != nil && (c.port == 0 || c.port == f.fields.Port) && (other == alone || !c.addr.IsValid()) {
			return other
		}
	}
	return key
}
