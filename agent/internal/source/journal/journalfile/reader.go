package journalfile

import (
	"cmp"
	"os"
	"slices"
	"sort"
	"time"
)

// Reader reads the journals of a machine, one entry after the other. It is not safe for use by several
// goroutines.
type Reader struct {
	folders []string
	wanted  func(name string) bool
	place   Place
	current *open
	known   map[string]header // of files that nothing is added to any more, by path
	damaged uint64
}

// NewReader returns a Reader that begins with the oldest entry. The folders are those that journald
// has a folder for each machine in; wanted chooses the fields that entries come with.
func NewReader(folders []string, wanted func(name string) bool) *Reader {
	return &Reader{folders: folders, wanted: wanted, known: map[string]header{}}
}

// Close frees what the Reader holds.
func (r *Reader) Close() { r.leave() }

// After has reading go on behind a place. If the journal does not reach back to it, that is its
// beginning.
func (r *Reader) After(p Place) { r.leave(); r.place = p }

// Since has reading go on with the first entry at or after t.
func (r *Reader) Since(t time.Time) { r.After(Place{Realtime: uint64(max(0, t.UnixMicro()-1))}) }

// Damaged counts the entries and files that could not be read.
func (r *Reader) Damaged() uint64 { return r.damaged }

// Next returns the next entry, or false if there is none yet. Call it again when some time has passed.
func (r *Reader) Next() (Entry, bool, error) {
	var tried []os.FileInfo // not paths: the journal that is written to is renamed when it is rotated
	for {
		if r.current != nil {
			if e, ok := r.step(); ok {
				return e, true, nil
			}
			tried = append(tried, r.current.info)
		}
		ok, err := r.advance(tried)
		if !ok || err != nil {
			return Entry{}, false, err
		}
	}
}

// End returns the place of the newest entry, the zero Place if there is none.
func (r *Reader) End() (Place, error) {
	files, err := r.list()
	if err != nil {
		return Place{}, err
	}
	slices.SortFunc(files, func(a, b found) int { return cmp.Compare(b.tailTime, a.tailTime) })
	for _, f := range files {
		place, ok, err := last(f)
		if err != nil && !gone(err) {
			return Place{}, err
		}
		if ok {
			return place, nil
		}
	}
	return Place{}, nil
}

// unread reports whether a file may have entries behind the place.
func (r *Reader) unread(f found) bool {
	if f.entries == 0 || f.arrays == 0 {
		return false
	}
	if f.seqnumID == r.place.SeqnumID {
		return f.tailSeqnum > r.place.Seqnum
	}
	return f.tailTime > r.place.Realtime
}

// advance opens the file to go on with: the next one of the same numbering, else the oldest, but none
// of those that were tried. It reports false if there is none.
func (r *Reader) advance(tried []os.FileInfo) (bool, error) {
	files, err := r.list()
	if err != nil {
		return false, err
	}
	var next *found
	rank := func(f *found) (other bool, at uint64) {
		if f.seqnumID == r.place.SeqnumID {
			return false, f.headSeqnum
		}
		return true, f.headTime
	}
	for i := range files {
		f := &files[i]
		if !r.unread(*f) || slices.ContainsFunc(tried, func(t os.FileInfo) bool { return os.SameFile(t, f.info) }) {
			continue
		}
		if next == nil {
			next = f
			continue
		}
		otherF, atF := rank(f)
		otherNext, atNext := rank(next)
		if otherF != otherNext && !otherF || otherF == otherNext && atF < atNext {
			next = f
		}
	}
	if next == nil {
		return false, nil
	}
	o, err := enter(*next)
	if gone(err) {
		return false, nil // it was rotated meanwhile: next time
	}
	if err != nil {
		return false, err
	}
	r.leave()
	r.current = o
	r.seek()
	return true, nil
}

func (r *Reader) leave() {
	if r.current != nil {
		r.current.Close()
		r.current = nil
	}
}

// seek leaves out the entries of the current file that were read, if they have the same numbering: by
// whole arrays, then by halves.
func (r *Reader) seek() {
	o := r.current
	if o.seqnumID != r.place.SeqnumID {
		return // each is compared when it is read
	}
	for o.next != 0 && o.load(o.next) == nil {
		filled, _ := slices.BinarySearchFunc(o.offsets, 0, func(offset uint64, _ int) int {
			if offset != 0 {
				return -1
			}
			return 1
		})
		o.index = sort.Search(filled, func(i int) bool {
			p, _, err := placeAt(o, o.offsets[i], o.header)
			return err != nil || p.Seqnum > r.place.Seqnum
		})
		if o.index < len(o.offsets) {
			return
		}
	}
}

// step returns the next unread entry of the current file, or false if there is none yet.
func (r *Reader) step() (Entry, bool) {
	o := r.current
	for {
		if o.index >= len(o.offsets) {
			if o.next == 0 && o.array != 0 && o.load(o.array) != nil || o.next == 0 || o.load(o.next) != nil {
				return Entry{}, false
			}
		}
		if o.offsets[o.index] == 0 {
			if o.load(o.array) != nil || o.offsets[o.index] == 0 {
				return Entry{}, false
			}
		}
		e, err := r.entry(o.offsets[o.index])
		if err != nil {
			if !o.more() {
				return Entry{}, false // perhaps it is just being written
			}
			r.damaged++
			o.index++
			continue
		}
		o.index++
		if e == nil {
			continue
		}
		r.place = e.Place
		return *e, true
	}
}

// entry reads the entry at an offset of the current file; nil if it was read before.
func (r *Reader) entry(offset uint64) (*Entry, error) {
	o := r.current
	place, size, err := placeAt(o, offset, o.header)
	if err != nil || r.place.read(place) {
		return nil, err
	}
	e, err := entryAt(o, offset, size, place, o.compact, r.wanted)
	return &e, err
}

// more reports whether there is an entry behind the next one.
func (o *open) more() bool {
	if o.index+1 < len(o.offsets) {
		if o.offsets[o.index+1] == 0 && o.load(o.array) != nil {
			return false
		}
		return o.offsets[o.index+1] != 0
	}
	return o.load(o.array) == nil && o.next != 0
}
