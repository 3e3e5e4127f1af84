package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pialert/pialert/pkg/control"
)

// Running is where a program is reached while it runs: its name, control socket and state folder.
type Running struct{ Program, Socket, State string }

// Ask sends a request to the running program, as [control.Client.Call] does. Where it does not run
// the error says what makes it: its unit starts nothing before it is paired.
func (r Running) Ask(ctx context.Context, path string, in, out any) error {
	return r.hint(control.Client{Path: r.Socket}.Call(ctx, path, in, out))
}

// Open does the same for an answer of any length, as [control.Client.Open] does.
func (r Running) Open(ctx context.Context, path string, in any) (io.ReadCloser, error) {
	answer, err := control.Client{Path: r.Socket}.Open(ctx, path, in)
	return answer, r.hint(err)
}

func (r Running) hint(err error) error {
	if !errors.Is(err, control.ErrNotRunning) {
		return err
	}
	_, unpaired := os.Stat(filepath.Join(r.State, "peers.json"))
	if errors.Is(unpaired, fs.ErrNotExist) {
		how := "sudo " + r.Program + " pair"
		if strings.HasSuffix(r.Program, "-display") {
			how = "on a server, run sudo pialert-agent pair, and paste here the line that it prints"
		}
		return Hint(fmt.Errorf("not paired yet: %s runs once it is", r.Program), "%s", how)
	}
	return Hint(err, "start it with: sudo systemctl start %s, and see why it stopped with: journalctl -u %[1]s -n 20", r.Program)
}

// configured is a configuration that says where the program runs that was started with it.
type configured interface{ Running() Running }

// Ask loads the configuration, and sends a request to the program that runs with it, as [Running.Ask] does.
func Ask[Config configured](command *cobra.Command, s *Settings[Config], path string, in, out any) error {
	cfg, err := s.Load()
	if err != nil {
		return err
	}
	return cfg.Running().Ask(command.Context(), path, in, out)
}

// StatusCommand makes the status command of what the running program answers. write prints it for
// people; with --format json it is printed as it is.
func StatusCommand[Status any, Config configured](s *Settings[Config], short, example string,
	write func(status Status, out io.Writer, now time.Time) error) *cobra.Command {
	var format string
	command := &cobra.Command{
		Use:     "status",
		Short:   short,
		Example: example,
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			var status Status
			if err := Ask(command, s, "/status", nil, &status); err != nil {
				return err
			}
			if format == "text" {
				return write(status, command.OutOrStdout(), time.Now())
			}
			return WriteJSON(command.OutOrStdout(), status)
		},
	}
	FormatFlag(command, &format)
	return command
}

// Ago says how long ago a time is, to the second; a zero time is never.
func Ago(t, now time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return now.Sub(t).Round(time.Second).String() + " ago"
}
