package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/pairing"
)

type forgetRequest struct {
	Agent string `json:"agent"`
}

// forget takes what an agent counted away, from the history and from the lamps.
func (d *daemon) forget(ctx context.Context, in forgetRequest) (struct{}, error) {
	if _, err := d.keyring.Peer(in.Agent); err == nil {
		return struct{}{}, fmt.Errorf("%s is paired: unpair it first", in.Agent)
	}
	if err := d.history.Forget(ctx, in.Agent); err != nil {
		return struct{}{}, err
	}
	for _, tally := range d.screen.lamps.Snapshot(time.Now()).Tallies {
		if tally.Agent == in.Agent {
			d.screen.lamps.Correct(tally.Agent, tally.Kind, tally.Host, -int64(min(tally.Count, 1<<62)))
		}
	}
	d.screen.panel.Refresh()
	d.logger.Warn("forgot everything of an agent", "agent", in.Agent)
	return struct{}{}, nil
}

// withForget gives the unpair command a flag that takes away what the agent counted.
func withForget(s *settings, commands []*cobra.Command) []*cobra.Command {
	for _, command := range commands {
		if command.Name() != "unpair" {
			continue
		}
		var forget bool
		command.Flags().BoolVar(&forget, "forget", false, "take away what it counted, too: its totals, events and charts, for ever; not its share of names that lists have of many agents together")
		unpair := command.RunE
		command.RunE = func(command *cobra.Command, args []string) error {
			err := unpair(command, args)
			if !forget || err != nil && !errors.Is(err, pairing.ErrNotPaired) {
				return err
			}
			if err := cli.Ask(command, s, "/forget", forgetRequest{args[0]}, nil); err != nil {
				return err
			}
			_, err = fmt.Fprintf(command.OutOrStdout(), "forgot what %s counted\n", args[0])
			return err
		}
	}
	return commands
}
