package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pialert/pialert/display/internal/fleet"
	"github.com/pialert/pialert/display/internal/receive/nats"
	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/pairing"
)

func fleetAddCommand(s *settings) *cobra.Command {
	var from string
	var valid time.Duration
	command := &cobra.Command{
		Use:   "add NAME... | add --from FILE",
		Short: "Print the line that brings a server into the fleet",
		Long: `add invites agents: for each it makes credentials for the broker and a one-time token, and prints the
one line that is to be run there. It pairs under the name that is given here, whatever its host is
called. The line is a secret until it was run; it lapses after --valid.

With --from it reads a name from each line of a file (what follows a # is left out), and prints the
name before each line, divided by a tab, for a tool that runs commands on many machines.`,
		Example: `  sudo pialert-display fleet add web1
  sudo pialert-display fleet add --from hosts.txt > lines.txt
  while IFS="$(printf '\t')" read -r host line; do ssh -n "$host" "$line"; done < lines.txt`,
		Args: cobra.ArbitraryArgs,
		RunE: func(command *cobra.Command, args []string) error {
			cfg, err := s.Load()
			if err != nil {
				return err
			}
			names := args
			if from != "" {
				read, err := readNames(command.InOrStdin(), from)
				if err != nil {
					return err
				}
				names = append(names, read...)
			}
			if len(names) == 0 {
				return &cli.UsageError{Err: cli.Hint(errors.New("there is no name"), "sudo pialert-display fleet add web1")}
			}
			return fleetAdd(command.OutOrStdout(), command.ErrOrStderr(), cfg, names, valid, from != "" || len(args) > 1)
		},
	}
	command.Flags().StringVar(&from, "from", "", "read names from this file, or - for standard input")
	command.Flags().DurationVar(&valid, "valid", 24*time.Hour, "how long a line can be used")
	return command
}

// readNames reads a name from each line of a file. The error says what is wrong with each line that is no name; one that is
// there twice is read once.
func readNames(in io.Reader, path string) (names []string, err error) {
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		in = file
	}
	var wrong []error
	seen := map[string]bool{}
	lines := bufio.NewScanner(in)
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		if err := pairing.CheckName(text); err != nil {
			wrong = append(wrong, fmt.Errorf("%s:%d: %w", path, n, err))
		} else if !seen[text] {
			names, seen[text] = append(names, text), true
		}
	}
	return names, errors.Join(append(wrong, lines.Err())...)
}

func fleetAdd(stdout, stderr io.Writer, cfg Config, names []string, valid time.Duration, many bool) error {
	authority, err := fleet.Open(fleetDir(cfg))
	if errors.Is(err, fleet.ErrNone) {
		return cli.Hint(err, "sudo pialert-display fleet init --server tls://nats.example.org:4222")
	}
	if err != nil {
		return withSudo(err)
	}
	keyring, err := pairing.Open(cfg.State, pairing.Display, cfg.Name)
	if err != nil {
		return withSudo(err)
	}
	var invited []string
	for _, name := range names {
		if _, err := keyring.Peer(name); err == nil {
			fmt.Fprintf(stderr, "%s is paired already: left out; to pair it anew, sudo pialert-display unpair %[1]s\n", name)
		} else if !nats.Takes(cfg.Link.NATS.Agents, name) {
			fmt.Fprintf(stderr, "%s is left to another display: link.nats.agents is %s\n", name, strings.Join(cfg.Link.NATS.Agents, ", "))
		} else {
			invited = append(invited, name)
		}
	}
	if len(invited) == 0 {
		return errors.New("nobody is left to invite")
	}
	made, err := authority.Invite(keyring, invited, valid, time.Now())
	if err != nil {
		return withSudo(err)
	}
	for i, enrolment := range made {
		line := "sudo pialert-agent join " + enrolment.String()
		if many {
			line = invited[i] + "\t" + line
		}
		if _, err := fmt.Fprintln(stdout, line); err != nil {
			return err
		}
	}
	fmt.Fprintf(stderr, "\n%d invited, until %s. The display has to run when a line is used.\n", len(made), time.Now().Add(valid).Format(time.DateTime))
	return nil
}
