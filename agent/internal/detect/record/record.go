// Package record writes and reads the values in which detection saves what it remembers.
//
// A value is a sequence of numbers of variable length, texts with their length before them, and
// addresses. Reading never panics: a [Decoder] whose value is damaged says so at the end, and gives
// zeros until then.
package record

import (
	"encoding/binary"
	"net/netip"
)

// AppendBool appends one byte.
func AppendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// AppendText appends a text with its length.
func AppendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// AppendAddr appends an address, which may be invalid.
func AppendAddr(b []byte, addr netip.Addr) []byte {
	raw, _ := addr.MarshalBinary() // never fails
	return AppendText(b, string(raw))
}

// Decoder reads a value from its start.
type Decoder struct {
	Rest   []byte // what was not read yet
	Failed bool   // the value is damaged
}

// Done says whether the value was read to its end and was not damaged.
func (d *Decoder) Done() bool { return !d.Failed && len(d.Rest) == 0 }

func (d *Decoder) take(n uint64) []byte {
	if d.Failed || n > uint64(len(d.Rest)) {
		d.Failed = true
		return nil
	}
	taken := d.Rest[:n]
	d.Rest = d.Rest[n:]
	return taken
}

// Uvarint reads what [binary.AppendUvarint] appended.
func (d *Decoder) Uvarint() uint64 {
	v, n := binary.Uvarint(d.Rest)
	if n <= 0 {
		d.Failed = true
		return 0
	}
	d.take(uint64(n))
	return v
}

// Varint reads what [binary.AppendVarint] appended.
func (d *Decoder) Varint() int64 {
	v, n := binary.Varint(d.Rest)
	if n <= 0 {
		d.Failed = true
		return 0
	}
	d.take(uint64(n))
	return v
}

// Byte reads one byte.
func (d *Decoder) Byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

// Bool reads what AppendBool appended.
func (d *Decoder) Bool() bool { return d.Byte() == 1 }

// Uint64 reads eight bytes, the highest first.
func (d *Decoder) Uint64() uint64 {
	if b := d.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// Text reads what AppendText appended.
func (d *Decoder) Text() string { return string(d.take(d.Uvarint())) }

// Addr reads what AppendAddr appended.
func (d *Decoder) Addr() (addr netip.Addr) {
	if addr.UnmarshalBinary([]byte(d.Text())) != nil {
		d.Failed = true
	}
	return addr
}
