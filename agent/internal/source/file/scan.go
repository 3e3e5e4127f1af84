package file

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/pialert/pialert/agent/internal/source"
)

// scan brings the followers in line with the files that are there.
func (f *Files) scan(ctx context.Context, now time.Time, first bool, wake *waker, emit source.Emit) error {
	for _, p := range f.patterns {
		if !p.wildcards() {
			if first {
				f.follow(p, p.path, nil, true, time.Time{})
			}
			continue
		}
		known := !first
		if first {
			if known = f.restorePattern(p); !known {
				p.since = now.Add(-clockGrain)
			}
			f.followGone(p)
		}
		if first {
			p.looked = p.since
		}
		f.scanPattern(p, known, now)
		p.since, p.looked = p.looked, now.Add(-clockGrain)
	}
	return f.forgetGone(ctx, now, wake, emit)
}

// restorePattern reports whether the pattern was followed before, so that files without a position are
// new rather than old.
func (f *Files) restorePattern(p *pattern) bool {
	stored, ok := f.options.Restore(p.path)
	if !ok {
		return false
	}
	position, ok, err := decodePosition(stored)
	if !ok {
		f.options.Logger.Warn("taking a pattern's files for unknown", "pattern", p.path, "error", err)
		return false
	}
	p.since = position.Modified
	return true
}

// followGone follows a pattern's files that were there when positions were stored, and went while nobody
// looked: one that was renamed or compressed has a rest that was not read, or is another of the pattern's files by now.
func (f *Files) followGone(p *pattern) {
	for _, path := range f.options.Stored {
		own := func(p *pattern) bool { return p.path == path }
		followed := func(file *followed) bool { return file.path == path }
		if matches, err := filepath.Match(p.path, path); err != nil || !matches || slices.ContainsFunc(f.patterns, own) || slices.ContainsFunc(f.followers, followed) {
			continue
		}
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			f.follow(p, path, p, false, p.since)
		}
	}
}

// markPatterns stores that the patterns are followed from now on, once the position of each file that
// was there at the start is stored.
func (f *Files) markPatterns(ctx context.Context, now time.Time, emit source.Emit) error {
	for _, p := range f.patterns {
		if !p.wildcards() {
			continue
		}
		if err := f.mark(ctx, p, p.looked, now, emit); err != nil {
			return err
		}
	}
	return nil
}

// mark stores that the pattern has been followed since then.
func (f *Files) mark(ctx context.Context, p *pattern, since, now time.Time, emit source.Emit) error {
	return emit(ctx, source.Chunk{
		Name: p.log.Name, Source: p.path, Observed: now,
		Position: position{Files: []mark{}, Modified: since}.encode(),
	})
}

func (f *Files) scanPattern(p *pattern, known bool, now time.Time) {
	mine, followed := 0, make(map[string]bool)
	for _, file := range f.followers {
		followed[file.path] = true
		if file.pattern == p {
			mine++
		}
	}
	names, rotated := p.names()
	paths, skipped := newest(names, f.options.MaxFiles)
	if known {
		paths = append(paths, p.gone(names, rotated, followed, now)...)
	}
	for _, path := range paths {
		if followed[path] {
			continue
		}
		if mine >= f.options.MaxFiles {
			skipped++
			continue
		}
		mine++
		f.follow(p, path, p, !known, p.since)
	}
	if skipped != p.skipped {
		f.options.Logger.Warn("a pattern matches more files than are followed; name the ones that matter",
			"pattern", p.path, "followed", mine, "skipped", skipped)
		p.skipped = skipped
	}
	f.publishPattern(p, mine)
}

// follow begins to follow path. If old, what it holds by now is subject to the log's Start; else it is
// read from its start, and so are its rotated files that were written to after since.
func (f *Files) follow(p *pattern, path string, owner *pattern, old bool, since time.Time) {
	file := &followed{pattern: owner, follower: &follower{
		name: p.log.Name, path: path, start: p.log.Start, logger: f.options.Logger, limited: true, folders: &f.folders,
	}}
	file.claimed = func(id fileID) bool { return f.claimed(file.follower, id) }
	file.inherit = func(id fileID) *generation { return f.inherit(file.follower, id) }
	stored, ok := f.options.Restore(path)
	if !ok {
		file.fresh, file.moved = old, !old // what is stored of the pattern may soon say that this was there before
		stored = nil
	}
	if err := file.restore(stored, since, f.options.LastStored); err != nil {
		f.options.Logger.Error("lost the place in a log file; what certainly is unread is read, a line may be missing",
			"file", path, "error", err, "known_files", len(file.generations), "files_made_after", f.options.LastStored)
	}
	file.dirty.Store(true)
	f.followers = append(f.followers, file)
}

// forgetGone drops the followers of a pattern's files that have been gone for long.
func (f *Files) forgetGone(ctx context.Context, now time.Time, wake *waker, emit source.Emit) error {
	var gone []*followed
	for _, file := range f.followers {
		switch {
		case file.pattern == nil || file.present || file.open():
			file.absent = time.Time{}
		case file.absent.IsZero():
			file.absent = now
		case now.Sub(file.absent) >= f.options.Keep:
			gone = append(gone, file)
		}
	}
	for _, file := range gone {
		f.options.Logger.Info("forgetting a log file that was deleted", "file", file.path)
		wake.forget(file.path)
		file.close()
		f.followers = slices.DeleteFunc(f.followers, func(other *followed) bool { return other == file })
		f.mu.Lock()
		delete(f.published, file.path)
		delete(f.behind, file.path)
		f.mu.Unlock()
		forget := source.Chunk{Name: file.name, Source: file.path, Forget: true, Observed: now}
		// Should a file of that name come back, its rotated ones are known: from before its place is forgotten, or a
		// kill in between would have them read anew.
		if err := f.mark(ctx, file.pattern, file.pattern.since, now, emit); err != nil {
			return err
		}
		if err := emit(ctx, forget); err != nil {
			return err
		}
	}
	return nil
}

// publishPattern makes a pattern visible to Stats when its files alone do not tell about it.
func (f *Files) publishPattern(p *pattern, files int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case p.skipped > 0:
		f.published[p.path] = source.Stats{Name: p.log.Name, Source: p.path, State: source.Following, Skipped: p.skipped}
	case files == 0:
		f.published[p.path] = source.Stats{Name: p.log.Name, Source: p.path, State: source.Waiting}
	default:
		delete(f.published, p.path)
	}
}
