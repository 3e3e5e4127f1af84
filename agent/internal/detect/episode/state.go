package episode

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"

	"github.com/pialert/pialert/agent/internal/value"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/packed"
)

// Changes calls put with what changed since the last call: a source's name and what is known of
// it, nil if that was forgotten. The value belongs to put.
func (d *Detector) Changes(put func(name string, value []byte)) {
	if d.changed == nil {
		d.changed = make(map[key]struct{})
		for k := range d.sources {
			d.touch(k)
		}
	}
	for k := range d.changed {
		var value []byte
		if i, known := d.sources[k]; known {
			value = d.encode(&d.entries[i])
		}
		put(k.String(), value)
	}
	clear(d.changed)
}

// Restore takes back what Changes gave. All of it has to be restored before the first request. A
// value that is damaged, or was saved with another window, is an error: the source then starts
// anew, and is forgotten by the next Changes.
func (d *Detector) Restore(name string, value []byte) error {
	if d.changed == nil {
		d.changed = make(map[key]struct{})
	}
	k, err := parseKey(name)
	if err != nil {
		return err
	}
	e, ok := d.decode(k, value)
	if _, twice := d.sources[k]; !ok || twice || len(d.sources) >= d.limits.MaxSources {
		d.changed[k] = struct{}{}
		return fmt.Errorf("cannot restore what is known of the requests of %s", name)
	}
	d.insert(e)
	d.tidy = false
	return nil
}

// order links restored entries by their last request.
func (d *Detector) order() {
	if d.tidy {
		return
	}
	d.tidy = true
	indexes := make([]int32, 0, len(d.sources))
	for _, i := range d.sources {
		indexes = append(indexes, i)
	}
	slices.SortFunc(indexes, func(a, b int32) int {
		x, y := &d.entries[a], &d.entries[b]
		return cmp.Or(cmp.Compare(x.last, y.last), cmp.Compare(x.key.high, y.key.high), cmp.Compare(x.key.low, y.key.low), cmp.Compare(x.key.bits, y.key.bits))
	})
	d.newest, d.oldest = -1, -1
	for _, i := range indexes {
		d.link(i)
	}
}

// String returns "192.0.2.0/24 GET".
func (k key) String() string { return k.prefix().String() + " " + methods[k.method] }

func parseKey(name string) (key, error) {
	text, method, _ := strings.Cut(name, " ")
	prefix, err := netip.ParsePrefix(text)
	i := slices.Index(methods[:], method)
	if err != nil || prefix.Bits() == 0 || i < 0 || prefix != prefix.Masked() {
		return key{}, fmt.Errorf("cannot restore %q: it names no source of requests", name)
	}
	k := key{bits: uint8(prefix.Bits()), method: uint8(i)}
	k.high, k.low = value.Words(prefix.Addr())
	if prefix.Addr().Is4() {
		k.bits += 96
	}
	return k, nil
}

// encode writes an entry as numbers of variable length: the window's step and steps, the entry's
// last step, its episode, and the counts from the last step backwards until they make the sum.
func (d *Detector) encode(e *entry) []byte {
	b := make([]byte, 0, 24)
	for _, n := range []uint64{uint64(d.step), uint64(d.steps), uint64(e.last), e.requests, e.reported, uint64(e.eventStep)} {
		b = binary.AppendUvarint(b, n)
	}
	for s, left := e.last, e.sum; left > 0 && s > e.last-d.steps; s-- {
		n := e.counts[(s+d.steps)%d.steps]
		b = binary.AppendUvarint(b, uint64(n))
		left -= n
	}
	return b
}

// decode reads what encode wrote, and refuses what it cannot have written with the same window.
func (d *Detector) decode(k key, b []byte) (e entry, ok bool) {
	r := packed.Reader{Rest: b}
	step, steps := r.Uvarint(), r.Uvarint()
	last, requests, reported, eventStep := r.Uvarint(), r.Uvarint(), r.Uvarint(), r.Uvarint()
	if r.Failed || step != uint64(d.step) || steps != uint64(d.steps) ||
		last > math.MaxInt32*1000 || requests > attack.MaxEpisode || reported > requests || eventStep > last {
		return e, false
	}
	e = entry{key: k, last: int64(last), requests: requests, reported: reported, eventStep: int64(eventStep)}
	for s := e.last; len(r.Rest) > 0; s-- {
		n := r.Uvarint()
		if n > 1<<27 || s <= e.last-d.steps || s < 0 {
			return e, false
		}
		e.counts[s%d.steps] = uint32(n)
		e.sum += uint32(n)
	}
	return e, !r.Failed
}
