package file

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pialert/pialert/agent/internal/source"
)

const (
	// scanPause is the least time between two searches for files that match a pattern, maxScanPause the most;
	// scanShare keeps that from using more than this part of one processor's time when folders are large.
	scanPause    = 2 * time.Second
	maxScanPause = 30 * time.Second
	scanShare    = 500
)

const (
	defaultPoll     = time.Second
	defaultMaxFiles = 1024
	defaultKeep     = 24 * time.Hour
)

// Options say what to follow.
type Options struct {
	Logs []Log
	// Restore finds stored positions; nil stands for none. Stored are the logs that it has any of.
	Restore source.Restore
	Stored  []string
	Logger  *slog.Logger
	// Poll is the time between two looks at every file, besides those that inotify asks for; zero means
	// one second.
	Poll time.Duration
	// MaxFiles bounds the files followed for one pattern; zero means 1024. Those changed last are taken.
	MaxFiles int
	// LastStored is when positions were last stored; zero if nobody knows. It tells what is certainly unread
	// of a log whose position cannot be used.
	LastStored time.Time
	// CaughtUp, unless nil, is called a moment after the last rotated file of the past was read: what reading
	// them took can be given back.
	CaughtUp func()
	// Keep is how long the position of a pattern's file that was deleted is kept; zero means a day.
	Keep time.Duration
}

// Files follows log files. Its methods may be called from any goroutine, Run only once.
type Files struct {
	options  Options
	patterns []*pattern

	followers []*followed // in Run's goroutine only, as is folders
	folders   folders
	catching  bool // some follower had a backlog when they were looked at last
	mu        sync.Mutex
	published map[string]source.Stats
	behind    map[string]bool // logs with lines that wait to be read
	looked    bool            // at every log at least once
}

// followed is a follower and what Run knows of it.
type followed struct {
	*follower
	pattern *pattern // nil for a path without wildcards
	dirty   atomic.Bool
	// absent is since when there has been nothing to read; zero if there is.
	absent time.Time
}

// New checks the options. It opens nothing.
func New(options Options) (*Files, error) {
	if options.Poll <= 0 {
		options.Poll = defaultPoll
	}
	if options.MaxFiles <= 0 {
		options.MaxFiles = defaultMaxFiles
	}
	if options.Keep <= 0 {
		options.Keep = defaultKeep
	}
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	if options.Restore == nil {
		options.Restore = func(string) ([]byte, bool) { return nil, false }
	}
	f := &Files{options: options, published: make(map[string]source.Stats), behind: make(map[string]bool), folders: folders{listed: make(map[string]listing)}}
	for _, log := range options.Logs {
		for _, path := range log.Paths {
			if err := checkPath(path); err != nil {
				return nil, fmt.Errorf("cannot follow %q of log %q: %w", path, log.Name, err)
			}
			path = filepath.Clean(path)
			if slices.ContainsFunc(f.patterns, func(p *pattern) bool { return p.path == path }) {
				return nil, fmt.Errorf("cannot follow %q for log %q: it is listed twice", path, log.Name)
			}
			f.patterns = append(f.patterns, &pattern{log: log, path: path})
		}
	}
	return f, nil
}

func checkPath(path string) error {
	if !filepath.IsAbs(path) {
		return errors.New("the path must begin with /")
	}
	if _, err := filepath.Match(path, ""); err != nil {
		return err
	}
	if _, compressed := cutCompression(path); compressed != "" {
		return errors.New("a compressed file does not grow; read it with the scan command")
	}
	return nil
}

