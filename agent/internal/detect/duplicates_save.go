package detect

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/pialert/pialert/pkg/attack"
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

// encode writes an event that waits: its place, kind, flags, time and whose it is.
func (w *report) encode() []byte {
	b := binary.AppendUvarint(make([]byte, 0, 32), w.place)
	flags := byte(0)
	if w.key.access {
		flags |= 1
	}
	if w.anyKind {
		flags |= 2
	}
	b = append(b, byte(w.kind), flags)
	b = binary.AppendVarint(b, w.sec)
	b = binary.AppendUvarint(b, w.key.host)
	return append(b, w.key.addr.AsSlice()...)
}

func decodeReport(b []byte) (w report, ok bool) {
	place, n := binary.Uvarint(b)
	if n <= 0 || place == 0 || place > 1<<62 || len(b) < n+2 {
		return w, false
	}
	w.place, w.kind = place, attack.Kind(b[n])
	w.key.access, w.anyKind = b[n+1]&1 != 0, b[n+1]&2 != 0
	b = b[n+2:]
	if w.sec, n = binary.Varint(b); n <= 0 {
		return w, false
	}
	b = b[n:]
	if w.key.host, n = binary.Uvarint(b); n <= 0 {
		return w, false
	}
	if b = b[n:]; len(b) > 0 {
		if w.key.addr, ok = netip.AddrFromSlice(b); !ok {
			return w, false
		}
	}
	return w, w.kind.Valid()
}
