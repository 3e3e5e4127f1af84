package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/pialert/pialert/agent/internal/header"
	"github.com/pialert/pialert/agent/internal/source"
	"github.com/pialert/pialert/agent/internal/source/journal/journalfile"
	"github.com/pialert/pialert/pkg/stderr"
)

// query says which entries are asked for.
type query struct {
	after        string // the cursor of the last one that is known, which may come again if it is still there
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
	if len(journalfile.Machines(j.options.Folders)) == 0 {
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
		// And not --after-cursor: if journald has deleted that entry, it would leave out the next one
		// (systemd 252, src/journal/journalctl.c: sd_journal_next_skip by two).
		arguments = append(arguments, "--cursor="+q.after)
	}
	if !q.since.IsZero() {
		arguments = append(arguments, "--since="+q.since.Local().Format(form))
	}
	if !q.until.IsZero() {
		arguments = append(arguments, "--until="+q.until.Local().Format(form))
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if q.follow {
		go j.watchFolders(ctx, cancel)
	}
	command := j.options.Command
	arguments = append(append(command[1:len(command):len(command)],
		"--output=json", "--output-fields="+header.EntryFields, "--no-pager", "--quiet"), arguments...)
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
		cancel(nil)
	}
	waitErr := child.Wait()
	switch {
	case readErr != nil:
		return readErr
	case errors.Is(context.Cause(ctx), errMoved):
		return errMoved
	case waitErr != nil:
		return fmt.Errorf("journalctl failed: %w: %s", waitErr, complaint.String())
	}
	return nil
}

// errMoved says that journald has begun a journal in another folder.
var errMoved = errors.New("journald keeps its journal in another folder now")

// watchFolders ends a run of journalctl with errMoved once there is another machine folder than at its start: it goes on
// with those that it knows, and hears nothing more when an owner makes /var/log/journal, and journald moves there.
func (j *Journal) watchFolders(ctx context.Context, end context.CancelCauseFunc) {
	ticker := time.NewTicker(j.options.Poll)
	defer ticker.Stop()
	for before := journalfile.Machines(j.options.Folders); ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if !slices.Equal(before, journalfile.Machines(j.options.Folders)) {
				end(errMoved)
				return
			}
		}
	}
}
