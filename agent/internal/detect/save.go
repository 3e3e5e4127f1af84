package detect

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/pialert/pialert/agent/internal/rule"
)

// Keys of what is saved: a kind, and the log's name with what tells its entries apart behind a NUL.
const (
	keyLog        = "log\x00"        // clock, type and the like of a log
	keyConnection = "connection\x00" // one connection
	keyLast       = "last\x00"       // the last line of a host
)

// Changes hands what changed in memory since the last call to put, as keys and values; a nil value
// means that the key is gone. Saved and given back to [Engine.Restore] of a new Engine with the
// same rules, together with the position behind the last line fed, they make it go on as this one
// would have. Without [Options.Remember] there are none.
func (e *Engine) Changes(put func(key string, value []byte)) {
	for _, mem := range e.gone {
		mem.erase(put)
	}
	e.gone = nil
	for _, mem := range e.memories {
		mem.save(put)
	}
	e.changesWeb(put)
}

// change notes that a connection is to be saved.
func (e *Engine) change(mem *memory, c *connection) {
	if e.opts.Remember && !c.changed {
		c.changed = true
		mem.changed = append(mem.changed, c.key)
	}
}

// drop forgets a connection.
func (e *Engine) drop(mem *memory, c *connection) {
	if c.saved {
		mem.removed[c.key] = struct{}{}
	}
	mem.conns.remove(c)
}

func (m *memory) save(put func(key string, value []byte)) {
	for key := range m.removed {
		if c := m.conns.find(key); c == nil {
			put(m.connectionKey(key), nil)
		}
	}
	clear(m.removed)
	for _, key := range m.changed {
		if c := m.conns.find(key); c != nil && c.changed {
			c.changed, c.saved = false, true
			put(m.connectionKey(key), c.encode())
		}
	}
	m.changed = m.changed[:0]
	for i := range m.lasts {
		if l := &m.lasts[i]; l.changed {
			l.changed = false
			key := m.lastKey(i)
			if l.used == 0 {
				put(key, nil)
			} else {
				value := binary.AppendUvarint(nil, l.used)
				put(key, append(binary.BigEndian.AppendUint64(value, l.host), l.line...))
			}
		}
	}
	if m.moved {
		m.moved = false
		value := binary.AppendVarint(nil, m.clock)
		value = appendBool(appendBool(value, m.stamped), m.carriage)
		value = appendText(value, string(m.partial))
		put(keyLog+m.name, append(value, m.typ...))
	}
}

func (m *memory) lastKey(i int) string { return keyLast + m.name + "\x00" + string(rune('0'+i)) }

func (m *memory) connectionKey(key connectionKey) string {
	b := binary.BigEndian.AppendUint64(nil, key.host)
	b = binary.BigEndian.AppendUint64(b, key.id)
	b = binary.BigEndian.AppendUint32(b, key.family)
	return keyConnection + m.name + "\x00" + hex.EncodeToString(b)
}

// errSaved means that a saved value is not one of ours.
var errSaved = errors.New("saved memory of detection is damaged")

// Restore takes back one key and value that Changes gave. Call it before the first Feed. Keys that
// are not detection's give ok = false; a value that is damaged gives an error and changes nothing.
func (e *Engine) Restore(key string, value []byte) (ok bool, err error) {
	kind, rest, _ := strings.Cut(key, "\x00")
	name, part, _ := strings.Cut(rest, "\x00")
	switch kind + "\x00" {
	case keyLog:
		err = e.memory(name).restoreLog(value)
	case keyLast:
		err = e.memory(name).restoreLast(part, value)
	case keyConnection:
		err = e.restoreConnection(e.memory(name), part, value)
	default:
		return e.restoreWeb(key, value)
	}
	if err != nil {
		err = fmt.Errorf("cannot restore %q: %w", key, err)
	}
	return true, err
}

func (m *memory) restoreLog(value []byte) error {
	d := decoder{rest: value}
	clock, stamped, carriage, partial := d.varint(), d.bool(), d.bool(), d.text()
	typ := rule.Type(d.rest)
	if d.failed || len(partial) > maxPartial || typ != "" && !slices.Contains(rule.Types(), typ) {
		return errSaved
	}
	m.clock, m.stamped, m.typ, m.carriage, m.partial = clock, stamped, typ, carriage, []byte(partial)
	return nil
}

