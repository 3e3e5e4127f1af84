package journalfile

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// payload is what the block below was made of.
var payload = "MESSAGE=Failed password for invalid user " + strings.Repeat("abcabcabd ", 40) + "from 192.0.2.7 port 50022 ssh2 " +
	strings.Repeat("x", 700) + " end"

// lz4Block was made of it by lz4 1.9.4 (lz4 -9), without the frame around it.
const lz4Block = "f11d4d4553534147453d4661696c65642070617373776f726420666f7220696e76616c696420757365722061626303001f640a00ff75ff11" +
	"66726f6d203139322e302e322e3720706f7274203530303232207373683220780100ffffa9507820656e64"

func lz4(t testing.TB, length int) []byte {
	block, err := hex.DecodeString(lz4Block)
	if err != nil {
		t.Fatal(err)
	}
	return append(binary.LittleEndian.AppendUint64(nil, uint64(length)), block...)
}

func section(b []byte) *io.SectionReader {
	return io.NewSectionReader(bytes.NewReader(b), 0, int64(len(b)))
}

func TestUnpack(t *testing.T) {
	var packedXZ, packedZstd bytes.Buffer
	x, err := xz.NewWriter(&packedXZ)
	if err != nil {
		t.Fatal(err)
	}
	z, err := zstd.NewWriter(&packedZstd)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []io.WriteCloser{x, z} {
		if _, err := io.WriteString(w, payload); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name   string
		flags  byte
		packed []byte
	}{
		{"plain", 0, []byte(payload)},
		{"xz", 1, packedXZ.Bytes()},
		{"lz4", 2, lz4(t, len(payload))},
		{"zstd", 4, packedZstd.Bytes()},
	} {
		got, whole, err := unpack(section(tt.packed), tt.flags)
		if err != nil || !whole || string(got) != payload {
			t.Errorf("%s: %q, whole %t, error %v", tt.name, got, whole, err)
		}
		// What is cut off is an error or the beginning, never something else.
		for n := range tt.packed {
			got, _, err := unpack(section(tt.packed[:n]), tt.flags)
			if err == nil && !strings.HasPrefix(payload, string(got)) {
				t.Errorf("%s, cut off after %d: %q", tt.name, n, got)
			}
		}
	}
	if _, _, err := unpack(section(packedXZ.Bytes()), 3); err == nil {
		t.Error("what is packed in two ways was unpacked")
	}
	if got, whole, err := unpack(section(lz4(t, len(payload)+1)), 2); err == nil {
		t.Errorf("a block shorter than it says: %d bytes, whole %t", len(got), whole)
	}
}

// A block may hold far more than anybody wants: as much as is wanted is unpacked.
func TestUnpackIsBounded(t *testing.T) {
	// "MESSAGE=", then a match of one byte's distance with 64 MiB.
	bomb := append(binary.LittleEndian.AppendUint64(nil, 64<<20), 0x8f)
	bomb = append(bomb, "MESSAGE=\x01\x00"...)
	bomb = append(bomb, bytes.Repeat([]byte{255}, 64<<20/255)...)
	got, whole, err := unpack(section(bomb), 2)
	if err != nil || whole || len(got) != maxPayload {
		t.Errorf("%d bytes, whole %t, error %v", len(got), whole, err)
	}
}

// FuzzUnpackLZ4 finds no block that makes it panic or take more than is wanted.
func FuzzUnpackLZ4(f *testing.F) {
	f.Add(lz4(f, len(payload)))
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0x10, 'x'})
	f.Fuzz(func(t *testing.T, packed []byte) {
		got, whole, err := unpack(section(packed), 2)
		if len(got) > maxPayload || whole && err != nil {
			t.Errorf("%d bytes, whole %t, error %v", len(got), whole, err)
		}
	})
}
