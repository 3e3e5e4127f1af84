package file

import (
	"errors"
	"io/fs"
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
	// since is when nothing new was there yet: the last look but one, since a log can be renamed during a look and be
	// seen under neither name. looked is the last look.
	since, looked time.Time
	// skipped counts the files beyond the limit.
	skipped int
}

// wildcards reports whether the path stands for any number of files.
func (p *pattern) wildcards() bool {
	return strings.ContainsAny(p.path, `*?[\`)
}

// names returns the paths that the pattern stands for, and the rotated files in its folders by the path that
// each had before.
func (p *pattern) names() (paths []string, rotated map[string][]string) {
	folders, err := filepath.Glob(filepath.Dir(p.path))
	if err != nil {
		return nil, nil // New has checked the pattern
	}
	pattern, rotated := filepath.Base(p.path), make(map[string][]string)
	for _, folder := range folders {
		names, err := readNames(folder)
		if err != nil {
			continue
		}
		for _, name := range names {
			if former, ok := rotatedFrom(pattern, name); ok {
				former = filepath.Join(folder, former)
				rotated[former] = append(rotated[former], filepath.Join(folder, name))
			} else if matches, err := filepath.Match(pattern, name); err == nil && matches {
				paths = append(paths, filepath.Join(folder, name))
			}
		}
	}
	return paths, rotated
}

// newest returns those of the paths that are files, at most limit: plain files before links, so that a
// link to one of them is known as its duplicate, and those changed last before others.
func newest(names []string, limit int) (paths []string, skipped int) {
	type file struct {
		path     string
		link     bool
		modified time.Time
	}
	var files []file
	for _, name := range names {
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

// gone returns the logs that came after since and went before now, and that nobody follows: only a rotated file of
// theirs is left, made and written to in that time. Compression keeps the time of writing. A file that was there
// before, that was copied back with its time, or whose time is still to come, shows no new log. A log whose names change
// during the look counts as new: its follower finds out what was not read.
func (p *pattern) gone(names []string, rotated map[string][]string, followed map[string]bool, now time.Time) (paths []string) {
	absent := func(path string) bool {
		_, err := os.Lstat(path)
		return errors.Is(err, fs.ErrNotExist)
	}
	for _, path := range names {
		if !followed[path] && len(rotated[path]) == 0 && absent(path) {
			paths = append(paths, path)
		}
	}
	for path, names := range rotated {
		if !followed[path] && absent(path) && slices.ContainsFunc(names, func(name string) bool { return p.isNew(name, now) }) {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths
}

// isNew reports whether a rotated file was made and written to between since and now, or went just now.
func (p *pattern) isNew(name string, now time.Time) bool {
	info, err := os.Lstat(name)
	if err != nil || !info.Mode().IsRegular() {
		return errors.Is(err, fs.ErrNotExist)
	}
	if info.ModTime().After(now) || !writtenTo(info).After(p.since) {
		return false
	}
	born := time.Unix(0, bornAt(name))
	return born.UnixNano() == 0 || born.After(p.since) && !born.After(now)
}
