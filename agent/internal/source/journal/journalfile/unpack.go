package journalfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// MaxValue is how long a value may be, in bytes, to be read: journalctl's bound for its JSON.
const MaxValue = 4096

// maxName is the longest name of a field (systemd.journal-fields(7)).
const maxName = 64

// maxPayload is what is read of "NAME=value": one byte more than what may be.
const maxPayload = maxName + 1 + MaxValue + 1

// How an object is compressed, by its flags.
const (
	packedXZ   = 1 << 0
	packedLZ4  = 1 << 1
	packedZstd = 1 << 2
)

// unpack reads the beginning of an object's payload, and reports whether it is all of it.
func unpack(packed *io.SectionReader, flags byte) (payload []byte, whole bool, err error) {
	var r io.Reader = packed
	switch flags & (packedXZ | packedLZ4 | packedZstd) {
	case 0:
	case packedXZ:
		if r, err = xz.NewReader(packed); err != nil {
			return nil, false, err
		}
	case packedLZ4:
		return unpackLZ4(packed)
	case packedZstd:
		decoder, err := zstd.NewReader(packed, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(8<<20))
		if err != nil {
			return nil, false, err
		}
		defer decoder.Close()
		r = decoder
	default:
		return nil, false, fmt.Errorf("it is compressed in several ways (flags %#x)", flags)
	}
	payload, err = io.ReadAll(io.LimitReader(r, maxPayload))
	return payload, len(payload) < maxPayload, err
}

// unpackLZ4 reads a block as journald writes it: its length in eight bytes, then the block
// (lz4_Block_format.md). As much as is wanted is unpacked.
func unpackLZ4(packed *io.SectionReader) (payload []byte, whole bool, err error) {
	// What is wanted cannot take more than this: a byte that is taken makes at least one, but for the
	// lengths' own bytes.
	const most = 2 * maxPayload
	b, err := io.ReadAll(io.LimitReader(packed, 8+most))
	if err != nil {
		return nil, false, err
	}
	if len(b) < 8 {
		return nil, false, errors.New("a block without a length")
	}
	length := binary.LittleEndian.Uint64(b)
	b = b[8:]
	cut := errors.New("a block that is cut off")
	// more reads the rest of a length whose four bits are all set.
	more := func(n int) (int, error) {
		for {
			if len(b) == 0 {
				return 0, cut
			}
			c := b[0]
			b = b[1:]
			if n += int(c); c != 255 || n > maxPayload {
				return n, nil
			}
		}
	}
	for len(payload) < maxPayload && uint64(len(payload)) < length {
		if len(b) == 0 {
			return nil, false, cut
		}
		token := b[0]
		b = b[1:]
		literals := int(token >> 4)
		if literals == 15 {
			if literals, err = more(literals); err != nil {
				return nil, false, err
			}
		}
		if room := maxPayload - len(payload); literals >= room && len(b) >= room {
			payload = append(payload, b[:room]...)
			break
		}
		if literals > len(b) {
			return nil, false, cut
		}
		payload, b = append(payload, b[:literals]...), b[literals:]
		if uint64(len(payload)) >= length {
			break // the last sequence has no match
		}
		if len(b) < 2 {
			return nil, false, cut
		}
		distance := int(binary.LittleEndian.Uint16(b))
		b = b[2:]
		match := int(token & 15)
		if match == 15 {
			if match, err = more(match); err != nil {
				return nil, false, err
			}
		}
		if distance == 0 || distance > len(payload) {
			return nil, false, fmt.Errorf("a match %d bytes back, after %d bytes", distance, len(payload))
		}
		for range min(match+4, maxPayload-len(payload)) {
			payload = append(payload, payload[len(payload)-distance])
		}
	}
	return payload, uint64(len(payload)) == length && len(payload) < maxPayload, nil
}