func (m *memory) restoreLast(part string, value []byte) error {
	d := decoder{rest: value}
	used, host := d.uvarint(), d.uint64()
	if d.failed || len(part) != 1 || part[0] < '0' || int(part[0]-'0') >= maxHosts || used == 0 || len(d.rest) > maxLast {
		return errSaved
	}
	l := &m.lasts[part[0]-'0']
	if l.used == 0 {
		m.kept++
	}
	*l = lastLine{host: host, used: used, line: slices.Clone(d.rest)}
	if m.uses = max(m.uses, used); used == m.uses {
		m.recent = int(part[0] - '0')
	}
	return nil
}

func (e *Engine) restoreConnection(mem *memory, part string, value []byte) error {
	raw, err := hex.DecodeString(part)
	if err != nil || len(raw) != 20 {
		return errSaved
	}
	key := connectionKey{binary.BigEndian.Uint64(raw), binary.BigEndian.Uint64(raw[8:]), binary.BigEndian.Uint32(raw[16:])}
	var c connection
	if !c.decode(value, e.opts.Rules) || mem.conns.used >= maxConnections || mem.conns.find(key) != nil {
		return errSaved
	}
	mem.conns.restore(key, &c)
	return nil
}

// restore puts a connection that was saved back into its place in its list.
func (t *connections) restore(key connectionKey, c *connection) {
	entry := t.add(key)
	i := t.unlink(entry)
	links := *entry
	*entry = *c
	entry.key, entry.chain, entry.saved = key, links.chain, true
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
	b = appendAddr(b, c.addr)
	b = binary.AppendUvarint(b, uint64(c.port))
	b = binary.AppendUvarint(b, uint64(c.attempts))
	b = binary.AppendUvarint(b, uint64(c.advance))
	for _, attempts := range c.reported {
		b = binary.AppendUvarint(b, uint64(attempts))
	}
	b = appendBool(appendBool(b, c.counted), c.accepted)
	p := &c.pending
	if p.rule == nil {
		return appendText(b, "")
	}
	b = appendText(b, p.rule.ID)
	b = binary.AppendUvarint(b, p.count)
	b = appendAddr(b, p.addr)
	b = binary.AppendUvarint(b, uint64(p.port))
	for _, text := range []string{p.host, p.user, p.method, p.reason} {
		b = appendText(b, text)
	}
	b = appendBool(appendBool(b, p.exact), p.dated)
	b = binary.AppendVarint(b, p.sec)
	b = binary.AppendVarint(b, int64(p.nsec))
	return binary.AppendVarint(b, p.observed)
}

// decode reads what encode wrote. What was pending for a rule that is gone is dropped.
func (c *connection) decode(value []byte, rules *rule.Set) bool {
	d := decoder{rest: value}
	c.touched, c.seen, c.observed, c.list = d.uvarint(), d.varint(), d.varint(), listID(d.byte())
	c.addr, c.port = d.addr(), uint16(d.uvarint())
	c.attempts, c.advance = uint32(d.uvarint()), uint32(d.uvarint())
	for i := range c.reported {
		c.reported[i] = uint32(d.uvarint())
	}
	c.counted, c.accepted = d.bool(), d.bool()
	if id := d.text(); id != "" {
		p := &c.pending
		p.rule, _ = rules.Show(id)
		p.count, p.addr, p.port = d.uvarint(), d.addr(), uint16(d.uvarint())
		p.host, p.user, p.method, p.reason = d.text(), d.text(), d.text(), d.text()
		p.exact, p.dated = d.bool(), d.bool()
		p.sec, p.nsec, p.observed = d.varint(), int32(d.varint()), d.varint()
		if p.rule == nil || p.rule.Ready() != nil {
			c.clear()
		}
	}
	if c.pending.rule == nil {
		c.list = settled
	}
	return !d.failed && len(d.rest) == 0 && c.list < lists
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

func appendAddr(b []byte, addr netip.Addr) []byte {
	raw, _ := addr.MarshalBinary() // never fails
	return appendText(b, string(raw))
}

// decoder reads values that may be damaged. Once one is, failed is set and all else is zero.
type decoder struct {
	rest   []byte
	failed bool
}

func (d *decoder) take(n uint64) []byte {
	if d.failed || n > uint64(len(d.rest)) {
		d.failed = true
		return nil
	}
	taken := d.rest[:n]
	d.rest = d.rest[n:]
	return taken
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.failed = true
		return 0
	}
	d.take(uint64(n))
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.rest)
	if n <= 0 {
		d.failed = true
		return 0
	}
	d.take(uint64(n))
	return v
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) bool() bool { return d.byte() == 1 }

func (d *decoder) uint64() uint64 {
	if b := d.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (d *decoder) text() string { return string(d.take(d.uvarint())) }

func (d *decoder) addr() (addr netip.Addr) {
	if addr.UnmarshalBinary([]byte(d.text())) != nil {
		d.failed = true
	}
	return addr
}
