package ingest

import "github.com/pialert/pialert/pkg/attack"

const (
	// maxEvents bounds the events that wait for the disk, maxBytes the bytes of the lines that they
	// were found in, and so the bytes that one commit takes; sources wait above either.
	maxEvents = 1 << 12
	maxBytes  = 2 << 20
	// maxMerged bounds how many more events may have been merged into those that wait.
	maxMerged = 1 << 17
	// mergeAbove is how many events of one commit are sent as they are. In a flood identical ones
	// are merged by count instead.
	mergeAbove = 512
)

// batch is what the next commit takes.
type batch struct {
	events []attack.Event
	state  map[string][]byte
	bytes  int // of lines
	merged int // events that others stand for

	waiting []func(error) // of those who wait for the commit

	full  bool // it has to be committed before more is read
	once  bool // it has events of lines that cannot be read again
	first bool // it has the first position of a log, without which a rotation would hide its lines
}

func newBatch() batch { return batch{state: map[string][]byte{}} }

// grow takes note of bytes that were read. Where too much waits it merges what is alike, and is
// full unless that made much room.
func (b *batch) grow(bytes int) {
	b.bytes += bytes
	before := len(b.events)
	if before < maxEvents && (before == 0 || b.bytes < maxBytes) {
		return
	}
	b.events = merge(b.events)
	b.merged += before - len(b.events)
	b.bytes = int(int64(b.bytes) * int64(len(b.events)) / int64(before))
	b.full = len(b.events) >= maxEvents/2 || b.bytes >= maxBytes/2 || b.merged >= maxMerged
}
