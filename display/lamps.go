package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pialert/pialert/display/internal/lamp"
	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/config"
	"github.com/pialert/pialert/pkg/pairing"
)

func lampsCommand(s *settings) *cobra.Command {
	var count string
	var write bool
	command := &cobra.Command{
		Use:   "lamps",
		Short: "Suggest lamps for the paired servers, and write them into the configuration",
		Long: `lamps prints lamps for this house: one for SSH on each paired server, one for WordPress, one for
the rest. With --write they go into the configuration, which must not have lamps yet, and a running
service takes them over; totals are kept.`,
		Example: `  pialert-display lamps
  sudo pialert-display lamps --write                 a lamp for each server
  sudo pialert-display lamps --count today --write   the same, with totals that begin at midnight`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if !slices.Contains([]string{"all", "today"}, count) {
				return &cli.UsageError{Err: fmt.Errorf("unknown count %q: use all or today", count)}
			}
			cfg, err := s.Load()
			if err != nil {
				return err
			}
			keyring, err := pairing.Open(cfg.State, pairing.Display, cfg.Name)
			if errors.Is(err, fs.ErrPermission) {
				return cli.Hint(err, "the state directory belongs to the service: run the command with sudo")
			}
			if err != nil {
				return err
			}
			text := block(lamp.Suggest(inOrder(keyring.Peers()), count))
			if !write {
				_, err := command.OutOrStdout().Write(text)
				return err
			}
			if err := appendLamps(s.Path(), text); err != nil {
				return err
			}
			fmt.Fprintf(command.OutOrStdout(), "wrote these into %s:\n%s", s.Path(), text)
			if _, err := os.Stat("/run/systemd/system"); err == nil {
				return exec.CommandContext(command.Context(), "systemctl", "try-reload-or-restart", program+".service").Run()
			}
			fmt.Fprintln(command.OutOrStdout(), "a display that runs takes them over at a SIGHUP, or when it is started again")
			return nil
		},
	}
	command.Flags().StringVar(&count, "count", "all", "all, or today for totals that begin at midnight")
	command.Flags().BoolVar(&write, "write", false, "write them into the configuration")
	command.RegisterFlagCompletionFunc("count", cobra.FixedCompletions([]string{"all", "today"}, cobra.ShellCompDirectiveNoFileComp))
	return command
}

// inOrder returns the names of peers in the order in which they were paired.
func inOrder(peers []pairing.Peer) (names []string) {
	slices.SortStableFunc(peers, func(a, b pairing.Peer) int { return a.Paired.Compare(b.Paired) })
	for _, peer := range peers {
		names = append(names, peer.Name)
	}
	return names
}

// block writes lamps as the configuration has them.
func block(lamps []lamp.Config) []byte {
	text := bytes.NewBufferString("lamps:\n")
	for _, l := range lamps {
		fmt.Fprintf(text, "  - {name: %s, label: %q, ", l.Name, l.Label)
		if len(l.Agents) > 0 {
			fmt.Fprintf(text, "agents: [%s], ", strings.Join(l.Agents, ", "))
		}
		fmt.Fprintf(text, "kinds: [%s], color: %s, led: %d", strings.Join(l.Kinds, ", "), l.Color, l.LED)
		if l.Count == "today" {
			text.WriteString(", count: today")
		}
		text.WriteString("}\n")
	}
	return text.Bytes()
}

// appendLamps adds the block to a configuration that says nothing of lamps yet.
func appendLamps(path string, text []byte) error {
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot read the configuration: %w", err)
	}
	for line := range bytes.Lines(old) {
		if bytes.HasPrefix(line, []byte("lamps:")) {
			return cli.Hint(fmt.Errorf("%s has lamps already", path), "put there what %s lamps prints, in place of them", program)
		}
	}
	if len(old) > 0 && old[len(old)-1] != '\n' {
		text = append([]byte("\n"), text...)
	}
	cfg := defaults()
	if err := config.Parse(path, slices.Concat(old, text), &cfg); err != nil { // a file in another style than a key on each line
		return cli.Hint(fmt.Errorf("cannot add the lamps at the end: %w", err), "put into it what %s lamps prints", program)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("cannot write the configuration: %w", err)
	}
	_, err = file.Write(text)
	if err = errors.Join(err, file.Sync()); err != nil { // what was there stays, also on a disk that is full
		err = fmt.Errorf("cannot write the configuration: %w", errors.Join(err, file.Truncate(int64(len(old)))))
	}
	return errors.Join(err, file.Close())
}

// welcome says which lamp a server that was paired lights, if it is not the first.
func welcome(cfg Config) func(peers []pairing.Peer, name string) string {
	return func(peers []pairing.Peer, name string) string {
		names := inOrder(peers)
		table, err := lamp.New(cfg.Lamps, nil)
		if err != nil || len(names) < 2 {
			return ""
		}
		table.SetFirst(names[0])
		at := table.OfAgent(name)
		if at < 0 || slices.Contains(cfg.Lamps[at].Agents, name) {
			return ""
		}
		return fmt.Sprintf("SSH on %s lights the lamp %s (%s). For a lamp of its own: sudo %s lamps --write\n", name, cfg.Lamps[at].Name, cfg.Lamps[at].Color, program)
	}
}
