package spool

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	damagedPrefix = "damaged-"
	// maxDamaged bounds how many damaged files are kept.
	maxDamaged = 8
)

// setAside keeps a damaged segment under a second name that outlives the first. names is what the
// directory holds; a segment that was set aside before is not set aside again, and ok is false.
func setAside(path string, names []string, now time.Time) (aside string, ok bool, err error) {
	dir, name := filepath.Split(path)
	known := func(n string) bool { return strings.HasPrefix(n, damagedPrefix) && strings.HasSuffix(n, "-"+name) }
	if slices.ContainsFunc(names, known) {
		return "", false, nil
	}
	aside = filepath.Join(dir, damagedPrefix+now.UTC().Format("20060102T150405Z")+"-"+name)
	return aside, true, os.Link(path, aside)
}

// asideAfter reports whether a segment newer than all others was set aside: nothing of it could be read.
func asideAfter(names []string, segments []*segment) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		name, aside := strings.CutPrefix(name, damagedPrefix)
		_, name, _ = strings.Cut(name, "-") // behind the time
		ordinal, _, ok := parseSegmentName(name)
		return aside && ok && (len(segments) == 0 || ordinal > segments[len(segments)-1].ordinal)
	})
}

// forgetDamaged deletes the damaged files that were set aside, but for the newest.
func forgetDamaged(dir string, names []string) error {
	damaged := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !strings.HasPrefix(n, damagedPrefix) })
	slices.Sort(damaged)
	for _, name := range damaged[:max(len(damaged)-maxDamaged, 0)] {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}
