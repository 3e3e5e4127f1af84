package file

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/pialert/pialert/agent/internal/source"
)

// unchanged looks for the files again and reports whether they are the same as before.
func (f *follower) unchanged(now time.Time) bool {
	before, waiting := slices.Clone(f.generations), f.waiting
	err := f.relocate(now)
	if errors.Is(err, errMoving) {
		return false
	}
	if err != nil {
		f.fail(err)
	}
	return slices.Equal(before, f.generations) && sameSet(waiting, f.waiting)
}

// look finds out which file is at path, and finds the files of the rotation set again when something changed.
func (f *follower) look(now time.Time, b *blocks) {
	wasPresent := f.present
	info, err := os.Stat(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		f.present, f.live = false, fileID{}
	case err != nil:
		f.fail(err)
		return
	case !info.Mode().IsRegular():
		f.fail(&os.PathError{Op: "follow", Path: f.path, Err: errNotRegular})
		f.present, f.live = false, fileID{}
		return
	default:
		f.present, f.live = true, identify(info)
	}
	for _, g := range f.generations {
		if g.parked && !g.untouched() {
			g.parked, f.retry = false, time.Time{}
		}
	}
	// While there is no file, one may have been created and renamed in between two looks.
	missed := !f.present && (wasPresent || !now.Before(f.absentLook))
	if f.settled() && !missed || !missed && now.Before(f.retry) {
		return
	}
	f.absentLook = now.Add(absentWait)
	f.retry = now.Add(retryWait)
	if f.fresh {
		err = f.begin(now, b)
	} else {
		err = f.relocate(now)
	}
	if err != nil && !errors.Is(err, errMoving) {
		f.fail(err)
	}
	if f.settled() {
		f.retry = time.Time{}
	}
}

// settled reports whether every file is open and the newest is the one at path.
func (f *follower) settled() bool {
	missing := func(g *generation) bool { return g.file == nil && !g.Done && (!g.parked || f.isLive(g)) }
	if f.fresh || slices.ContainsFunc(f.generations, missing) {
		return false
	}
	if last := len(f.waiting) - 1; last >= 0 {
		return !f.present || f.waiting[last].fileID == f.live
	}
	last := len(f.generations) - 1
	return !f.present || last >= 0 && f.isLive(f.generations[last])
}

// begin starts a source that was never seen before.
func (f *follower) begin(now time.Time, b *blocks) error {
	if !f.present {
		f.fresh, f.moved, f.modified = false, true, now.Add(-clockGrain)
		return nil
	}
	if g := f.inherit(f.live); g != nil {
		f.generations, f.fresh, f.moved = []*generation{g}, false, true
		return nil
	}
	if f.claimed(f.live) {
		return errDuplicate
	}
	if unread := f.unreadFiles(); len(unread) > 0 && unread[len(unread)-1].live {
		f.fresh, f.moved, f.waiting = false, true, unread
		return nil
	}
	g, err := openGeneration(f.path, now)
	if err != nil {
		return err
	}
	if f.start == source.End || !f.madeAfter.IsZero() {
		if err := g.skipToEnd(b); err != nil {
			g.forget()
			return err
		}
	}
	g.found = g.modified
	f.generations = []*generation{g}
	f.fresh, f.moved, f.modified = false, true, g.modified
	return nil
}

// unreadFiles returns the files of the rotation set that were made after madeAfter, oldest first. When a file
// was made that is compressed by now, nobody knows; but if an older one was written to last after madeAfter,
// this one was begun later still.
func (f *follower) unreadFiles() []candidate {
	if f.madeAfter.IsZero() {
		return nil
	}
	files, err := listRotationSet(f.path, f.folders)
	if err != nil {
		return nil
	}
	var unread []candidate
	for i, c := range files {
		begun := bornAt(c.name) > f.madeAfter.UnixNano()
		if c.compressed != "" {
			begun = i > 0 && files[i-1].compressed != "" && files[i-1].modified.After(f.madeAfter)
		}
		if begun {
			unread = append(unread, c)
		}
	}
	return unread
}
