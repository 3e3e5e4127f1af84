package watch

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

// relocate finds the follower's files in their row again, after a start, a rotation or a truncation, and
// adds the files that are newer than any of them. What cannot be opened now is left for the next time.
func (f *follower) relocate(now time.Time) error {
	err := errMoving
	for attempt := 0; attempt < 3 && errors.Is(err, errMoving); attempt++ {
		err = f.tryRelocate(now)
	}
	if errors.Is(err, errMoving) {
		return nil // the next look will do
	}
	return err
}

func (f *follower) tryRelocate(now time.Time) (err error) {
	files, listErr := listRow(f.path)
	if listErr == nil && len(files) == 0 {
		return nil // the folder may come back
	}
	r := &row{files: files, opened: make([]*generation, len(files)), now: now}
	var found []*generation
	defer func() {
		if errors.Is(err, errMoving) {
			found = f.generations
		}
		f.generations, f.turn = found, 0
		r.close(found)
	}()

	newest := -1
	for _, g := range f.generations {
		i, err := r.find(g)
		newest = max(newest, i)
		switch {
		case errors.Is(err, errMoving):
			return err
		case g.file != nil:
			// What was written to it before it was rotated comes before what is in newer files.
			g.caughtUp, g.atEnd = false, false
			found = append(found, g)
		case err != nil:
			f.fail(err)
			found = append(found, g)
		case i >= 0:
			found = append(found, r.take(i, g.mark))
		default:
			if other := r.search(f.path, g.mark); other != nil {
				found = append(found, other)
				continue
			}
			f.logger.Info("a log file is gone, and with it what was not read of it",
				"file", f.path, "inode", g.Inode, "offset", g.Offset)
		}
	}

	for i, c := range r.files {
		if newest >= 0 && i <= newest || newest < 0 && !c.live && !c.modified.After(f.modified) {
			continue
		}
		if slices.ContainsFunc(found, func(g *generation) bool { return g.fileID == c.fileID && g.file != nil }) {
			continue
		}
		if c.live && f.claimed(c.fileID) {
			listErr = errors.Join(listErr, errDuplicate)
			continue
		}
		_, err := r.open(i)
		switch {
		case errors.Is(err, errMoving):
			return err
		case err != nil:
			listErr = errors.Join(listErr, err)
		default:
			found = append(found, r.take(i, mark{fileID: c.fileID, Head: hashHead(nil)}))
		}
	}
	// A link that moves back, or a file renamed back, makes an old file the newest.
	if i := slices.IndexFunc(found, f.isLive); i >= 0 {
		g := found[i]
		found = append(slices.Delete(found, i, i+1), g)
	}

	if again, err := listRow(f.path); err == nil && !sameRow(files, again) {
		return errMoving
	}
	return listErr
}

// row is what relocate works on: a source's files, opened when needed.
type row struct {
	files  []candidate
	opened []*generation // by index in files, then others
	taken  []int
	now    time.Time
}

// close closes what was opened and is not among those to keep.
func (r *row) close(keep []*generation) {
	for _, g := range r.opened {
		if g != nil && !slices.Contains(keep, g) {
			g.forget()
		}
	}
}

// open opens the file at index i.
func (r *row) open(i int) (*generation, error) {
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

// take returns the opened file at index i, to be read from m on.
func (r *row) take(i int, m mark) *generation {
	g := r.opened[i]
	g.resume(m)
	r.taken = append(r.taken, i)
	return g
}

// find returns the index of the file that is g's or, after copytruncate or compression, has its content;
// -1 if there is none. An error with an index says that the file is there but cannot be opened.
func (r *row) find(g *generation) (int, error) {
	for i, c := range r.files {
		if c.fileID != g.fileID || c.compressed != "" || slices.Contains(r.taken, i) {
			continue
		}
		if g.file != nil {
			return i, nil
		}
		other, err := r.open(i)
		if err != nil {
			return i, err
		}
		if same, err := other.holds(g.mark); err == nil && same {
			return i, nil
		}
	}
	if g.Offset == 0 {
		return -1, nil
	}
	for i, c := range slices.Backward(r.files) {
		if c.fileID == g.fileID && c.compressed == "" || slices.Contains(r.taken, i) {
			continue
		}
		other, err := r.open(i)
		if errors.Is(err, errMoving) {
			return -1, err
		}
		if err != nil {
			continue // what cannot be read cannot be compared
		}
		if same, err := other.holds(g.mark); err == nil && same {
			return i, nil
		}
	}
	return -1, nil
}

// search looks for a file that got a name which does not belong to the row.
func (r *row) search(path string, m mark) *generation {
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
