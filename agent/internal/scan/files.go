package scan

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pialert/pialert/agent/internal/unpack"
)

// Journal is the name that stands for systemd's journal among files.
const Journal = "journal"

// text returns the text of a file, which may be compressed.
func text(name string, in io.Reader) (io.Reader, error) {
	ending := filepath.Ext(name)
	if !unpack.Known(ending) {
		return in, nil
	}
	r := unpack.NewReader()
	return r, r.Reset(in, ending)
}

// expand returns the files that names stand for: those in a folder and those that match a pattern,
// the ones that were written to first before the others.
func expand(names []string) (files []string, err error) {
	for _, name := range names {
		if name == "-" || name == Journal {
			files = append(files, name)
			continue
		}
		info, err := os.Stat(name)
		switch {
		case err == nil && info.IsDir():
			found, err := inFolder(name)
			if err != nil {
				return nil, err
			}
			files = append(files, found...)
		case err != nil && strings.ContainsAny(name, "*?["):
			found, err := filepath.Glob(name)
			if err != nil {
				return nil, fmt.Errorf("cannot scan %s: %w", name, err)
			}
			if found = oldestFirst(found); len(found) == 0 {
				return nil, fmt.Errorf("cannot scan %s: no file matches it: %w", name, fs.ErrNotExist)
			}
			files = append(files, found...)
		default:
			files = append(files, name)
		}
	}
	return files, nil
}

// inFolder returns the plain files of a folder. It leaves out what is no text: systemd's journal and
// the records of logins (utmp).
func inFolder(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("cannot scan %s: %w", folder, err)
	}
	var files []string
	for _, entry := range entries {
		name := entry.Name()
		if !entry.Type().IsRegular() || strings.HasSuffix(name, ".journal") || strings.HasSuffix(name, "~") ||
			strings.HasPrefix(name, "wtmp") || strings.HasPrefix(name, "btmp") || name == "lastlog" || name == "faillog" {
			continue
		}
		files = append(files, filepath.Join(folder, name))
	}
	if files = oldestFirst(files); len(files) == 0 {
		return nil, fmt.Errorf("cannot scan %s: the folder has no files that could be logs", folder)
	}
	return files, nil
}

// oldestFirst leaves out what is no plain file, and sorts by the time of the last change.
func oldestFirst(names []string) []string {
	type file struct {
		name    string
		changed int64
	}
	var files []file
	for _, name := range names {
		if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
			files = append(files, file{name, info.ModTime().UnixNano()})
		}
	}
	slices.SortStableFunc(files, func(a, b file) int { return int(min(max(a.changed-b.changed, -1), 1)) })
	sorted := make([]string, len(files))
	for i, f := range files {
		sorted[i] = f.name
	}
	return sorted
}
