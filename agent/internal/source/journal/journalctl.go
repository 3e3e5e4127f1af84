package journal

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/pialert/pialert/agent/internal/source"
	"github.com/pialert/pialert/agent/internal/source/journal/journalfile"
	"github.com/pialert/pialert/pkg/stderr"
)

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
