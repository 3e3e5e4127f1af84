package file

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pialert/pialert/agent/internal/source"
)

// Log is a configured set of log files of one kind.
type Log struct {
	// Name is what its chunks are called by.
	Name string
	// Paths are absolute file names or patterns as filepath.Match has them.
	Paths []string
	// Start applies to files that are there when Run begins and have no stored position.
	Start source.Start
}

// pattern is one configured path.
type pattern struct {
	log  Log
	path string
	// since is when nothing new was there yet.
	since time.Time
	// skipped counts the files beyond the limit.
	skipped int
}

// wildcards reports whether the path stands for any number of files.
func (p *pattern) wildcards() bool {
	return strings.ContainsAny(p.path, `*?[\`)
}

// match returns the files that the pattern stands for, at most limit: plain files before links, so that a
// link to one of them is known as its duplicate, and those changed last before others.
func (p *pattern) match(limit int) (paths []string, skipped int) {
	type file struct {
		path     string
		link     bool
		modified time.Time
	}
	names, err := filepath.Glob(p.path)
	if err != nil {
		return nil, 0 // New has checked the pattern
	}
	var files []file
	for _, name := range names {
		if isRotated(p.path, filepath.Base(name)) {
			continue
		}
		entry, err := os.Lstat(name)
		if err != nil {
			continue
		}
		link := entry.Mode()&os.ModeSymlink != 0
		if link {
			if entry, err = os.Stat(name); err != nil {
				continue
			}
		}
		if entry.Mode().IsRegular() {
			files = append(files, file{name, link, entry.ModTime()})
		}
	}
	slices.SortStableFunc(files, func(a, b file) int { return b.modified.Compare(a.modified) })
	skipped = max(0, len(files)-limit)
	files = files[:len(files)-skipped]
	slices.SortStableFunc(files, func(a, b file) int {
		switch {
		case a.link == b.link:
			return strings.Compare(a.path, b.path)
		case a.link:
			return 1
		}
		return -1
	})
	for _, file := range files {
		paths = append(paths, file.path)
	}
	return paths, skipped
}
