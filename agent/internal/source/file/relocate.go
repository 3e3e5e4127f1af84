package file

import (
	"errors"
	"io/fs"
	"slices"
	"time"
)

var (
	// errDuplicate says that another follower reads the file already.
	errDuplicate = errors.New("another source follows the same file")
	// errMoving says that files were renamed while they were looked for.
	errMoving = errors.New("the files are being rotated")
)

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
	if problem == nil && len(files) == 0 && !f.renamed() {
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

// renamed reports whether one of the follower's files that are not open has another name.
func (f *follower) renamed() bool {
	return slices.ContainsFunc(f.generations, func(g *generation) bool {
		if g.file != nil || g.Done {
			return false
		}
		_, found := searchFile(f.path, g.fileID)
		return found
	})
}

// findKnown makes the follower's files members of the set. It returns the index of the newest one that
// was there before what is new, -1 if there is none, and whether that is the newest that was read at all.
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

// findNew returns the files that were not read before: those after newest. If that may not be the newest
// file that was read, they must also have been written to after what was read last. A member of which
// nothing was read waits behind them again.
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
		if c.live {
			if g := f.inherit(c.fileID); g != nil {
				f.moved = true
				r.add(g, i)
				continue
			}
			if f.claimed(c.fileID) {
				problem = errors.Join(problem, errDuplicate)
				continue
			}
		}
		waiting = append(waiting, c)
	}
	return waiting, problem
}

// rotationSet is what relocate works on: the files that are there, and those of them that the follower reads.
type rotationSet struct {
	files   []candidate
	opened  []*generation // by index in files, then others
	taken   []bool        // by index in files: it is known whose content it has
	members []member      // oldest first
	now     time.Time
}

// member is a generation and its index in the set; -1 if it has left the set.
type member struct {
	*generation
	index int
}

// add makes g a member, before those that are newer.
func (r *rotationSet) add(g *generation, index int) {
	at := len(r.members)
	g.found = g.modified
	if index >= 0 {
		g.found, g.name = r.files[index].modified, r.files[index].name
		if i := slices.IndexFunc(r.members, func(m member) bool { return m.index > index }); i >= 0 {
			at = i
		}
	}
	r.members = slices.Insert(r.members, at, member{g, index})
}

// close closes what was opened and did not become a member.
func (r *rotationSet) close() {
	for _, g := range r.opened {
		if g != nil && !slices.ContainsFunc(r.members, func(m member) bool { return m.generation == g }) {
			g.forget()
		}
	}
}

// open opens the file at index i.
func (r *rotationSet) open(i int) (*generation, error) {
	if g := r.opened[i]; g != nil {
		return g, nil
	}
	g, err := openGeneration(r.files[i].name, r.now)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errMoving
	}
	if err != nil {
		return nil, err
	}
	if g.fileID != r.files[i].fileID {
		g.forget()
		return nil, errMoving
	}
	r.opened[i] = g
	return g, nil
}

// resume returns the opened file at index i, to be read from m on.
func (r *rotationSet) resume(i int, m mark) *generation {
	g := r.opened[i]
	g.resume(m)
	return g
}

// place is the index of a file in the set, -1 if there is none. An error with an index says that the file is
// there but cannot be opened.
type place struct {
	index int
	err   error
}

// find takes for each generation the file that is its own or, after copytruncate or compression, has its
// content. What is one generation's own is not taken for another's copy. The only error is errMoving.
func (r *rotationSet) find(generations []*generation) ([]place, error) {
	places := make([]place, len(generations))
	for at, g := range generations {
		places[at] = r.findOwn(g)
		if errors.Is(places[at].err, errMoving) {
			return nil, errMoving
		}
	}
	// A file that was put in another's place may begin as that one did, and what is closed needs its copy to
	// go on: so the newest come first, and those that are open last.
	for _, open := range []bool{false, true} {
		for at, g := range slices.Backward(generations) {
			if places[at].index >= 0 || (g.file != nil) != open || !open && g.Offset == 0 {
				continue
			}
			var err error
			if places[at].index, err = r.findCopy(g); err != nil {
				return nil, err
			}
		}
	}
	return places, nil
}

func (r *rotationSet) findOwn(g *generation) place {
	for i, c := range r.files {
		if c.fileID != g.fileID || c.compressed != "" || r.taken[i] {
			continue
		}
		if g.file != nil {
			r.taken[i] = true
			return place{i, nil}
		}
		other, err := r.open(i)
		if err != nil {
			r.taken[i] = true
			return place{i, err}
		}
		// The inode may be that of another file by now, even of one that begins the same.
		if same, err := other.holds(g.mark); err == nil && same && (other.Born == g.Born || other.Born == 0 || g.Born == 0) {
			r.taken[i] = true
			return place{i, nil}
		}
	}
	return place{-1, nil}
}

// findCopy fails only with errMoving: what cannot be read cannot be compared.
func (r *rotationSet) findCopy(g *generation) (int, error) {
	for i, c := range slices.Backward(r.files) {
		inPlace := c.live && g.file != nil // it was put in g's place and is written to from now on, see skipCopied
		if r.taken[i] || inPlace {
			continue
		}
		other, err := r.open(i)
		if errors.Is(err, errMoving) {
			return -1, err
		}
		if err != nil {
			continue
		}
		same, err := other.holds(g.mark)
		if g.file != nil {
			same, err = other.startsAs(g)
		}
		if err == nil && same {
			r.taken[i] = true
			return i, nil
		}
		r.opened[i].forget() // there may be many
		r.opened[i] = nil
	}
	return -1, nil
}

// search looks for a file that got a name which does not belong to the set.
func (r *rotationSet) search(path string, m mark) *generation {
	if slices.ContainsFunc(r.files, func(c candidate) bool { return c.fileID == m.fileID }) {
		return nil // another one, which was given the inode of the file that is gone
	}
	name, ok := searchFile(path, m.fileID)
	if !ok {
		return nil
	}
	g, err := openGeneration(name, r.now)
	if err != nil {
		return nil
	}
	if same, err := g.holds(m); err != nil || !same {
		g.forget()
		return nil
	}
	g.resume(m)
	r.opened = append(r.opened, g)
	return g
}
