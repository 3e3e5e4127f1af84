// Package journal is systemd's journal as a source of lines.
//
// It runs journalctl, or where that is missing reads the journal's files (room journalfile), and makes each
// entry a line with an RFC 3339 header, as rsyslog writes it to a file. Any local user can send entries that call themselves sshd's: who sent an entry is decided by the
// fields that journald itself adds, and what is not believed is left out and counted. The position is
// journald's cursor; when journalctl ends it is started again behind it.
package journal

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/pialert/pialert/agent/internal/source"
	"github.com/pialert/pialert/agent/internal/source/journal/journalfile"
	"github.com/pialert/pialert/pkg/backoff"
	"github.com/pialert/pialert/pkg/stderr"
)

const (
	// maxEntry bounds one entry as JSON: nine fields of 4096 bytes at most, up to four characters each.
	maxEntry = 256 << 10
	// maxBatch is how many bytes of lines are handed on at once.
	maxBatch = 64 << 10
	// maxBackoff is the longest pause before journalctl is started again.
	maxBackoff = time.Minute
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
	Trust   source.Trust
	Restore source.Restore
	Logger  *slog.Logger
	// Command is how journalctl is called; nil means ["journalctl"]. If there is no such program, the
	// files in Folders are read; nil means those of journald.
	Command []string
	Folders []string
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

// journalPosition is where reading goes on: after the entry with the cursor, or at the journal's
// beginning if there was none.
type journalPosition struct {
	Cursor string `json:"cursor"`
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

// Read hands on the lines of what the journal holds, and returns when there is no more. A time that is
// not zero bounds it.
func (j *Journal) Read(ctx context.Context, since, until time.Time, emit func(lines []byte) error) error {
	if err := j.open(); err != nil {
		return err
	}
	return j.entries(ctx, query{since: since, until: until}, func(out io.Reader) error {
		return j.read(out, j.convert, func(b *batch) error { return emit(b.lines) })
	})
}

// Stats returns what is known of the journal, as one source.
func (j *Journal) Stats() []source.Stats {
	j.mu.Lock()
	defer j.mu.Unlock()
	return []source.Stats{j.stats}
}

// emitError is an error of emit, which ends Run, as against one of journalctl, which does not.
type emitError struct{ error }

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
	err := j.entries(ctx, query{after: j.cursor, follow: true}, func(out io.Reader) error {
		j.follows()
		return j.read(out, j.convert, func(b *batch) error { return j.hand(ctx, b, emit) })
	})
	if err == nil {
		err = errors.New("journalctl has ended")
	}
	return err
}

// query says which entries are asked for.
type query struct {
	after        string // the cursor of the last one that is known
	since, until time.Time
	newest       bool // only the newest one, for its cursor
	follow       bool // and those that come, without an end
}

// entries has read take the entries of a query, as journalctl's JSON, and returns why they ended.
type entries func(ctx context.Context, q query, read func(io.Reader) error) error

// open chooses where entries come from: journalctl, or else the files.
func (j *Journal) open() error {
	if _, err := exec.LookPath(j.options.Command[0]); err == nil {
		j.entries = j.journalctl
		return nil
	}
	if !journalfile.Exists(j.options.Folders) {
		return fmt.Errorf("cannot read the journal: %w: there is neither journalctl nor a journal in %s; install systemd, or follow a log file instead",
			source.ErrUnavailable, strings.Join(j.options.Folders, " or "))
	}
	j.entries = j.files
	return nil
}

// journalctl runs it.
func (j *Journal) journalctl(ctx context.Context, q query, read func(io.Reader) error) error {
	const form = "2006-01-02 15:04:05"
	var arguments []string
	if q.newest {
		arguments = append(arguments, "--lines=1")
	}
	if q.follow { // without --no-tail it would begin with the last ten entries
		arguments = append(arguments, "--follow", "--no-tail")
	}
	if q.after != "" {
		arguments = append(arguments, "--after-cursor="+q.after)
	}
	if !q.since.IsZero() {
		arguments = append(arguments, "--since="+q.since.Local().Format(form))
	}
	if !q.until.IsZero() {
		arguments = append(arguments, "--until="+q.until.Local().Format(form))
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	command := j.options.Command
	arguments = append(append(command[1:len(command):len(command)],
		"--output=json", "--output-fields="+outputFields, "--no-pager", "--quiet"), arguments...)
	arguments = append(arguments, j.options.Matches...)
	child := exec.CommandContext(ctx, command[0], arguments...)
	child.Env = append(os.Environ(), "LC_ALL=C")
	child.Cancel = func() error { return child.Process.Signal(syscall.SIGTERM) }
	child.WaitDelay = 5 * time.Second
	var complaint stderr.Tail
	child.Stderr = &complaint
	out, err := child.StdoutPipe()
	if err != nil {
		return fmt.Errorf("cannot start journalctl: %w", err)
	}
	if err := child.Start(); err != nil {
		return fmt.Errorf("cannot start journalctl: %w", err)
	}
	readErr := read(out)
	if readErr != nil {
		cancel()
	}
	waitErr := child.Wait()
	switch {
	case readErr != nil:
		return readErr
	case waitErr != nil:
		return fmt.Errorf("journalctl failed: %w: %s", waitErr, complaint.String())
	}
	return nil
}

// batch is a run of entries.
type batch struct {
	lines     []byte
	count     int
	cursor    string
	newest    time.Time // when the last entry was received
	overlong  uint64
	untrusted uint64
	broken    uint64
}

// read takes entries from journalctl's output and hands them on in batches: as soon as no more are
// waiting, or maxBatch is reached.
func (j *Journal) read(out io.Reader, convert func(*entry, *batch), hand func(*batch) error) error {
	reader := bufio.NewReaderSize(out, maxEntry)
	var b batch
	skipping := false
	for {
		line, err := reader.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			if !skipping {
				b.overlong++
			}
			skipping = true
			continue
		case errors.Is(err, io.EOF):
			return nil // a half entry comes again with the next start
		case err != nil:
			return fmt.Errorf("cannot read the journal: %w", err)
		case skipping:
			skipping = false
		default:
			var e entry
			if err := json.Unmarshal(line, &e); err != nil || e.Cursor == "" {
				b.broken++
				break
			}
			if microseconds, err := strconv.ParseInt(e.Time, 10, 64); err == nil {
				b.newest = time.UnixMicro(microseconds)
			}
			if b.cursor = e.Cursor; convert != nil {
				convert(&e, &b)
			}
		}
		if len(b.lines) < maxBatch && hasLine(reader) {
			continue
		}
		if b.cursor != "" {
			if err := hand(&b); err != nil {
				return err
			}
			b = batch{lines: b.lines[:0]}
		}
	}
}

// hasLine reports whether another entry can be had without waiting.
func hasLine(reader *bufio.Reader) bool {
	waiting, err := reader.Peek(reader.Buffered())
	return err == nil && bytes.IndexByte(waiting, '\n') >= 0
}

// convert adds an entry's line to the batch, or counts why it has none.
func (j *Journal) convert(e *entry, b *batch) {
	lines, err := e.appendLine(b.lines, &j.options.Trust)
	switch {
	case errors.Is(err, errUntrusted):
		b.untrusted++
		j.options.Logger.Debug("left out a journal entry", "source", j.key, "error", err,
			"identifier", sanitise(e.Identifier.text), "uid", sanitise(e.UID.text))
	case errors.Is(err, errOmitted):
		b.overlong++
	case err != nil:
		b.broken++
	default:
		b.lines = lines
		b.count++
	}
}

// hand gives a batch to emit. Entries that became no line move the position too.
func (j *Journal) hand(ctx context.Context, b *batch, emit source.Emit) error {
	position, err := json.Marshal(journalPosition{Cursor: b.cursor})
	if err != nil {
		return fmt.Errorf("cannot store the journal's position: %w", err)
	}
	now := time.Now()
	err = emit(ctx, source.Chunk{
		Name: j.options.Name, Source: j.key, Data: b.lines, Position: position,
		Observed: now,
	})
	if err != nil {
		return emitError{err}
	}
	j.cursor = b.cursor
	j.mu.Lock()
	defer j.mu.Unlock()
	j.followed = now
	j.caughtUp = j.caughtUp || now.Sub(b.newest) < quietAfter
	j.stats.Cursor = b.cursor
	j.stats.Lines += uint64(b.count)
	j.stats.Bytes += uint64(len(b.lines))
	j.stats.Overlong += b.overlong
	j.stats.Untrusted += b.untrusted
	j.stats.Errors += b.broken
	if b.count > 0 {
		j.stats.LastLine = now
	}
	return nil
}

// quietAfter is how long journalctl is silent after it has written what there was.
const quietAfter = 2 * time.Second

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
