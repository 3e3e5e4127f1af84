package file

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
)

// clockGrain is by how much a file's time may be behind the clock when it is written to: a tick.
const clockGrain = 20 * time.Millisecond

// folders remembers the names in folders for as long as nothing changes there: many logs of one folder
// look for their rotated files, one after another. A nil folders remembers nothing. It belongs to one
// goroutine.
type folders struct {
	listed map[string]listing
}

// listing is the names of a folder, sorted.
type listing struct {
	names    []string
	modified time.Time // of the folder
}

// names returns the names in a folder that begin with prefix, sorted; none if there is no such folder. The
// slice must not be changed.
func (f *folders) names(folder, prefix string) ([]string, error) {
	if folder == "" {
		folder = "."
	}
	info, err := os.Stat(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var known listing
	if f != nil {
		known = f.listed[folder]
	}
	if known.names == nil || !known.modified.Equal(info.ModTime()) {
		known.modified = info.ModTime()
		if known.names, err = readNames(folder); err != nil {
			return nil, err
		}
		// What changes within the same tick leaves the time as it is.
		if f != nil && time.Since(known.modified) > clockGrain {
			f.listed[folder] = known
		}
	}
	from, _ := slices.BinarySearch(known.names, prefix)
	to := from
	for to < len(known.names) && strings.HasPrefix(known.names[to], prefix) {
		to++
	}
	return known.names[from:to], nil
}

// forget forgets all names.
func (f *folders) forget() { clear(f.listed) }

// readNames returns the names in a folder, sorted; none if there is no such folder.
func readNames(folder string) ([]string, error) {
	dir, err := os.Open(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	slices.Sort(names)
	return names, err
}
