package file

import (
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// maxEntries bounds how many names of a folder are looked at for a file that has an unexpected name.
const maxEntries = 10_000

// candidate is a file that belongs to a source by its name.
type candidate struct {
	name string
	fileID
	rotation
	// live is set for the file at the source's own path, which is the newest.
	live     bool
	modified time.Time
	size     int64 // as it is on the disk
}

// listRotationSet returns the files of the source at path, oldest first. Besides path's own folder it looks
// into that of the file which path links to. A folder that cannot be listed is an error that comes with
// what could be found without it.
func listRotationSet(path string, known *folders) ([]candidate, error) {
	set, err := listRotated(path, known)
	if target, linkErr := filepath.EvalSymlinks(path); linkErr == nil && target != path {
		more, targetErr := listRotated(target, known)
		err = errors.Join(err, targetErr)
		for _, c := range more {
			if !slices.ContainsFunc(set, func(known candidate) bool { return known.fileID == c.fileID }) {
				set = append(set, c)
			}
		}
	}
	sortRotationSet(set)
	if info, statErr := os.Stat(path); statErr == nil && info.Mode().IsRegular() {
		id := identify(info)
		set = slices.DeleteFunc(set, func(c candidate) bool { return c.fileID == id })
		set = append(set, candidate{name: path, fileID: id, live: true, modified: info.ModTime(), size: info.Size()})
	}
	return set, err
}

func listRotated(path string, known *folders) ([]candidate, error) {
	folder, base := filepath.Split(path)
	// Whatever parseRotation accepts begins with base, or with base without its extension.
	names, err := known.names(folder, strings.TrimSuffix(base, filepath.Ext(base)))
	if err != nil {
		return nil, err
	}
	var set []candidate
	for _, name := range names {
		r, ok := parseRotation(base, name)
		if !ok {
			continue
		}
		// While logrotate compresses a file, the plain one is whole and the other is not yet.
		if plain, compressed := cutCompression(name); compressed != "" {
			if _, found := slices.BinarySearch(names, plain); found {
				continue
			}
		}
		name = filepath.Join(folder, name)
		info, err := os.Stat(name)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		set = append(set, candidate{name: name, fileID: identify(info), rotation: r, modified: writtenTo(info), size: info.Size()})
	}
	return set, nil
}

// writtenTo returns when a rotated file was written to last, or of a compressed one its original. bzip2 gives its
// archive the original's time in whole seconds (utime in bzip2.c): then it may have been any time until the next.
func writtenTo(info os.FileInfo) time.Time {
	at := info.ModTime()
	if _, compressed := cutCompression(info.Name()); compressed != "" && at.Nanosecond() == 0 {
		at = at.Add(time.Second - 1)
	}
	return at
}

// sortRotationSet sorts by what the names say, or by time of change if they do not agree on how to say it.
func sortRotationSet(set []candidate) {
	numbered := slices.ContainsFunc(set, func(c candidate) bool { return c.date == "" })
	dated := slices.ContainsFunc(set, func(c candidate) bool { return c.date != "" })
	slices.SortStableFunc(set, func(a, b candidate) int {
		if numbered && dated {
			return a.modified.Compare(b.modified)
		}
		return cmp.Or(a.older(b.rotation), a.modified.Compare(b.modified))
	})
}

// sameSet reports whether nothing was renamed, created or removed between two calls of listRotationSet.
func sameSet(a, b []candidate) bool {
	return slices.EqualFunc(a, b, func(a, b candidate) bool { return a.name == b.name && a.fileID == b.fileID })
}

// searchFile returns the name of a file with the given identity in the folders of path and of what it
// links to: where else a file may have gone that was renamed in a way that listRotationSet does not know.
func searchFile(path string, id fileID) (string, bool) {
	folders := []string{filepath.Dir(path)}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		folders = append(folders, filepath.Dir(target))
	}
	for _, folder := range folders {
		names, err := readNames(folder)
		if err != nil {
			continue
		}
		for _, name := range names[:min(len(names), maxEntries)] {
			name = filepath.Join(folder, name)
			if info, err := os.Lstat(name); err == nil && info.Mode().IsRegular() && identify(info) == id {
				return name, true
			}
		}
	}
	return "", false
}
