// Package packed reads and writes what is kept in files in little room: numbers as varints, texts
// behind their lengths.
//
// A [Reader] may read what is damaged or cut: it never fails in the middle, but says at the end
// whether all of it was there.
package packed

import (
	"encoding/binary"
	"net/netip"
)

// AppendText appends a text behind its length.
func AppendText[T ~string | ~[]byte](b []byte, text T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// AppendBool appends a truth as one byte, 1 or 0.
func AppendBool(b []byte, truth bool) []byte {
	if truth {
		return append(b, 1)
	}
	return append(b, 0)
}

// AppendAddr appends an address, which may be invalid, behind its length.
func AppendAddr(b []byte, addr netip.Addr) []byte {
	raw, _ := addr.MarshalBinary() // never fails
	return AppendText(b, raw)
}

// Reader takes values from the beginning of Rest. Once one is not there, Failed is set, nothing is
// left, and every further value is zero.
type Reader struct {
	Rest   []byte
	Failed bool
}

// Done says whether everything that was read was there, and nothing is left.
func (r *Reader) Done() bool { return !r.Failed && len(r.Rest) == 0 }

// Take returns the next n bytes, which belong to Rest.
func (r *Reader) Take(n uint64) []byte {
	if n > uint64(len(r.Rest)) {
		r.Failed, r.Rest = true, nil
		return nil
	}
	taken := r.Rest[:n]
	r.Rest = r.Rest[n:]
	return taken
}

// Uvarint returns the next number.
func (r *Reader) Uvarint() uint64 {
	v, n := binary.Uvarint(r.Rest)
	r.skip(n)
	return v
}

// Varint returns the next number that may be negative.
func (r *Reader) Varint() int64 {
	v, n := binary.Varint(r.Rest)
	r.skip(n)
	return v
}

func (r *Reader) skip(n int) {
	if n <= 0 {
		r.Failed, r.Rest = true, nil
		return
	}
	r.Rest = r.Rest[n:]
}

// Byte returns the next byte.
func (r *Reader) Byte() byte {
	if b := r.Take(1); b != nil {
		return b[0]
	}
	return 0
}

// Bool returns the next byte as [AppendBool] wrote it.
func (r *Reader) Bool() bool { return r.Byte() == 1 }

// Uint64 returns the next eight bytes as a number, the highest first.
func (r *Reader) Uint64() uint64 {
	if b := r.Take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// Bytes returns the next text, which belongs to Rest.
func (r *Reader) Bytes() []byte { return r.Take(r.Uvarint()) }

// Text returns the next text.
func (r *Reader) Text() string { return string(r.Bytes()) }

// Addr returns the next address as [AppendAddr] wrote it.
func (r *Reader) Addr() (addr netip.Addr) {
	if addr.UnmarshalBinary(r.Bytes()) != nil {
		r.Failed, r.Rest = true, nil
		return netip.Addr{}
	}
	return addr
}
