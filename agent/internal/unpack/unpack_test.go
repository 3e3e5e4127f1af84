package unpack_test

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"github.com/pialert/pialert/agent/internal/unpack"
)

const text = "one\ntwo\nthree\n"

// bzipped is the text packed by bzip2 1.0.8, since Go cannot.
const bzipped = "425a6839314159265359087b7dd7000004c1800010024194802000310c0821a3d4c885473238a8f177245385090087b7dd70"

// packed is the text by the ending of the file that it would be in.
func packed(t *testing.T) map[string][]byte {
	t.Helper()
	pack := func(open func(io.Writer) (io.WriteCloser, error)) []byte {
		var b bytes.Buffer
		w, err := open(&b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	bz, err := hex.DecodeString(bzipped)
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{
		".gz":  pack(func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil }),
		".xz":  pack(func(w io.Writer) (io.WriteCloser, error) { return xz.NewWriter(w) }),
		".zst": pack(func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) }),
		".bz2": bz,
	}
}

// One Reader reads file after file, whatever became of the one before.
func TestReader(t *testing.T) {
	r := unpack.NewReader()
	for range 2 {
		for ending, file := range packed(t) {
			if !unpack.Known(ending) {
				t.Errorf("%s is not known", ending)
			}
			if err := r.Reset(bytes.NewReader(file), ending); err != nil {
				t.Fatalf("%s: %v", ending, err)
			}
			if got, err := io.ReadAll(r); err != nil || string(got) != text {
				t.Errorf("%s: read %q, error %v", ending, got, err)
			}
			r.Release()
			if n, err := r.Read(make([]byte, 1)); n > 0 || err != io.EOF {
				t.Errorf("%s: %d bytes of a file that was let go, error %v", ending, n, err)
			}
			if err := r.Reset(bytes.NewReader(file[:len(file)-5]), ending); err == nil {
				if got, err := io.ReadAll(r); err == nil {
					t.Errorf("%s: a file without its end was read as %q", ending, got)
				}
			}
			if err := r.Reset(strings.NewReader("this is text"), ending); err == nil {
				if got, err := io.ReadAll(r); err == nil {
					t.Errorf("%s: text passes for %q", ending, got)
				}
			}
		}
	}
}

func TestUnknown(t *testing.T) {
	for _, ending := range []string{"", ".log", ".Z", ".lz4"} {
		err := unpack.NewReader().Reset(strings.NewReader(text), ending)
		if unpack.Known(ending) || err == nil || !strings.Contains(err.Error(), ".zst") {
			t.Errorf("%q: the error is %v", ending, err)
		}
	}
}

// A file can claim that more memory is needed to read it than a server has.
func TestHugeWindow(t *testing.T) {
	// A frame with a window of 128 MiB (RFC 8878, section 3.1.1.1.2: exponent 17) and one empty last block.
	file := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 17 << 3, 0x01, 0x00, 0x00}
	r := unpack.NewReader()
	err := r.Reset(bytes.NewReader(file), ".zst")
	if err == nil {
		_, err = io.ReadAll(r)
	}
	if err == nil || !strings.Contains(err.Error(), "window") {
		t.Errorf("the error is %v", err)
	}
}
