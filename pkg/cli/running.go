package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/pialert/pialert/pkg/control"
	"github.com/pialert/pialert/pkg/escape"
)

// Ask sends a request to the running program that serves the control socket, as
// [control.Client.Call] does. The error says how to start it where it does not run.
func Ask(ctx context.Context, program, socket, path string, in, out any) error {
	return startHint(program, control.Client{Path: socket}.Call(ctx, path, in, out))
}

// Open does the same for an answer of any length, as [control.Client.Open] does.
func Open(ctx context.Context, program, socket, path string, in any) (io.ReadCloser, error) {
	answer, err := control.Client{Path: socket}.Open(ctx, path, in)
	return answer, startHint(program, err)
}

func startHint(program string, err error) error {
	if errors.Is(err, control.ErrNotRunning) {
		return Hint(err, "start it with: sudo systemctl start %s, or %[1]s run", program)
	}
	return err
}

// StatusCommand makes the status command of what the running program answers on the control socket
// that the configuration names. write prints it for people; with --format json it is printed as it
// is.
func StatusCommand[Status, Config any](program string, s *Settings[Config], short, example string, socket func(Config) string,
	write func(status Status, out io.Writer, now time.Time) error) *cobra.Command {
	var format string
	command := &cobra.Command{
		Use:     "status",
		Short:   short,
		Example: example,
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if format != "text" && format != "json" {
				return &UsageError{Err: fmt.Errorf("unknown format %q: use text or json", format)}
			}
			cfg, err := s.Load()
			if err != nil {
				return err
			}
			var status Status
			if err := Ask(command.Context(), program, socket(cfg), "/status", nil, &status); err != nil {
				return err
			}
			if format == "text" {
				return write(status, command.OutOrStdout(), time.Now())
			}
			return WriteJSON(command.OutOrStdout(), status)
		},
	}
	command.Flags().StringVar(&format, "format", "text", "text or json")
	return command
}

// WriteJSON prints a value as JSON that is fit for a terminal.
func WriteJSON(out io.Writer, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	_, err = out.Write(append(escape.JSON(text), '\n'))
	return err
}

// Ago says how long ago a time is, to the second; a zero time is never.
func Ago(t, now time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return now.Sub(t).Round(time.Second).String() + " ago"
}
