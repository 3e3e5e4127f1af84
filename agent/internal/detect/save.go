package detect

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/pialert/pialert/agent/internal/rule"
	"github.com/pialert/pialert/pkg/packed"
)

// Keys of what is saved: a kind, and the log's name with what tells its entries apart behind a NUL.
const (
	keyLog        = "log\x00"        // what is known of a log's form
	keyConnection = "connection\x00" // its clock, and one connection each
	keyLast       = "last\x00"       // the last line of a host
	keyLogin      = "login\x00"      // who failed and who got in
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
	if e.opts.Remember {
		e.logins.Changes(func(key string, value []byte) { put(keyLogin+key, value) })
		e.changesSpreads(put)
	}
	e.changesWeb(put)
}

// save hands on what changed of a log.
func (m *memory) save(put func(key string, value []byte)) {
	m.conns.Changes(func(key string, value []byte) { put(keyConnection+m.name+"\x00"+key, value) })
	for i := range m.lasts {
		if l := &m.lasts[i]; l.changed {
			l.changed = false
			var value []byte
			if l.used > 0 {
				value = binary.AppendUvarint(nil, l.used)
				value = append(binary.BigEndian.AppendUint64(value, l.host), l.line...)
			}
			put(m.lastKey(i), value)
		}
	}
	if m.moved {
		m.moved = false
		value := packed.AppendBool(packed.AppendBool(nil, m.structured), m.carriage)
		put(keyLog+m.name, packed.AppendText(value, string(m.partial)))
	}
}

// erase deletes what was saved of a log that is gone.
func (m *memory) erase(put func(key string, value []byte)) {
	m.conns.Erase(func(key string, value []byte) { put(keyConnection+m.name+"\x00"+key, value) })
	for i := range m.lasts {
		put(m.lastKey(i), nil)
	}
	put(keyLog+m.name, nil)
}

// lastKey is where the last line at a place is saved.
func (m *memory) lastKey(i int) string { return keyLast + m.name + "\x00" + string(rune('0'+i)) }

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
	case keyScan, keySpray, keyDistributed:
		err = e.restoreSpread(kind, rest, value)
	case keyLogin:
		err = e.logins.Restore(rest, value)
	case keyConnection:
		err = e.memory(name).conns.Restore(part, value)
	default:
		return e.restoreWeb(key, value)
	}
	if err != nil {
		err = fmt.Errorf("cannot restore %q: %w", key, err)
	}
	return true, err
}

func (m *memory) restoreLog(value []byte) error {
	d := packed.Reader{Rest: value}
	structured, carriage, partial := d.Bool(), d.Bool(), d.Text()
	if !d.Done() {
		// The first form began with the clock of the log, and had its type behind.
		d = packed.Reader{Rest: value}
		d.Varint()
		structured, carriage, partial = d.Bool(), d.Bool(), d.Text()
		if typ := rule.Type(d.Rest); typ != "" && !slices.Contains(rule.Types(), typ) {
			return errSaved
		}
	}
	if d.Failed || len(partial) > maxPartial {
		return errSaved
	}
	m.structured, m.carriage, m.partial = structured, carriage, []byte(partial)
	return nil
}

func (m *memory) restoreLast(part string, value []byte) error {
	d := packed.Reader{Rest: value}
	used, host := d.Uvarint(), d.Uint64()
	number, size := utf8.DecodeRuneInString(part)
	at := int(number - '0')
	if d.Failed || size != len(part) || at < 0 || at >= maxHosts || used == 0 || len(d.Rest) > maxLast {
		return errSaved
	}
	for len(m.lasts) <= at {
		m.lasts = append(m.lasts, lastLine{})
	}
	if m.lasts[at].used > 0 {
		delete(m.places, m.lasts[at].host)
	}
	if other, ok := m.places[host]; ok {
		m.lasts[other].used = 0
	}
	if m.places == nil {
		m.places = map[uint64]int{}
	}
	m.lasts[at], m.places[host] = lastLine{host: host, used: used, line: slices.Clone(d.Rest)}, at
	m.uses = max(m.uses, used)
	return nil
}
