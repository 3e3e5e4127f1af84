// Package journalfile reads the files in which systemd-journald keeps the journal, where there is no
// journalctl to ask, as in a container from scratch.
//
// It reads the regular and the compact layout, and what is compressed by XZ, LZ4 or Zstandard, and follows
// the files over rotation, in the order in which journald numbered the entries. It writes nothing,
// and takes no lock. Damage costs the entries that it hits, and they are counted; an entry that journald
// is just writing is read later. It reads the system's journals, and not those of single users: root's
// programs and services log to none of them.
//
// The form of the files is systemd's documentation JOURNAL_FILE_FORMAT and journal-def.h.
package journalfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// What journal-def.h says of a file's header, of objects and their flags.
const (
	signature  = "LPKSHHRH"
	headerSize = 208 // what every version has

	incompatibleXZ      = 1 << 0
	incompatibleLZ4     = 1 << 1
	incompatibleKeyed   = 1 << 2 // hashes are keyed; none is looked at here
	incompatibleZstd    = 1 << 3
	incompatibleCompact = 1 << 4 // offsets have 4 bytes
	knownIncompatible   = incompatibleXZ | incompatibleLZ4 | incompatibleKeyed | incompatibleZstd | incompatibleCompact

	objectData       = 1
	objectEntry      = 3
	objectEntryArray = 6

	objectHeaderSize  = 16
	entryHeaderSize   = 64
	dataHeaderSize    = 64
	compactDataHeader = 72 // two numbers of the array's tail besides
	arrayHeaderSize   = 24
)

// Bounds of what one object may make a reader hold, in bytes. An entry has some 25 fields, at most 1024
// in journald (ENTRY_FIELD_COUNT_MAX).
const (
	maxItems = 1024
	maxArray = 1 << 20 // read of an array at once
)

// ErrDamaged is wrapped by the errors about what a file holds.
var ErrDamaged = errors.New("the journal file is damaged")

// header is what a file says of itself.
type header struct {
	compact    bool
	seqnumID   id // of the machine that numbered the entries
	arrays     uint64
	entries    uint64
	headSeqnum uint64
	tailSeqnum uint64
	headTime   uint64 // microseconds since 1970
	tailTime   uint64
}

// readHeader reads a file's header anew: journald changes it with each entry.
func readHeader(f io.ReaderAt) (header, error) {
	var b [headerSize]byte
	if _, err := f.ReadAt(b[:], 0); err != nil {
		return header{}, fmt.Errorf("%w: it has no header: %w", ErrDamaged, err)
	}
	if string(b[:8]) != signature {
		return header{}, fmt.Errorf("%w: it does not begin with %s", ErrDamaged, signature)
	}
	flags := binary.LittleEndian.Uint32(b[12:])
	if flags&^knownIncompatible != 0 {
		return header{}, fmt.Errorf("the journal file is of a newer systemd (flags %#x)", flags)
	}
	at := func(offset int) uint64 { return binary.LittleEndian.Uint64(b[offset:]) }
	return header{
		compact:  flags&incompatibleCompact != 0,
		seqnumID: id(b[72:88]), entries: at(152), tailSeqnum: at(160), headSeqnum: at(168),
		arrays: at(176), headTime: at(184), tailTime: at(192),
	}, nil
}

// object reads an object's header at an offset and returns its size.
func object(f io.ReaderAt, offset uint64, kind byte) (flags byte, size uint64, err error) {
	var b [objectHeaderSize]byte
	if offset%8 != 0 || offset < headerSize {
		return 0, 0, fmt.Errorf("%w: nothing can be at %d", ErrDamaged, offset)
	}
	if _, err := f.ReadAt(b[:], int64(offset)); err != nil {
		return 0, 0, fmt.Errorf("%w: it ends before %d: %w", ErrDamaged, offset, err)
	}
	size = binary.LittleEndian.Uint64(b[8:])
	if b[0] != kind || size < objectHeaderSize {
		return 0, 0, fmt.Errorf("%w: at %d is type %d of %d bytes, not type %d", ErrDamaged, offset, b[0], size, kind)
	}
	return b[1], size, nil
}

