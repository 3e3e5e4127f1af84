package file

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"syscall"
	"time"

	"github.com/pialert/pialert/agent/internal/source"
)

const (
	// drainWait is how long a rotated file may be quiet before nobody is expected to write to it any
	// more: Apache's children finish their requests, downloads of an hour among them, on the old one.
	drainWait = time.Hour
	// unlinkedWait is the same for a deleted file, whose space on the disk is free only then.
	unlinkedWait = time.Minute
	// parkWait is how long a rotated file may be quiet before it is closed, to be opened again when it has
	// grown: after a long absence of the agent, each log has one.
	parkWait = time.Minute
	// lastLineWait is how long a rotated file that ends in a half line may be quiet before that counts
	// as a line.
	lastLineWait = 5 * time.Second
	// retryWait is the pause before the folder is searched again.
	retryWait = time.Second
	// absentWait is the same while everything that is there has been found.
	absentWait = 10 * time.Second
)

// follower reads one source: the file at path and those that were there before it.
type follower struct {
	name, path string
	start      source.Start
	logger     *slog.Logger
	// folders remembers names for all followers; it may be nil.
	folders *folders
	// claimed reports whether another follower reads the file.
	claimed func(fileID) bool
	// inherit takes the file from another follower, from whose path it was renamed; nil if there is none.
	inherit func(fileID) *generation

	// fresh means that the source was never seen before, and its file not yet looked at.
	fresh bool
	// madeAfter, unless zero, says which files have certainly not been read of a source that is fresh because
	// its position was lost.
	madeAfter time.Time
	// generations are the files not done with, and the newest one that is, oldest first.
	generations []*generation
	// waiting are the files newer than those, oldest first. Nothing was read of them: the first is opened when
	// the generations have been read to their ends, so that files, memory and positions stay bounded however
	// many rotations were missed.
	waiting []candidate
	// limited means that a backlog is only read in turns, see Files.admit; granted, that this is its turn.
	limited, granted bool
	late             bool // see behind
	// modified is when the newest file that was read had last been written to.
	modified time.Time
	// moved means that there is a new position to store, with or without lines.
	moved bool
	// turn takes the generations in turns once each has been read to its end.
	turn int
	// present and live say which file is at path.
	present bool
	live    fileID
	// retry is when to look for files again.
	retry time.Time
	// absentLook is when to look for rotated files while there is no file at path.
	absentLook time.Time
	// searched is when the folder had changed last when a file was looked for there by its identity alone.
	searched time.Time
	// problem is what keeps the source from being followed; failed is set by the step that met it.
	problem error
	failed  bool

	stats source.Stats
}

// restore goes on at a stored position; without one (nil) the source is new since the given time. An error says
// that the position, or a part of it, cannot be used. Then the files behind the usable part are read; if no part is,
// those that were made after lastStored, when positions were last stored (zero if nobody knows).
func (f *follower) restore(stored []byte, since, lastStored time.Time) error {
	f.modified = since
	if stored == nil {
		return nil
	}
	p, ok, err := decodePosition(stored)
	if err != nil {
		f.stats.Errors++
	}
	if !ok {
		f.fresh, f.madeAfter = true, lastStored
		return err
	}
	f.modified = p.Modified
	for _, m := range p.Files {
		f.generations = append(f.generations, &generation{mark: m, name: f.path, found: p.Modified})
	}
	return err
}

// position is where reading goes on after everything that step returned.
func (f *follower) position() position {
	p := position{Files: []mark{}, Modified: f.modified}
	for _, g := range f.generations {
		p.Files = append(p.Files, g.mark)
	}
	// Files that nothing was read of are found again, as those after the last one. An empty one before
	// that is not: somebody may still write to it.
	for len(p.Files) > 1 && p.Files[len(p.Files)-1].Offset == 0 {
		p.Files = p.Files[:len(p.Files)-1]
	}
	return p
}

// step looks once at the source's files and reads at most one block. While it returns more it should be
// called again at once. The lines are in b's memory.
func (f *follower) step(now time.Time, b *blocks) (lines []byte, more bool) {
	f.failed = false
	defer f.recover()
	f.look(now, b)
	blocked := false
	if f.unread() == nil && len(f.waiting) > 0 {
		if lines, more := f.retire(now, b); more {
			return lines, true
		}
		if f.advance(now, b) {
			return nil, true
		}
		blocked = true
	}
	if f.limited && !f.granted && f.behind() {
		return nil, false
	}
	readable := len(f.generations)
	for i, g := range f.generations {
		if g.file != nil && !g.caughtUp {
			readable = i + 1 // what is newer waits
			break
		}
	}
	for range readable {
		f.turn++
		g := f.generations[f.turn%readable]
		if g.file == nil || g.sealed && g.caughtUp {
			continue
		}
		if lines, more, ok := f.read(g, b, now, false); ok {
			return lines, more || len(f.generations) > 1 || len(f.waiting) > 0
		}
	}
	if readable < len(f.generations) || len(f.waiting) > 0 && !blocked {
		return nil, true // the next one's turn has come
	}
	return f.retire(now, b)
}

