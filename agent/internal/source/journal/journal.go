// Package journal is systemd's journal as a source of lines.
//
// It runs journalctl, or where that is missing reads the journal's files (room journalfile), and makes each
// entry a line with an RFC 3339 header, as rsyslog writes it to a file. Any local user can send entries that call
// themselves sshd's: who sent an entry is decided by the fields that journald itself adds, and what is not believed is
// left out and counted. The position is journald's cursor; when journalctl ends it is started again behind it.
package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/pialert/pialert/agent/internal/header"
	"github.com/pialert/pialert/agent/internal/source"
	"github.com/pialert/pialert/agent/internal/source/journal/journalfile"
	"github.com/pialert/pialert/pkg/backoff"
)

// Options say what to read from the journal.
type Options struct {
	// Name is what the chunks are called by. Their Source is "journal:" and Name.
	Name string
	// Matches are journalctl's match arguments; nil means the facilities auth and authpriv, to which
	// sshd, sudo, su and PAM log.
	Matches []string
	Start   source.Start
	// Trust says whose entries are believed.
	Trust   header.Trust
	Restore source.Restore
	Logger  *slog.Logger
	// Command is how journalctl is called; nil means ["journalctl"]. If there is no such program, the
	// files in Folders are read; nil means those of journald.
	Command []string
	Folders []string
	// Poll is the time between two looks at whether journald has moved to another of the Folders, which journalctl
	// does not notice; zero means ten seconds.
	Poll time.Duration
	// Backoff is the first pause before journalctl is started again; zero means a second.
	Backoff time.Duration
}

// Journal reads the systemd journal. Its methods may be called from any goroutine,
// Run only once.
type Journal struct {
	options Options
	key     string // of the position
	cursor  string
	entries entries

	mu        sync.Mutex
	stats     source.Stats
	followed  time.Time // when journalctl was started last, or handed something on
	following bool
	caughtUp  bool // it has come up to the present since it was started
}

// New returns a Journal. It starts nothing.
func New(options Options) *Journal {
	if options.Matches == nil {
		options.Matches = []string{"SYSLOG_FACILITY=4", "SYSLOG_FACILITY=10"}
	}
	if options.Command == nil {
		options.Command = []string{"journalctl"}
	}
	if options.Folders == nil {
		options.Folders = journalfile.Folders()
	}
	if options.Poll <= 0 {
		options.Poll = 10 * time.Second
	}
	if options.Backoff <= 0 {
		options.Backoff = time.Second
	}
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	if options.Restore == nil {
		options.Restore = func(string) ([]byte, bool) { return nil, false }
	}
	key := "journal:" + options.Name
	return &Journal{
		options: options, key: key,
		stats: source.Stats{Name: options.Name, Source: key, State: source.Waiting},
	}
}

// Run follows the journal until ctx ends, which returns nil, or until emit fails, which returns its
// error. When journalctl ends, it is started again, after pauses that grow to a minute. Without journalctl
// and files Run fails with source.ErrUnavailable.
func (j *Journal) Run(ctx context.Context, emit source.Emit) error {
	if err := j.open(); err != nil {
		j.fail(err)
		return err
	}
	known := j.restore()
	wait := backoff.Backoff{First: 3 * j.options.Backoff / 2, Last: 3 * maxBackoff / 2, Least: 1. / 3}
	for {
		before := j.cursor
		var err error
		if known {
			err = j.follow(ctx, emit)
		} else if err = j.begin(ctx, emit); err == nil {
			known = true
			continue
		}
		var refused emitError
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &refused):
			return refused.error
		case errors.Is(err, errMoved):
			j.options.Logger.Info("following the journal in its new folder", "source", j.key)
			continue
		case j.cursor != before:
			wait.Reset()
		}
		j.fail(err)
		pause := wait.Next()
		j.options.Logger.Warn("cannot follow the journal, trying again", "source", j.key, "error", err, "in", pause)
		if backoff.Wait(ctx, pause, nil); ctx.Err() != nil {
			return nil
		}
	}
}

// Read writes what the journal holds as `journalctl --output=json` does, whoever sent it, and returns when there is no
// more. A time that is not zero bounds it.
func (j *Journal) Read(ctx context.Context, since, until time.Time, to io.Writer) error {
	if err := j.open(); err != nil {
		return err
	}
	return j.entries(ctx, query{since: since, until: until}, func(out io.Reader) error {
		_, err := io.Copy(to, out)
		return err
	})
}

// Stats returns what is known of the journal, as one source.
func (j *Journal) Stats() []source.Stats {
	j.mu.Lock()
	defer j.mu.Unlock()
	return []source.Stats{j.stats}
}

// restore takes up the stored cursor and reports whether there is a stored position at all.
func (j *Journal) restore() bool {
	stored, ok := j.options.Restore(j.key)
	if !ok {
		return false
	}
	var position journalPosition
	if err := json.Unmarshal(stored, &position); err != nil {
		j.options.Logger.Warn("reading the journal as if it were new", "source", j.key,
			"error", fmt.Errorf("cannot read the stored position: %w", err))
		return false
	}
	j.cursor = position.Cursor
	return true
}

// begin stores the first position: the last entry's cursor, or none if everything is to be read.
func (j *Journal) begin(ctx context.Context, emit source.Emit) error {
	if j.options.Start == source.End {
		err := j.entries(ctx, query{newest: true}, func(out io.Reader) error {
			return j.read(out, nil, func(batch *batch) error {
				j.cursor = batch.cursor
				return nil
			})
		})
		if err != nil {
			return err
		}
	}
	return j.hand(ctx, &batch{cursor: j.cursor}, emit)
}

// follow hands on entries until journalctl ends.
func (j *Journal) follow(ctx context.Context, emit source.Emit) error {
	known := j.cursor
	convert := func(e *header.Entry, b *batch) {
		if !sameEntry(known, e.Cursor) {
			j.convert(e, b)
		}
	}
	err := j.entries(ctx, query{after: known, follow: true}, func(out io.Reader) error {
		j.follows()
		return j.read(out, convert, func(b *batch) error { return j.hand(ctx, b, emit) })
	})
	if err == nil {
		err = errors.New("journalctl has ended")
	}
	return err
}

// sameEntry reports whether two cursors are of the same entry: of the same boot and time, with the same fields.
// What stands before ";b=" is another number once the journal in memory was flushed to the disk.
func sameEntry(a, b string) bool {
	_, restA, ok := strings.Cut(a, ";b=")
	_, restB, _ := strings.Cut(b, ";b=")
	return a == b || ok && restA == restB
}

// Behind implements [source.Source]. journalctl does not say when it has come to the end: it has if an
// entry is new, or none came for a while.
func (j *Journal) Behind(log string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if log != j.key {
		return false
	}
	j.caughtUp = j.caughtUp || j.following && time.Since(j.followed) > quietAfter
	return !j.caughtUp
}

func (j *Journal) follows() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.followed, j.following, j.caughtUp = time.Now(), true, false
	j.stats.State, j.stats.Error = source.Following, ""
}

func (j *Journal) fail(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.following, j.caughtUp = false, false
	j.stats.State, j.stats.Error = source.Failing, err.Error()
	j.stats.Errors++
}

// maxBackoff is the longest pause before journalctl is started again.
const maxBackoff = time.Minute
