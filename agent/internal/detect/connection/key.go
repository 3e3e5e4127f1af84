package connection

import (
	"encoding/binary"
	"net/netip"

	"github.com/pialert/pialert/agent/internal/rule"
)

// keyOf returns the key of the connection that a line belongs to, and false if nothing in the line
// says which that is.
func (l *Log) keyOf(line *Line) (key, bool) {
	f := &line.Fields
	k := key{host: line.Host, id: uint64(line.PID), family: line.Rule.Family(), log: l.number}
	switch {
	case line.Rule.Join != rule.JoinPID:
		k.host = 0
		switch {
		case f.Source.IsValid() && f.Port != 0 && line.Rule.Join == rule.JoinPeer:
			raw := f.Source.As16()
			k.id = Hash(binary.BigEndian.AppendUint16(raw[:], f.Port))
			return k, true
		case f.Source.IsValid():
			return l.sourceKey(k.family, f.Source), true
		case f.Host != (rule.Span{}):
			k.id = Hash(f.Host.In(line.Text))
		default:
			return k, false
		}
	case f.PID != 0:
		k.id = uint64(f.PID)
	case line.Bare:
		k = l.bareKey(line, k)
	}
	return k, true
}

// sourceKey is the key of what lines of a service that are joined by source say of an address.
func (l *Log) sourceKey(family uint32, source netip.Addr) key {
	raw := source.As16()
	return key{id: Hash(raw[:]), family: family, log: l.number}
}

// bareKey returns the key of the connection that a line without a process belongs to: that of its
// address and port or, failing that, one whose address or port no line has named yet.
func (l *Log) bareKey(line *Line, k key) key {
	f := &line.Fields
	if !f.Source.IsValid() {
		if c := l.conns.find(k); c != nil && c.addr.IsValid() {
			l.forget(c) // its address is known: a line without one is of another connection
		}
		return k
	}
	raw := f.Source.As16()
	k.id = Hash(raw[:])
	alone := k
	if f.Port == 0 {
		return k
	}
	k.id = Hash(binary.BigEndian.AppendUint16(raw[:], f.Port))
	if l.conns.find(k) != nil {
		return k
	}
	nobody := key{host: k.host, family: k.family, log: k.log}
	for _, other := range []key{nobody, alone} {
		if c := l.conns.find(other); c != nil && (c.port == 0 || c.port == f.Port) && (other == alone || !c.addr.IsValid()) {
			return other
		}
	}
	return k
}
