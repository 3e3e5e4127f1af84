package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/pialert/pialert/display/internal/history"
	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/control"
	"github.com/pialert/pialert/pkg/plural"
)

// historyFile is the history in the folder of the state.
func historyFile(cfg Config) string { return filepath.Join(cfg.State, "history.db") }

// backup writes the size of the history in eight bytes, and then a copy of it.
func (d *daemon) backup(ctx context.Context, _ struct{}, out control.Flusher) error {
	buffered := bufio.NewWriterSize(out, 1<<18)
	err := d.history.Backup(ctx, func(size int64) error { return binary.Write(out, binary.BigEndian, size) }, buffered)
	return errors.Join(err, buffered.Flush())
}

// progress shows on a terminal how far something is that may take long, and nothing elsewhere. The
// bar is gone when it is closed.
func progress(size int64, what string) *progressbar.ProgressBar {
	var out io.Writer = io.Discard
	if term.IsTerminal(int(os.Stderr.Fd())) {
		out = os.Stderr
	}
	return progressbar.NewOptions64(size, progressbar.OptionSetWriter(out), progressbar.OptionSetDescription(what),
		progressbar.OptionSetWidth(30), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(),
		progressbar.OptionShowBytes(strings.HasSuffix(what, "up") || strings.HasSuffix(what, "restoring")))
}

func backupCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "backup FILE",
		Short: "Copy the history to a file while the display runs",
		Long: `backup writes a consistent copy of the history: every event, every total, and what was acknowledged to
whom. It replaces FILE once the copy is whole. The keys of the paired agents are not in it. restore
puts it back, on this machine or another one.`,
		Example: "  sudo pialert-display backup /mnt/backup/pialert.db",
		Args:    cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			cfg, err := s.Load()
			if err != nil {
				return err
			}
			answer, err := cfg.Running().Open(command.Context(), "/backup", nil)
			if err != nil {
				return err
			}
			defer answer.Close()
			size, err := saveBackup(args[0], answer)
			if err != nil {
				return fmt.Errorf("cannot write the backup %s: %w", args[0], err)
			}
			_, err = fmt.Fprintf(command.OutOrStdout(), "%s: %s\n", args[0], plural.Count(size, "byte"))
			return err
		},
	}
}

// saveBackup writes a copy that a display sends to a file. A copy that breaks off replaces nothing.
func saveBackup(path string, in io.Reader) (size int64, err error) {
	if info, err := os.Stat(filepath.Clean(path)); err == nil && info.IsDir() {
		return 0, errors.New("it is a folder: name a file in it")
	}
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return 0, err
	}
	if err := binary.Read(in, binary.BigEndian, &size); err != nil {
		return 0, err
	}
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return 0, err
	}
	bar := progress(size, "backing up")
	got, err := io.Copy(io.MultiWriter(file, bar), in)
	bar.Finish()
	if err == nil && got != size {
		err = fmt.Errorf("%d of %d bytes came", got, size)
	}
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		os.Remove(file.Name())
	}
	return size, err
}

func restoreCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "restore FILE",
		Short: "Put a backup in the place of the history",
		Long: `restore checks a copy that backup made and puts it in the place of the history, while the display does
not run. What was there is kept beside it. The display goes on counting where the copy ends: what its
agents still have is counted, nothing twice.`,
		Example: `  sudo systemctl stop pialert-display
  sudo pialert-display restore /mnt/backup/pialert.db
  sudo systemctl start pialert-display`,
		Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			cfg, err := s.Load()
			if err != nil {
				return err
			}
			file, err := os.Open(args[0])
			if err != nil {
				return fmt.Errorf("cannot open the backup: %w", err)
			}
			defer file.Close()
			info, err := file.Stat()
			if err != nil {
				return fmt.Errorf("cannot open the backup: %w", err)
			}
			zone, err := cfg.Look.Location()
			if err != nil {
				return err
			}
			bar := progress(info.Size(), "restoring")
			of := ""
			aside, err := history.Restore(historyFile(cfg), io.TeeReader(file, bar), time.Now().In(zone), func(what string, events, all int64) {
				if what != of { // a copy of an earlier version
					bar.Finish()
					bar, of = progress(all, "upgrading, "+what), what
				}
				bar.Set64(events)
			})
			bar.Finish()
			if errors.Is(err, history.ErrInUse) {
				return cli.Hint(err, "the display must not run: sudo systemctl stop %s", program)
			}
			if err != nil {
				return cli.Hint(err, "%s is no whole copy of %s backup; what was there is as it was", args[0], program)
			}
			if aside != "" {
				fmt.Fprintf(command.OutOrStdout(), "what was there before is kept as %s\n", aside)
			}
			_, err = fmt.Fprintln(command.OutOrStdout(), "restored")
			return err
		},
	}
}

func exportCommand(s *settings) *cobra.Command {
	var request eventsRequest
	command := &cobra.Command{
		Use:   "export",
		Short: "Write all stored attacks as JSON or CSV",
		Long: `export writes every stored event, the oldest first, in the formats of pialert-display events, with a
progress bar on a terminal.`,
		Example: `  pialert-display export > attacks.jsonl
  pialert-display export --format csv --since 30d > attacks.csv`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if err := request.check(0); err != nil {
				return err
			}
			cfg, err := s.Load()
			if err != nil {
				return err
			}
			var events int64
			if err := cfg.Running().Ask(command.Context(), "/count", request.chosen, &events); err != nil {
				return err
			}
			answer, err := cfg.Running().Open(command.Context(), "/events", request)
			if err != nil {
				return err
			}
			defer answer.Close()
			out := bufio.NewWriter(command.OutOrStdout())
			if request.Format == "csv" {
				fmt.Fprintln(out, strings.Join(csvColumns, ","))
			}
			bar := progress(events, "exporting")
			defer bar.Finish()
			lines := bufio.NewReaderSize(answer, 1<<16)
			for {
				line, err := lines.ReadSlice('\n')
				if _, wrong := out.Write(line); wrong != nil {
					return leave(command.Context(), wrong)
				}
				switch {
				case err == nil:
					bar.Add(1)
				case errors.Is(err, bufio.ErrBufferFull): // the rest of the line follows
				case errors.Is(err, io.EOF):
					return leave(command.Context(), out.Flush())
				default:
					return leave(command.Context(), fmt.Errorf("the display broke off: %w", err), out.Flush())
				}
			}
		},
	}
	request.flags(command)
	cli.FormatFlag(command, &request.Format, "json", "csv")
	return command
}

// countEvents returns how many events are chosen.
func (d *daemon) countEvents(ctx context.Context, in chosen) (int64, error) {
	filter, err := d.filter(in)
	if err != nil {
		return 0, err
	}
	n, _, err := d.history.Newest(ctx, 1<<31-1, filter)
	return int64(n), err
}
