package spool

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"time"
)

const (
	segmentSuffix = ".seg"
	// markSpacing is the distance of a segment's marks in bytes: what a reader at an arbitrary
	// number has to skip at most, large frames aside.
	markSpacing = 16 << 10
)

// segment is one file of frames. Its name is an ordinal, since a segment may hold no event, and
// the salt of its frames, which so survives damage to the file.
type segment struct {
	path    string
	ordinal uint64
	salt    uint64

	first, next uint64 // numbers of its events: from first up to but not including next
	attempts    uint64 // that its events stand for
	size        int64  // bytes that are committed
	born, last  time.Duration
	marks       []mark
}

// mark says that the frame at offset begins with number first.
type mark struct {
	first  uint64
	offset int64
}

// note takes account of a frame at offset, of size bytes on disk.
func (g *segment) note(f *frame, offset int64, size int) {
	if len(g.marks) == 0 {
		g.first, g.next, g.born = f.first, f.first, f.ledger.age
	}
	if n := len(g.marks); n == 0 || offset >= g.marks[n-1].offset+markSpacing {
		g.marks = append(g.marks, mark{f.first, offset})
	}
	if f.count > 0 {
		g.next = f.first + uint64(f.count)
		g.attempts += f.attempts
	}
	g.last = f.ledger.age
	g.size = offset + int64(size)
}

func segmentPath(dir string, ordinal, salt uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%016x-%016x%s", ordinal, salt, segmentSuffix))
}

// parseSegmentName returns false for the name of any other file.
func parseSegmentName(name string) (ordinal, salt uint64, ok bool) {
	var suffix string
	n, err := fmt.Sscanf(name, "%16x-%16x%s", &ordinal, &salt, &suffix)
	return ordinal, salt, err == nil && n == 3 && suffix == segmentSuffix && len(name) == 33+len(segmentSuffix)
}

// scan calls visit with each frame of data that can be read, in order, and with its place. It
// returns where the last one ends and how many bytes before that could not be read.
func scan(data []byte, salt uint64, visit func(f *frame, offset, size int)) (end, damaged int) {
	mark := binary.LittleEndian.AppendUint64(nil, salt)
	for at := 0; at < len(data); {
		f, size, err := parseFrame(data[at:], salt)
		if err == nil {
			damaged += at - end
			visit(&f, at, size)
			at += size
			end = at
			continue
		}
		next := bytes.Index(data[at+1:], mark)
		if next < 0 {
			break
		}
		at += 1 + next
	}
	return end, damaged
}

// torn says whether rest, what follows a segment's last readable frame, looks like a commit that
// was under way when the machine stopped: the beginning of a frame, or blocks that were allocated
// but not written. Such a commit never returned, so nothing is lost with it.
func torn(rest []byte, salt uint64) bool {
	if len(bytes.TrimLeft(rest, "\x00")) == 0 {
		return true
	}
	mark := binary.LittleEndian.AppendUint64(nil, salt)
	if len(rest) < headerBytes {
		return bytes.HasPrefix(rest, mark) || bytes.HasPrefix(mark, rest)
	}
	length := binary.LittleEndian.Uint32(rest[8:])
	return bytes.HasPrefix(rest, mark) && length <= maxFrame && int(length) > len(rest)-headerBytes
}
