package detect

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/packed"
)

// Keys of what is remembered of web logs.
const (
	floodKey        = "web/flood/"
	reportKeyPrefix = "web/report/"
)

// changesWeb calls put with what changed since it was last called, see [Engine.Changes].
func (e *Engine) changesWeb(put func(key string, value []byte)) {
	if !e.opts.Remember {
		return
	}
	if e.web.floods != nil {
		e.web.floods.Changes(func(name string, value []byte) { put(floodKey+name, value) })
	}
	t := &e.web.duplicates
	t.tidy()
	if t.changed == nil {
		t.changed = map[uint64]struct{}{}
		for i := range t.ring {
			t.changed[uint64(i)] = struct{}{}
		}
	}
	for slot := range t.changed {
		var value []byte
		if w := &t.ring[slot]; w.place != 0 {
			value = w.encode()
		}
		put(reportKeyPrefix+strconv.FormatUint(slot, 10), value)
	}
	clear(t.changed)
}

// restoreWeb takes back what changesWeb gave. It reports whether the key is of web logs. What is
// damaged is an error, and forgotten by the next changesWeb.
func (e *Engine) restoreWeb(key string, value []byte) (mine bool, err error) {
	if name, ok := strings.CutPrefix(key, floodKey); ok {
		if e.web.floods == nil {
			return true, nil
		}
		return true, e.web.floods.Restore(name, value)
	}
	number, ok := strings.CutPrefix(key, reportKeyPrefix)
	if !ok {
		return false, nil
	}
	slot, err := strconv.ParseUint(number, 10, 16)
	t := &e.web.duplicates
	if t.changed == nil {
		t.changed = map[uint64]struct{}{}
	}
	if t.ring == nil {
		t.ring = make([]report, maxReports)
	}
	if err != nil || slot >= maxReports {
		return true, fmt.Errorf("cannot restore %q: there is no such place", key)
	}
	w, ok := decodeReport(value)
	if !ok || (w.place-1)%maxReports != slot {
		t.changed[slot] = struct{}{}
		return true, fmt.Errorf("cannot restore %q: its value is damaged", key)
	}
	t.ring[slot] = w
	t.next = max(t.next, w.place)
	t.untidy = true
	return true, nil
}

// encode writes an event that waits.
func (w *report) encode() []byte {
	b := binary.AppendUvarint(make([]byte, 0, 32), w.place)
	b = binary.AppendUvarint(b, uint64(w.kind))
	b = packed.AppendBool(packed.AppendBool(b, w.key.access), w.anyKind)
	b = binary.AppendUvarint(b, uint64(w.status))
	b = binary.AppendVarint(b, w.sec)
	b = binary.AppendUvarint(b, w.key.host)
	return packed.AppendAddr(b, w.key.addr)
}

func decodeReport(value []byte) (w report, ok bool) {
	d := packed.Reader{Rest: value}
	w.place, w.kind = d.Uvarint(), attack.Kind(d.Uvarint())
	w.key.access, w.anyKind = d.Bool(), d.Bool()
	w.status, w.sec, w.key.host, w.key.addr = uint16(d.Uvarint()), d.Varint(), d.Uvarint(), d.Addr()
	return w, d.Done() && w.place > 0 && w.place <= 1<<62 && w.kind.Valid()
}
