package file

import (
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	tailwatch "github.com/nxadm/tail/watch"

	"github.com/pialert/pialert/pkg/wake"
)

// pollAlone is the time between two looks where inotify does not help.
const pollAlone = 100 * time.Millisecond

// waker says when a file may have changed. It belongs to one goroutine.
//
// The inotify tracker behind it is one per process and delivers events by path in a single goroutine,
// which waits for whoever takes them: each path's events are therefore taken at once by a goroutine that
// only sets a flag. Two wakers that watch one path would share its events; polling makes up for that.
type waker struct {
	woken   wake.Bell
	polling bool // inotify cannot be used at all
	logger  *slog.Logger
	watches map[string]watched
}

// watched is a watch on a file, or on its folder while there is no such file.
type watched struct {
	id      fileID
	present bool
	failed  bool
}

// newWaker makes sure that inotify can be used.
func newWaker(logger *slog.Logger) *waker {
	w := &waker{woken: wake.New(), logger: logger, watches: make(map[string]watched)}
	if err := tracker.start(); err != nil {
		logger.Warn("cannot use inotify, looking at the files ten times a second; see fs.inotify.max_user_instances",
			"error", err)
		w.polling = true
	}
	return w
}

// tracker is the library's inotify tracker, of which a process has one for good.
var tracker trackerGuard

// trackerGuard starts the tracker where that does not end the process: the tracker calls os.Exit if the
// kernel has no inotify instance left for it (watch/inotify_tracker.go:220, util.Fatal).
type trackerGuard struct {
	mu      sync.Mutex
	started bool
}

// start asks the kernel for an instance, gives it back, and has the tracker take it at once. It returns the
// kernel's error if there is none; a later call asks again.
func (g *trackerGuard) start() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.started {
		return nil
	}
	instance, err := syscall.InotifyInit1(syscall.IN_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("inotify_init1", err)
	}
	syscall.Close(instance)
	g.started = true
	// Its first task starts it, and is done once it has its instance: any task will do.
	if tailwatch.WatchCreate(os.DevNull) == nil {
		_ = tailwatch.RemoveWatchCreate(os.DevNull)
	}
	return nil
}

// watch has dirty set and woken sent to when something happens to the file at path; present and id say
// which file that is. It reports whether it began a new watch: what happened before went unnoticed.
func (w *waker) watch(path string, id fileID, present bool, dirty *atomic.Bool) bool {
	known, ok := w.watches[path]
	if w.polling || ok && known.id == id && known.present == present && !known.failed {
		return false
	}
	if ok && !known.failed {
		w.forget(path)
	}
	begin := tailwatch.Watch
	if !present {
		begin = tailwatch.WatchCreate
	}
	now := watched{id: id, present: present}
	if err := begin(path); err != nil {
		// After a failure nothing must be removed: the tracker would count below zero (inotify_tracker.go:178).
		now.failed = true
		if present && !known.failed {
			w.logger.Warn("cannot have a log file watched, looking at it now and then; see fs.inotify.max_user_watches",
				"file", path, "error", err)
		}
		w.watches[path] = now
		return false
	}
	w.watches[path] = now
	events := tailwatch.Events(filepath.Clean(path))
	go func() {
		for range events { // until the watch is removed
			dirty.Store(true)
			w.woken.Ring()
		}
	}()
	return true
}

// forget ends the watch on path.
func (w *waker) forget(path string) {
	known, ok := w.watches[path]
	if !ok {
		return
	}
	delete(w.watches, path)
	if known.failed {
		return
	}
	// The error says that the file is gone, and the kernel's watch with it.
	if known.present {
		_ = tailwatch.RemoveWatch(path)
	} else {
		_ = tailwatch.RemoveWatchCreate(path)
	}
}

func (w *waker) close() {
	for path := range w.watches {
		w.forget(path)
	}
}
