package file

import (
	"errors"
	"io/fs"
	"slices"
	"time"
)

// errMoving says that files were renamed while they were looked for.
var errMoving = errors.New("the files are being rotated")

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