// Run follows the files until ctx ends, which returns nil, or until emit fails, which returns its error.
// It calls emit from one goroutine.
func (f *Files) Run(ctx context.Context, emit source.Emit) error {
	wake := newWaker(f.options.Logger)
	defer wake.close()
	defer f.closeAll()
	poll := f.options.Poll
	if wake.polling {
		poll = min(poll, pollAlone)
	}
	ticker := time.NewTicker(poll)
	defer ticker.Stop()

	memory := newBlocks()
	var nextScan time.Time
	always := make(chan struct{})
	close(always)
	for first := true; ; first = false {
		now := time.Now()
		if !now.Before(nextScan) {
			if err := f.scan(ctx, now, first, wake, emit); err != nil {
				return f.stopped(ctx, err)
			}
			nextScan = now.Add(min(max(scanPause, scanShare*time.Since(now)), maxScanPause))
		}
		more, err := f.round(ctx, now, memory, wake, emit)
		if err == nil && first {
			f.mu.Lock()
			f.looked = true
			f.mu.Unlock()
			err = f.markPatterns(ctx, now, emit)
		}
		if err != nil {
			return f.stopped(ctx, err)
		}
		atOnce := always
		if !more {
			atOnce = nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-wake.woken:
		case <-ticker.C:
			f.folders.forget()
			f.rest()
			for _, file := range f.followers {
				file.dirty.Store(true)
			}
		case <-atOnce:
		}
	}
}

// round looks at each file that may have changed, once, so that none waits for another's backlog.
func (f *Files) round(ctx context.Context, now time.Time, memory *blocks, wake *waker, emit source.Emit) (more bool, err error) {
	f.admit()
	for _, file := range f.followers {
		if !file.dirty.Swap(false) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return false, err
		}
		lines, again := file.step(now, memory)
		if len(lines) > 0 || file.moved {
			if err := f.hand(ctx, file, lines, now, emit); err != nil {
				return false, err
			}
		}
		if errors.Is(file.problem, errDuplicate) {
			wake.forget(file.path) // the kernel has one watch per file, not per name
		} else if wake.watch(file.path, file.live, file.present, &file.dirty) {
			again = true // what was written before the watch began
		}
		if again {
			file.dirty.Store(true)
			more = true
		}
		f.publish(file, again)
	}
	return more, nil
}

// hand gives lines and the position after them to emit.
func (f *Files) hand(ctx context.Context, file *followed, lines []byte, now time.Time, emit source.Emit) error {
	count := countLines(lines)
	chunk := source.Chunk{
		Name: file.name, Source: file.path, Data: lines,
		Position: file.position().encode(), Observed: now,
	}
	file.moved = false
	file.stats.Lines += uint64(count)
	file.stats.Bytes += uint64(len(lines))
	if count > 0 {
		file.stats.LastLine = now
	}
	return emit(ctx, chunk)
}

// stopped tells a wanted end from a failure.
func (f *Files) stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (f *Files) closeAll() {
	for _, file := range f.followers {
		file.close()
	}
}

// claimed reports whether a follower other than self has the file open.
func (f *Files) claimed(self *follower, id fileID) bool {
	return slices.ContainsFunc(f.followers, func(other *followed) bool {
		return other.follower != self && other.reads(id)
	})
}

// inherit takes the file from the follower that reads it, for self at whose path it is now: within a pattern a log
// may be renamed to another log. It returns nil if the file is at that follower's path too, by a link, or if
// nobody reads it. Self's position is stored first, as self is being looked at.
func (f *Files) inherit(self *follower, id fileID) *generation {
	for _, other := range f.followers {
		at := slices.IndexFunc(other.generations, func(g *generation) bool {
			return g.fileID == id && (g.file != nil || g.parked)
		})
		if other.follower == self || at < 0 {
			continue
		}
		if info, err := os.Stat(other.path); err == nil && identify(info) == id {
			continue
		}
		g := other.generations[at]
		other.generations = slices.Delete(other.generations, at, at+1)
		other.moved = true
		other.dirty.Store(true)
		return g
	}
	return nil
}

// publish makes a follower's numbers visible to Stats.
func (f *Files) publish(file *followed, more bool) {
	stats := file.snapshot(more)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.published[file.path] = stats
	if more || stats.Backlog != nil || !file.settled() {
		f.behind[file.path] = true
	} else {
		delete(f.behind, file.path)
	}
}

// Behind implements [source.Source].
func (f *Files) Behind(log string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.looked || f.behind[log]
}

// Stats returns what is known of every file, and of every pattern that matches none or too many, by name.
func (f *Files) Stats() []source.Stats {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]source.Stats, 0, len(f.published))
	for _, stats := range f.published {
		all = append(all, stats)
	}
	slices.SortFunc(all, func(a, b source.Stats) int { return strings.Compare(a.Source, b.Source) })
	return all
}