// unread returns the oldest open file that has not been read to its end; nil if there is none.
func (f *follower) unread() *generation {
	for _, g := range f.generations {
		if g.file != nil && !g.caughtUp {
			return g
		}
	}
	return nil
}

// readable reports whether the newest file can be opened.
func (f *follower) readable() bool {
	file, err := os.OpenFile(f.waiting[len(f.waiting)-1].name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	file.Close()
	return true
}

// advance opens the first of the files that wait. It reports whether that changed something.
func (f *follower) advance(now time.Time, b *blocks) bool {
	f.granted = false // the next file may be newer than another log's
	c := f.waiting[0]
	g, err := openGeneration(c.name, now)
	if last := len(f.generations) - 1; err == nil && c.live && last >= 0 {
		if err = f.skipCopied(g, f.generations[last], b); err != nil {
			g.forget()
		}
		f.moved = f.moved || g.Offset > 0
	}
	switch {
	case err == nil && g.fileID == c.fileID:
		g.found = c.modified
		f.generations = append(f.generations, g)
	case err == nil || errors.Is(err, fs.ErrNotExist):
		if g != nil {
			g.forget()
		}
		f.waiting, f.retry = nil, time.Time{} // it was rotated on; all are looked for again
		return true
	case c.live || !f.readable():
		f.fail(err) // and so are those after it
		return false
	default:
		f.fail(err)
		f.logger.Error("cannot read a rotated log file; what it holds is lost", "file", c.name, "error", err)
	}
	if f.waiting = f.waiting[1:]; len(f.waiting) == 0 {
		f.waiting = nil // what was read of the past is not kept for each log
	}
	return true
}

// read reads one block of g; ok means that this was worth a step.
func (f *follower) read(g *generation, b *blocks, now time.Time, final bool) (lines []byte, more, ok bool) {
	before := g.mark
	result, err := g.read(b, now, final)
	if errors.Is(err, errTouched) {
		if !f.unchanged(now) {
			return nil, f.settled(), true
		}
		g.touch()
		result, err = g.read(b, now, final)
	}
	switch {
	case errors.Is(err, errTouched):
		return nil, true, true
	case errors.Is(err, errTruncated):
		f.logger.Info("log file was truncated", "file", g.name, "offset", g.Offset)
		g.forget()
		f.retry = time.Time{}
		return nil, true, true
	case err != nil:
		f.fail(err)
		if !f.isLive(g) {
			f.drop(g)
			return nil, true, true
		}
		return nil, false, false
	}
	if f.modified.Before(g.modified) {
		f.modified = g.modified
	}
	if result.overlong > 0 {
		f.stats.Overlong += result.overlong
		f.logger.Warn("left out a line that is too long", "file", g.name, "offset", before.Offset, "longer_than", source.MaxLine)
	}
	f.moved = f.moved || len(result.lines) > 0
	return result.lines, result.more, result.more || len(result.lines) > 0
}

// fail notes what is wrong, and logs it unless it was so already.
func (f *follower) fail(err error) {
	f.failed = true
	if f.problem != nil && f.problem.Error() == err.Error() {
		return
	}
	f.problem = err
	if errors.Is(err, errDuplicate) {
		f.logger.Info("log file is followed under another name already", "file", f.path)
		return
	}
	f.stats.Errors++
	about := []any{"file", f.path, "error", err}
	if hint := hint(err); hint != "" {
		about = append(about, "hint", hint)
	}
	f.logger.Warn("cannot follow log file, trying again", about...)
}

// recover ends what fail began, once a step went well.
func (f *follower) recover() {
	if f.problem == nil || f.failed || !f.settled() {
		return
	}
	f.problem = nil
	f.logger.Info("log file can be followed again", "file", f.path)
}

// hint says what to do about an error, if the error itself does not.
func hint(err error) string {
	if errors.Is(err, fs.ErrPermission) {
		return "let the agent's user read the file and enter its folder: on Debian, by membership in group adm"
	}
	return ""
}
