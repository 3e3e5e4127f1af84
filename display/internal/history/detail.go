package history

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/packed"
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
	r := reader{packed.Reader{Rest: b[1:]}}
	d := attack.Decode(b[0], &r)
	switch {
	case d == nil:
		return nil, fmt.Errorf("detail %d is unknown", b[0])
	case !r.Done():
		return nil, fmt.Errorf("detail %d is cut or too long", b[0])
	}
	return d, nil
}

// writer appends the fields of a detail.
type writer struct{ b []byte }

func (w *writer) Text(_ int, _ string, value *string, _ int) {
	w.b = packed.AppendText(w.b, *value)
}

func (w *writer) Flag(_ int, _ string, value *bool) {
	w.b = packed.AppendBool(w.b, *value)
}

func (w *writer) Number(_ int, _ string, value *uint64, _ uint64) {
	w.b = binary.AppendUvarint(w.b, *value)
}

func (w *writer) Phase(_ int, _ string, value *attack.Phase) {
	w.b = binary.AppendUvarint(w.b, uint64(*value))
}

func (w *writer) Network(_ int, _ string, value *netip.Prefix, _ bool) {
	w.b = packed.AppendText(w.b, value.Addr().AsSlice())
	w.b = binary.AppendUvarint(w.b, uint64(max(value.Bits(), 0)))
}

func (w *writer) Span(_ int, _ string, value *time.Duration) {
	w.b = binary.AppendUvarint(w.b, uint64(*value))
}

// reader takes the fields of a detail from its encoded form.
type reader struct{ packed.Reader }

func (r *reader) Text(_ int, _ string, value *string, _ int) { *value = r.Reader.Text() }

func (r *reader) Flag(_ int, _ string, value *bool) { *value = r.Bool() }

func (r *reader) Number(_ int, _ string, value *uint64, _ uint64) { *value = r.Uvarint() }

func (r *reader) Phase(_ int, _ string, value *attack.Phase) { *value = attack.Phase(r.Uvarint()) }

func (r *reader) Network(_ int, _ string, value *netip.Prefix, _ bool) {
	addr, _ := netip.AddrFromSlice(r.Bytes())
	if network := netip.PrefixFrom(addr, int(min(r.Uvarint(), 129))); network.IsValid() {
		*value = network
	}
}

func (r *reader) Span(_ int, _ string, value *time.Duration) { *value = time.Duration(r.Uvarint()) }
