package file

import (
	"cmp"
	"slices"
	"time"

	"github.com/pialert/pialert/agent/internal/source"
)

// maxCatchingUp bounds the logs that read rotated files of the past at a time. Each may hold a
// decompressor and what it looks ahead.
const maxCatchingUp = 4

// admit gives turns at reading backlogs, to the logs whose next rotated file is the oldest. A log that got its
// turn keeps it to the end of that file, since a decompressor cannot be put aside. Logs without a
// backlog need no turn: what happens now is seen now.
func (f *Files) admit() {
	granted := 0
	var behind []*followed
	for _, file := range f.followers {
		switch {
		case !file.behind():
			file.granted = false
		case file.granted:
			granted++
		default:
			behind = append(behind, file)
		}
	}
	f.catching = f.catching || granted > 0 || len(behind) > 0
	if granted >= maxCatchingUp || len(behind) == 0 {
		return
	}
	slices.SortStableFunc(behind, func(a, b *followed) int { return a.next().Compare(b.next()) })
	for _, file := range behind[:min(len(behind), maxCatchingUp-granted)] {
		file.granted = true
		file.dirty.Store(true)
	}
}

// rest tells once that no log has a backlog any more.
func (f *Files) rest() {
	if !f.catching || slices.ContainsFunc(f.followers, func(file *followed) bool { return file.behind() }) {
		return
	}
	f.catching = false
	if f.options.CaughtUp != nil {
		f.options.CaughtUp()
	}
}

// behind reports whether the follower has a backlog: more rotated files to read than the one that a
// rotation leaves, or one that has to be unpacked. A backlog ends with the last rotated file.
func (f *follower) behind() bool {
	g := f.unread()
	switch {
	case g == nil && len(f.waiting) == 0, g != nil && f.isLive(g):
		f.late = false
	case len(f.waiting) > 1, g != nil && g.sealed, g == nil && f.waiting[0].compressed != "":
		f.late = true
	}
	return f.late
}

// next returns when the file that is to be read next was last written to.
func (f *follower) next() time.Time {
	if g := f.unread(); g != nil {
		return g.modified
	}
	if len(f.waiting) > 0 {
		return f.waiting[0].modified
	}
	return f.modified
}

// backlog returns what is still to be read of rotated files; nil if nothing is.
func (f *follower) backlog() *source.Backlog {
	if !f.behind() {
		return nil
	}
	left := source.Backlog{Files: len(f.waiting), Reached: f.next()}
	for _, c := range f.waiting {
		left.Bytes += c.size
	}
	if g := f.unread(); g != nil {
		left.Files++
		left.Bytes += max(0, g.size-cmp.Or(g.consumed(), g.Offset))
	}
	return &left
}
