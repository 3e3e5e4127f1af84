package connection

import (
	"encoding/binary"
	"net/netip"

	"github.com/pialert/pialert/agent/internal/rule"
)

// One process of OpenSSH lets a user in and another one serves the session. When a session's
// connection breaks, that one writes what a client leaves behind that never logged in: only its
// address and port say that somebody had.

// maxSessions bounds the sessions that are remembered per log. Above it the oldest is forgotten.
const maxSessions = 512

// sessionKey is the key of the session of a connection's peer. Its family is that of no service.
func sessionKey(k key, addr netip.Addr, port uint16) key {
	var room [18]byte
	raw := addr.As16()
	peer := binary.BigEndian.AppendUint16(append(room[:0], raw[:]...), port)
	return key{host: k.host, id: Hash(peer), family: ^k.family, log: k.log}
}

// openSession remembers that somebody was let in.
func (l *Log) openSession(line *Line, own key, addr netip.Addr, port uint16) {
	if line.Rule.Join != rule.JoinPID || line.Bare || !addr.IsValid() || port == 0 {
		return
	}
	k := sessionKey(own, addr, port)
	c := l.conns.find(k)
	if c == nil {
		for l.conns.lengths[session] >= maxSessions {
			l.drop(l.conns.oldest(session))
		}
		c = l.open(k)
	}
	c.addr, c.port, c.accepted = addr, port, true
	c.seen, c.observed = line.Sec, line.Observed/1e9
	l.conns.touch(c, session)
	l.change(c)
}

// inSession says whether somebody was let in from where a connection comes from.
func (l *Log) inSession(c *connection) bool {
	if !c.addr.IsValid() || c.port == 0 {
		return false
	}
	k := sessionKey(c.key, c.addr, c.port)
	_, aside := l.summaries[k]
	return aside || l.conns.find(k) != nil
}
