package file

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// errDuplicate says that another follower reads the file already.
var errDuplicate = errors.New("another source follows the same file")

// relocate finds the follower's files in the rotation set again, after a start, a rotation or a truncation, and
// adds the files that are newer than any of them. What cannot be opened now is left for the next time,
// and so is everything if the rotation goes on meanwhile (errMoving).
func (f *follower) relocate(now time.Time) error {
	err := errMoving
	for attempt := 0; attempt < 3 && errors.Is(err, errMoving); attempt++ {
		err = f.tryRelocate(now)
	}
	return err
}

// tryRelocate is one attempt. It changes nothing when it fails with errMoving.
func (f *follower) tryRelocate(now time.Time) error {
	files, problem := listRotationSet(f.path, f.folders)
	if problem == nil && len(files) == 0 && !f.renamed(now) {
		return nil // the folder may come back
	}
	r := &rotationSet{files: files, opened: make([]*generation, len(files)), taken: make([]bool, len(files)), now: now}
	defer r.close()
	for _, g := range f.generations {
		if g.file != nil && !g.intact() {
			g.forget()
		}
	}
	newest, complete, err := f.findKnown(r)
	if err != nil {
		return err
	}
	waiting, err := f.findNew(r, newest, complete)
	if again, err := listRotationSet(f.path, f.folders); err == nil && !sameSet(files, again) {
		return errMoving
	}
	// A link that moves back, or a file renamed back, makes an old file the newest.
	slices.SortStableFunc(r.members, func(a, b member) int {
		if a.index == len(files)-1 || b.index == len(files)-1 {
			return a.index - b.index
		}
		return 0
	})
	before := f.generations
	f.generations, f.waiting, f.turn = nil, waiting, 0
	for _, m := range r.members {
		f.generations = append(f.generations, m.generation)
	}
	for _, g := range before {
		if !slices.Contains(f.generations, g) { // it waits again, or has another file that holds the same
			g.forget()
		}
	}
	return errors.Join(problem, err)
}

// renamed reports whether one of the follower's files that are not open has another name. A folder is searched
// once for each change of it: a log that was removed for good is looked for all day.
func (f *follower) renamed(now time.Time) bool {
	folder, err := os.Stat(filepath.Dir(f.path))
	if err != nil || folder.ModTime().Equal(f.searched) {
		return false
	}
	found := slices.ContainsFunc(f.generations, func(g *generation) bool {
		if g.file != nil || g.Done {
			return false
		}
		_, found := searchFile(f.path, g.fileID)
		return found
	})
	if !found && now.Sub(folder.ModTime()) > clockGrain {
		f.searched = folder.ModTime()
	}
	return found
}

// findKnown makes the follower's files members of the set. Files behind the index newest are new; it is -1
// if all may be. complete says that the file at newest is the newest that was read at all.
func (f *follower) findKnown(r *rotationSet) (newest int, complete bool, err error) {
	places, err := r.find(f.generations)
	if err != nil {
		return -1, false, err
	}
	newest = -1
	for at, g := range f.generations {
		i, err := places[at].index, places[at].err
		switch {
		case i < 0:
			complete = complete && g.Offset == 0
		// Of a file that was written to before anything of it was read, it is not known whether it was
		// copied and truncated in between: then that copy is new, though older than the file by name.
		case g.Offset > 0 || !r.files[i].modified.After(g.found):
			newest, complete = max(newest, i), true
		}
		switch {
		case g.Done && i >= 0:
			r.add(g, i)
		case g.Done:
		case g.file != nil:
			// What was written to it before it was rotated comes before what is in newer files.
			g.caughtUp = g.caughtUp && g.sealed
			g.atEnd = g.caughtUp
			r.add(g, i)
		case err != nil:
			f.fail(err)
			r.add(g, i)
		case i >= 0:
			r.add(r.resume(i, g.mark), i)
		default:
			if other := r.search(f.path, g.mark); other != nil {
				r.add(other, i)
				continue
			}
			f.logger.Info("a log file is gone, and with it what was not read of it",
				"file", f.path, "inode", g.Inode, "offset", g.Offset)
		}
	}
	return newest, complete, nil
}

// findNew returns the files that were not read before: those behind newest, and unless complete, of those only
// what was written to after the last read. A member of which nothing was read waits behind them again.
func (f *follower) findNew(r *rotationSet, newest int, complete bool) (waiting []candidate, problem error) {
	for i, c := range r.files {
		if r.taken[i] {
			at := slices.IndexFunc(r.members, func(m member) bool { return m.index == i })
			if at < 0 || len(waiting) == 0 || r.members[at].Offset > 0 || r.members[at].Done {
				continue
			}
			r.members = slices.Delete(r.members, at, at+1)
			waiting = append(waiting, c)
			continue
		}
		if i <= newest || !complete && !c.live && !c.modified.After(f.modified) {
			continue
		}
		if g := f.inherit(c.fileID); g != nil {
			f.moved = true
			r.add(g, i)
			continue
		}
		if f.claimed(c.fileID) {
			if c.live {
				problem = errors.Join(problem, errDuplicate)
			}
			continue
		}
		waiting = append(waiting, c)
	}
	return waiting, problem
}
