package file

import (
	"bytes"
	"errors"
	"io"
	"os"
	"syscall"
	"time"
)

var (
	// errTruncated says that a file no longer holds what was read of it.
	errTruncated = errors.New("the file was truncated")
	// errTouched says that something happened to a file of which no line was read. It may have been filled,
	// copied, and truncated again; only a copy of it among the rotated files tells.
	errTouched = errors.New("the file has changed before a line of it was read")
	// errNotRegular says that a name is a folder, a pipe or a device.
	errNotRegular = errors.New("not a regular file")
)

// generation is one file in a source's rotation set. It is open, or only remembered by its mark
// until the file is found again.
type generation struct {
	mark
	name string   // where it was found, for messages
	file *os.File // nil while it is only remembered
	data io.ReaderAt
	// parked means that it was read to its end and closed: its name tells if somebody still writes to it.
	parked bool
	// sealed means that nobody can write to it any more: it is compressed.
	sealed bool
	// caughtUp means that its end was reached once. Until then newer files wait.
	caughtUp bool
	// found is when it had last been written to when it was found at the source's path.
	found time.Time
	// atEnd means that the last read reached the end, rest that it ended in a half line.
	atEnd, rest bool
	// grown is when it was last seen to have grown, superseded when it was first seen to have been
	// renamed or deleted.
	grown, superseded time.Time
	// size, modified and unlinked are what fstat said last.
	size     int64
	modified time.Time
	unlinked bool
}

// openGeneration opens the file at name for reading from its start.
func openGeneration(name string, now time.Time) (*generation, error) {
	// Opening a pipe must not block, see errNotRegular.
	file, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &os.PathError{Op: "follow", Path: name, Err: errNotRegular}
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	g := &generation{name: name, file: file, data: file, grown: now}
	g.fileID, g.Born = identify(info), born(file)
	g.Head = hashHead(nil)
	g.size, g.modified = info.Size(), info.ModTime()
	if _, compressed := cutCompression(name); compressed != "" {
		g.data, g.sealed = &unpacked{file: file, extension: compressed}, true
	}
	return g, nil
}

// damage returns what kept a compressed file from being read to its end.
func (g *generation) damage() error {
	if u, ok := g.data.(*unpacked); ok {
		return u.damage
	}
	return nil
}

// consumed returns how much of a compressed file was read, in its own bytes; 0 for a plain one.
func (g *generation) consumed() int64 {
	if u, ok := g.data.(*unpacked); ok {
		return u.consumed()
	}
	return 0
}

// release gives back what reading a compressed file needs, when its end was reached.
func (g *generation) release() {
	if u, ok := g.data.(*unpacked); ok {
		u.rest()
	}
}

// forget closes the file and keeps the mark.
func (g *generation) forget() {
	if g.file != nil {
		g.release()
		g.file.Close()
	}
	g.file, g.data, g.parked = nil, nil, false
}

// park closes a file that was read to its end, so that quiet ones take no descriptors. It does not if the name
// does not lead to the file any more: what is written to that could not be noticed.
func (g *generation) park() {
	if g.untouched() {
		g.forget()
		g.parked = true
	}
}

// untouched reports whether the file of that name is still this one, as long and as old as it was.
func (g *generation) untouched() bool {
	info, err := os.Stat(g.name)
	return err == nil && identify(info) == g.fileID && info.Size() == g.size && info.ModTime().Equal(g.modified)
}

// look updates what is known of the file's size. It fails with errTruncated when the file became shorter
// than what was read of it.
func (g *generation) look(now time.Time) (unchanged bool, err error) {
	info, err := g.file.Stat()
	if err != nil {
		return false, err
	}
	size, modified := info.Size(), info.ModTime()
	unchanged = size == g.size && modified.Equal(g.modified)
	if size > g.size {
		g.grown = now
	}
	g.size, g.modified, g.unlinked = size, modified, links(info) == 0
	switch {
	case size < g.Offset:
		return false, errTruncated
	case g.Offset == 0 && !modified.Equal(g.found):
		return false, errTouched
	}
	return unchanged, nil
}

// touch takes note that what happened to the file so far is known to be harmless, see errTouched.
func (g *generation) touch() {
	if info, err := g.file.Stat(); err == nil {
		g.found = info.ModTime()
	}
}

// resume goes on at m, which the file holds. A file that lost its end in a power cut goes on at its end.
func (g *generation) resume(m mark) {
	m.fileID, m.Born = g.fileID, g.Born
	g.mark = m
	if !g.sealed && g.Offset > g.size {
		g.Offset = g.size
	}
}

// skipToEnd moves the mark to the start of the file's last line if that is unfinished, else to its end.
func (g *generation) skipToEnd(b *blocks) error {
	offset := max(0, g.size-int64(len(b.block)))
	n, err := readAt(g.data, b.block[:g.size-offset], offset)
	if err != nil {
		return err
	}
	next := g.mark
	if last := bytes.LastIndexByte(b.block[:n], '\n'); last >= 0 || offset == 0 {
		next.Offset = offset + int64(last) + 1
	} else {
		next.Offset, next.Skip = offset+int64(n), true
	}
	err = g.verify(b, &next)
	g.mark = next
	return err
}
