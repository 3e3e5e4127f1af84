package history

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// The first byte of an encoded detail is its number. The fields follow in the order of the Go
// type: numbers as unsigned varints, text as its length and its bytes.

// appendDetail encodes a detail; nil is nothing.
func appendDetail(b []byte, d attack.Detail) []byte {
	if d == nil {
		return b
	}
	w := writer{append(b, d.Number())}
	attack.Encode(d, &w)
	return w.b
}

// decodeDetail is the inverse of appendDetail.
func decodeDetail(b []byte) (attack.Detail, error) {
	if len(b) == 0 {
		return nil, nil
	}
	r := reader{rest: b[1:]}
	d := attack.Decode(b[0], &r)
	switch {
	case d == nil:
		return nil, fmt.Errorf("detail %d is unknown", b[0])
	case r.short || len(r.rest) > 0:
		return nil, fmt.Errorf("detail %d is cut or too long", b[0])
	}
	return d, nil
}

// writer appends the fields of a detail.
type writer struct{ b []byte }

func (w *writer) Text(_ int, _ string, value *string, _ int) {
	w.b = append(binary.AppendUvarint(w.b, uint64(len(*value))), *value...)
}

func (w *writer) Flag(_ int, _ string, value *bool) {
	w.b = binary.AppendUvarint(w.b, uint64(flag(*value)))
}

func (w *writer) Number(_ int, _ string, value *uint64, _ uint64) {
	w.b = binary.AppendUvarint(w.b, *value)
}

func (w *writer) Phase(_ int, _ string, value *attack.Phase) { w.b = append(w.b, byte(*value)) }

func (w *writer) Network(_ int, _ string, value *netip.Prefix, _ bool) {
	addr := value.Addr().AsSlice()
	w.b = append(binary.AppendUvarint(w.b, uint64(len(addr))), addr...)
	w.b = binary.AppendUvarint(w.b, uint64(max(value.Bits(), 0)))
}

func (w *writer) Span(_ int, _ string, value *time.Duration) {
	w.b = binary.AppendUvarint(w.b, uint64(*value))
}

// reader takes the fields of a detail from its encoded form.
type reader struct {
	rest  []byte
	short bool // more was read than there is
}

func (r *reader) number() uint64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 {
		r.short, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *reader) bytes() []byte {
	n := r.number()
	if n > uint64(len(r.rest)) {
		r.short, r.rest = true, nil
		return nil
	}
	text := r.rest[:n]
	r.rest = r.rest[n:]
	return text
}

func (r *reader) Text(_ int, _ string, value *string, _ int) { *value = string(r.bytes()) }

func (r *reader) Flag(_ int, _ string, value *bool) { *value = r.number() != 0 }

func (r *reader) Number(_ int, _ string, value *uint64, _ uint64) { *value = r.number() }

func (r *reader) Phase(_ int, _ string, value *attack.Phase) { *value = attack.Phase(r.number()) }

func (r *reader) Network(_ int, _ string, value *netip.Prefix, _ bool) {
	addr, _ := netip.AddrFromSlice(r.bytes())
	if bits := int(min(r.number(), 128)); addr.IsValid() {
		*value = netip.PrefixFrom(addr, bits)
	}
}

func (r *reader) Span(_ int, _ string, value *time.Duration) { *value = time.Duration(r.number()) }