// array reads the offsets that an entry array holds, and where the next array is: 0 after the last.
// Offsets that journald has not filled in yet are 0.
func array(f io.ReaderAt, offset uint64, compact bool) (offsets []uint64, next uint64, err error) {
	_, size, err := object(f, offset, objectEntryArray)
	if err != nil {
		return nil, 0, err
	}
	if size < arrayHeaderSize || size > maxArray {
		return nil, 0, fmt.Errorf("%w: an array of %d bytes at %d", ErrDamaged, size, offset)
	}
	b := make([]byte, size-objectHeaderSize)
	if _, err := f.ReadAt(b, int64(offset+objectHeaderSize)); err != nil {
		return nil, 0, fmt.Errorf("%w: the array at %d is cut off: %w", ErrDamaged, offset, err)
	}
	next = binary.LittleEndian.Uint64(b)
	if next != 0 && next <= offset {
		return nil, 0, fmt.Errorf("%w: the array at %d comes after the one at %d", ErrDamaged, offset, next)
	}
	return offsetsOf(b[8:], compact, 0), next, nil
}

// offsetsOf reads offsets, with a number of bytes after each that are left out.
func offsetsOf(b []byte, compact bool, gap int) []uint64 {
	width := 8
	if compact {
		width = 4
	}
	offsets := make([]uint64, 0, len(b)/(width+gap))
	for ; len(b) >= width+gap; b = b[width+gap:] {
		if compact {
			offsets = append(offsets, uint64(binary.LittleEndian.Uint32(b)))
		} else {
			offsets = append(offsets, binary.LittleEndian.Uint64(b))
		}
	}
	return offsets
}

// placeAt reads where the entry at an offset stands, and how many bytes it takes.
func placeAt(f io.ReaderAt, offset uint64, h header) (Place, uint64, error) {
	_, size, err := object(f, offset, objectEntry)
	if err != nil {
		return Place{}, 0, err
	}
	if size < entryHeaderSize || size > entryHeaderSize+maxItems*16 {
		return Place{}, 0, fmt.Errorf("%w: an entry of %d bytes at %d", ErrDamaged, size, offset)
	}
	var b [entryHeaderSize]byte
	if _, err := f.ReadAt(b[:], int64(offset)); err != nil {
		return Place{}, 0, fmt.Errorf("%w: the entry at %d is cut off: %w", ErrDamaged, offset, err)
	}
	at := func(offset int) uint64 { return binary.LittleEndian.Uint64(b[offset:]) }
	return Place{SeqnumID: h.seqnumID, Seqnum: at(16), Realtime: at(24), Monotonic: at(32), Boot: id(b[40:56]), XorHash: at(56)}, size, nil
}

// entryAt reads the entry of a size at an offset, with the fields that wanted names.
func entryAt(f io.ReaderAt, offset, size uint64, place Place, compact bool, wanted func(name string) bool) (Entry, error) {
	items := make([]byte, size-entryHeaderSize)
	if _, err := f.ReadAt(items, int64(offset+entryHeaderSize)); err != nil {
		return Entry{}, fmt.Errorf("%w: the entry at %d is cut off: %w", ErrDamaged, offset, err)
	}
	gap := 8 // each offset is followed by the data's hash
	if compact {
		gap = 0
	}
	e := Entry{Place: place}
	for _, item := range offsetsOf(items, compact, gap) {
		name, value, err := dataAt(f, item, compact, wanted)
		if err != nil {
			return Entry{}, err
		}
		if name != "" {
			e.Fields = append(e.Fields, Field{name, value})
		}
	}
	return e, nil
}

// dataAt reads the field at an offset: nothing if wanted does not name it. A value of more than
// [MaxValue] bytes is nil.
func dataAt(f io.ReaderAt, offset uint64, compact bool, wanted func(string) bool) (name string, value []byte, err error) {
	flags, size, err := object(f, offset, objectData)
	if err != nil {
		return "", nil, err
	}
	start := uint64(dataHeaderSize)
	if compact {
		start = compactDataHeader
	}
	if size <= start {
		return "", nil, fmt.Errorf("%w: a field of %d bytes at %d", ErrDamaged, size, offset)
	}
	packed := io.NewSectionReader(f, int64(offset+start), int64(size-start))
	payload, whole, err := unpack(packed, flags)
	if err != nil {
		return "", nil, fmt.Errorf("%w: the field at %d: %w", ErrDamaged, offset, err)
	}
	before, after, ok := bytes.Cut(payload, []byte{'='})
	if !ok || !wanted(string(before)) {
		return "", nil, nil
	}
	if !whole || len(after) > MaxValue {
		after = nil
	}
	return string(before), after, nil
}

// gone reports whether a file is not there any more: journald rotates and removes files at any time.
func gone(err error) bool { return errors.Is(err, fs.ErrNotExist) }
