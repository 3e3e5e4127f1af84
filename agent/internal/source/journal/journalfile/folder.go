package journalfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Folders are where systemd-journald keeps journals: on the disk, and in memory.
func Folders() []string { return []string{"/var/log/journal", "/run/log/journal"} }

// Machines returns the folders of machines' journals that are in folders now.
func Machines(folders []string) (machine []string) {
	for _, folder := range folders {
		entries, _ := os.ReadDir(folder)
		for _, entry := range entries {
			if isMachine(entry.Name()) {
				machine = append(machine, filepath.Join(folder, entry.Name()))
			}
		}
	}
	return machine
}

func last(f found) (Place, bool, error) {
	o, err := enter(f)
	if err != nil {
		return Place{}, false, err
	}
	defer o.Close()
	var newest uint64
	for offset := o.arrays; offset != 0; {
		offsets, next, err := array(o, offset, o.compact)
		if err != nil {
			return Place{}, false, err
		}
		for _, entry := range offsets {
			if entry != 0 {
				newest = entry
			}
		}
		offset = next
	}
	if newest == 0 {
		return Place{}, false, nil
	}
	place, _, err := placeAt(o, newest, o.header)
	return place, err == nil, err
}

// isMachine says whether a folder has the name of a machine's id.
func isMachine(name string) bool {
	return len(name) == 32 && strings.Trim(name, "0123456789abcdef") == ""
}

// isJournal says whether a file has the name of a journal of the system: the one that is written to, those that
// were rotated, and those that journald found damaged.
func isJournal(name string) bool {
	name, ok := strings.CutSuffix(strings.TrimSuffix(name, "~"), ".journal")
	return ok && (name == "system" || strings.HasPrefix(name, "system@"))
}

// maxFiles bounds how many files are looked at. journald keeps a hundred by default (SystemMaxFiles).
const maxFiles = 10_000

// list finds the journals. What is damaged or not there any more is left out.
func (r *Reader) list() ([]found, error) {
	var files []found
	var folders int
	seen := map[string]bool{}
	for _, root := range r.folders {
		entries, err := os.ReadDir(root)
		if gone(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read the journal: %w", err)
		}
		for _, entry := range entries {
			if !isMachine(entry.Name()) {
				continue
			}
			folders++
			names, err := os.ReadDir(filepath.Join(root, entry.Name()))
			if err != nil && !gone(err) {
				return nil, fmt.Errorf("cannot read the journal: %w", err)
			}
			for _, name := range names {
				if !isJournal(name.Name()) || len(files) >= maxFiles {
					continue
				}
				path := filepath.Join(root, entry.Name(), name.Name())
				seen[path] = true
				f, ok, err := r.look(path)
				if err != nil {
					return nil, err
				}
				if ok {
					files = append(files, f)
				}
			}
		}
	}
	for path := range r.known {
		if !seen[path] {
			delete(r.known, path)
		}
	}
	if folders == 0 {
		return nil, fmt.Errorf("cannot read the journal: %w: no machine's journal is in %v", os.ErrNotExist, r.folders)
	}
	return files, nil
}

// look reads a file's header, unless nothing is added to the file any more and it is known.
func (r *Reader) look(path string) (f found, ok bool, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return found{}, false, ignoreGone(err)
	}
	if h, ok := r.known[path]; ok {
		return found{path, info, h}, true, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return found{}, false, ignoreGone(err)
	}
	defer file.Close()
	h, err := readHeader(file)
	archived := filepath.Base(path) != "system.journal"
	switch {
	case errors.Is(err, ErrDamaged):
		if !archived {
			return found{}, false, nil // journald is just making it
		}
		r.damaged++
		h = header{}
	case err != nil:
		return found{}, false, fmt.Errorf("%s: %w", path, err)
	}
	if archived {
		r.known[path] = h
	}
	return found{path, info, h}, true, nil
}

func ignoreGone(err error) error {
	if gone(err) {
		return nil
	}
	return fmt.Errorf("cannot read the journal: %w", err)
}
