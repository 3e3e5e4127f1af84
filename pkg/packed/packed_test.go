package packed_test

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/pialert/pialert/pkg/packed"
)

func sample() []byte {
	b := packed.AppendText(nil, "hello")
	b = binary.AppendUvarint(b, 1<<40)
	b = binary.AppendVarint(b, -7)
	b = packed.AppendBool(b, true)
	b = binary.BigEndian.AppendUint64(b, 42)
	b = packed.AppendAddr(b, netip.MustParseAddr("2001:db8::7"))
	b = packed.AppendAddr(b, netip.Addr{})
	return packed.AppendText(b, []byte(nil))
}

func TestWhatWasWrittenIsRead(t *testing.T) {
	r := packed.Reader{Rest: sample()}
	if text, n, i, yes, u := r.Text(), r.Uvarint(), r.Varint(), r.Bool(), r.Uint64(); text != "hello" ||
		n != 1<<40 || i != -7 || !yes || u != 42 {
		t.Errorf("read %q %d %d %v %d, then %+v", text, n, i, yes, u, r)
	}
	if addr, none, text := r.Addr(), r.Addr(), r.Text(); addr != netip.MustParseAddr("2001:db8::7") || none.IsValid() || text != "" || !r.Done() {
		t.Errorf("read %s %s %q, then %+v", addr, none, text, r)
	}
}

// Wherever it is cut, it is known to be.
func TestACutIsNoticed(t *testing.T) {
	whole := sample()
	for n := range whole {
		r := packed.Reader{Rest: whole[:n]}
		r.Text()
		r.Uvarint()
		r.Varint()
		r.Bool()
		r.Uint64()
		r.Addr()
		r.Addr()
		r.Text()
		if r.Done() || !r.Failed {
			t.Errorf("%d of %d bytes are taken for all", n, len(whole))
		}
		if r.Uvarint() != 0 || r.Varint() != 0 || r.Byte() != 0 || r.Uint64() != 0 || r.Text() != "" {
			t.Errorf("after a cut at %d something is read", n)
		}
	}
	r := packed.Reader{Rest: append(whole, 0)}
	r.Text()
	if r.Done() {
		t.Error("what is left is not noticed")
	}
	endless := packed.Reader{Rest: []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}}
	if endless.Bytes() != nil || !endless.Failed {
		t.Error("a text of 2^64 bytes is read")
	}
}
