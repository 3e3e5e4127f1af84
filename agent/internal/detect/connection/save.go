package connection

import (
	"encoding/binary"
	"encoding/hex"
	"errors"

	"github.com/pialert/pialert/pkg/packed"
)

// keyClock is the key of the clock; those of connections are longer.
const keyClock = "clock"

// Changes hands what changed since the last call to put, as keys and values; a nil value means that
// the key is gone.
func (l *Log) Changes(put func(key string, value []byte)) {
	for k := range l.removed {
		if _, ok := l.summaries[k]; !ok && l.conns.find(k) == nil {
			put(k.String(), nil)
		}
	}
	if len(l.removed) > keptChanges {
		l.removed = map[key]struct{}{}
	}
	clear(l.removed)
	for _, k := range l.changed {
		if c := l.conns.find(k); c != nil && c.changed {
			c.changed, c.saved = false, true
			put(k.String(), c.encode())
		} else if s, ok := l.summaries[k]; ok && c == nil {
			var c connection
			s.restore(&c)
			put(k.String(), c.encode())
		}
	}
	if l.changed = l.changed[:0]; cap(l.changed) > keptChanges {
		l.changed = nil
	}
	if l.moved {
		l.moved = false
		put(keyClock, binary.AppendVarint(nil, l.clock))
	}
}

// Erase deletes what was saved of a Log that remembers nothing any more.
func (l *Log) Erase(put func(key string, value []byte)) {
	for k := range l.removed {
		put(k.String(), nil)
	}
	put(keyClock, nil)
}

// String returns the key as it is saved.
func (k key) String() string {
	b := binary.BigEndian.AppendUint64(nil, k.host)
	b = binary.BigEndian.AppendUint64(b, k.id)
	b = binary.BigEndian.AppendUint32(b, k.family)
	return hex.EncodeToString(b)
}

// errSaved means that a saved value is not one of ours.
var errSaved = errors.New("what was saved of a connection is damaged")

// Restore takes back one key and value that Changes gave. Call it before the first Join. A value
// that is damaged gives an error and changes nothing.
func (l *Log) Restore(name string, value []byte) error {
	d := packed.Reader{Rest: value}
	if name == keyClock {
		clock := d.Varint()
		if !d.Done() {
			return errSaved
		}
		l.clock = clock
		return nil
	}
	raw, err := hex.DecodeString(name)
	if err != nil || len(raw) != 20 {
		return errSaved
	}
	k := key{binary.BigEndian.Uint64(raw), binary.BigEndian.Uint64(raw[8:]), binary.BigEndian.Uint32(raw[16:]), l.number}
	var c connection
	if !l.decode(&d, &c) || l.conns.find(k) != nil {
		return errSaved
	}
	// This one, or one on which nothing is pending, was evicted.
	if l.conns.used >= MaxConnections || l.connections >= MaxAllConnections {
		if c.list == settled {
			l.setAside(k, &c)
			return nil
		}
		if last := l.conns.oldest(settled); last != nil {
			l.setAside(last.key, last)
			l.leave(last)
		} else if l.conns.used >= MaxConnections {
			return errSaved
		}
	}
	l.conns.restore(k, &c)
	l.entered()
	return nil
}

// restore puts a connection that was saved back into its place in its list.
func (t *table) restore(k key, c *connection) {
	entry := t.add(k)
	i := t.unlink(entry)
	links := *entry
	*entry = *c
	t.lengths[c.list]++
	entry.key, entry.chain, entry.saved = k, links.chain, true
	entry.prev, entry.next = t.tails[c.list], none
	for entry.prev != none && t.entries[entry.prev].touched > c.touched {
		entry.next, entry.prev = entry.prev, t.entries[entry.prev].prev
	}
	if entry.prev == none {
		t.heads[c.list] = i
	} else {
		t.entries[entry.prev].next = i
	}
	if entry.next == none {
		t.tails[c.list] = i
	} else {
		t.entries[entry.next].prev = i
	}
	t.touches = max(t.touches, c.touched)
}

// encode writes a connection without its key.
func (c *connection) encode() []byte {
	b := binary.AppendUvarint(nil, c.touched)
	b = binary.AppendVarint(b, c.seen)
	b = binary.AppendVarint(b, c.observed)
	b = append(b, byte(c.list))
	b = packed.AppendAddr(b, c.addr)
	b = binary.AppendUvarint(b, uint64(c.port))
	b = binary.AppendUvarint(b, uint64(c.attempts))
	b = binary.AppendUvarint(b, uint64(c.inAdvance))
	for _, attempts := range c.reported {
		b = binary.AppendUvarint(b, uint64(attempts))
	}
	b = packed.AppendBool(packed.AppendBool(b, c.counted), c.accepted)
	p := &c.pending
	if p.Rule == nil {
		return packed.AppendText(b, "")
	}
	b = packed.AppendText(b, p.Rule.ID)
	b = binary.AppendUvarint(b, p.Count)
	b = packed.AppendAddr(b, p.Addr)
	b = binary.AppendUvarint(b, uint64(p.Port))
	for _, text := range []string{p.Host, p.User, p.Method, p.Reason, p.Target, p.TTY, p.Log} {
		b = packed.AppendText(b, text)
	}
	b = packed.AppendBool(packed.AppendBool(b, p.InvalidUser), p.Dated)
	b = binary.AppendVarint(b, p.Sec)
	b = binary.AppendVarint(b, int64(p.Nsec))
	b = binary.AppendVarint(b, p.Observed)
	if p.Machine != "" { // which earlier versions did not write
		b = packed.AppendText(b, p.Machine)
	}
	return b
}

// decode reads what encode wrote. What was pending for a rule that is gone is dropped.
func (l *Log) decode(d *packed.Reader, c *connection) bool {
	c.touched, c.seen, c.observed, c.list = d.Uvarint(), d.Varint(), d.Varint(), listID(d.Byte())
	c.addr, c.port = d.Addr(), uint16(d.Uvarint())
	c.attempts, c.inAdvance = uint32(d.Uvarint()), uint32(d.Uvarint())
	for i := range c.reported {
		c.reported[i] = uint32(d.Uvarint())
	}
	c.counted, c.accepted = d.Bool(), d.Bool()
	if id := d.Text(); id != "" {
		p := &c.pending
		p.Rule, _ = l.rules.Show(id)
		p.Count, p.Addr, p.Port = d.Uvarint(), d.Addr(), uint16(d.Uvarint())
		p.Host, p.User, p.Method, p.Reason, p.Target, p.TTY, p.Log = d.Text(), d.Text(), d.Text(), d.Text(), d.Text(), d.Text(), d.Text()
		p.InvalidUser, p.Dated = d.Bool(), d.Bool()
		p.Sec, p.Nsec, p.Observed = d.Varint(), int32(d.Varint()), d.Varint()
		if len(d.Rest) > 0 {
			p.Machine = d.Text()
		}
		if p.Rule == nil || p.Rule.Ready() != nil {
			c.clear()
		}
	}
	if c.pending.Rule == nil && c.list != session {
		c.list = settled
	}
	return d.Done() && c.list < lists
}
