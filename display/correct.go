package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pialert/pialert/display/internal/history"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/escape"
)

// correctRequest asks for a total to be corrected.
type correctRequest struct {
	What   string `json:"what"` // a kind, or a lamp that counts one kind of the agent's
	Agent  string `json:"agent"`
	Host   string `json:"host,omitempty"`
	By     int64  `json:"by"`
	Reason string `json:"reason"`
}

type correctAnswer struct {
	Kind  string `json:"kind"`
	Host  string `json:"host,omitempty"`
	Total uint64 `json:"total"` // of the kind and agent, afterwards
}

func (d *daemon) correct(ctx context.Context, in correctRequest) (correctAnswer, error) {
	kind, host, err := d.kindOf(in.What, in.Agent, in.Host)
	if err != nil {
		return correctAnswer{}, err
	}
	if err := d.history.Correct(ctx, history.Correction{Agent: in.Agent, Kind: kind, Host: host, By: in.By, Reason: in.Reason}); err != nil {
		return correctAnswer{}, err
	}
	d.screen.lamps.Correct(in.Agent, kind, host, in.By)
	d.screen.panel.Refresh()
	d.logger.Info("corrected a total", "agent", in.Agent, "kind", kind.String(), "host", host, "by", in.By, "reason", in.Reason)
	answer := correctAnswer{Kind: kind.String(), Host: host}
	for _, tally := range d.screen.lamps.Snapshot(time.Now()).Tallies {
		if tally.Agent == in.Agent && tally.Kind == kind && (host == "" || tally.Host == host) {
			answer.Total += tally.Count
		}
	}
	return answer, nil
}

// kindOf returns the kind of a name, or the only kind that a lamp of that name counts of an agent; and the
// machine, if one is given or the lamp counts one alone.
func (d *daemon) kindOf(name, agent, host string) (attack.Kind, string, error) {
	if kind, err := attack.ParseKind(name); err == nil {
		return kind, host, nil
	}
	index, err := d.screen.lamps.Find(name)
	if err != nil {
		return 0, "", fmt.Errorf("%q is no kind, and %w", name, err)
	}
	var kinds []attack.Kind
	var names, hosts []string
	for _, tally := range d.screen.lamps.Snapshot(time.Now()).Tallies {
		lamp, counted := d.screen.lamps.RouteCount(agent, tally.Kind, tally.Host, tally.Key)
		if tally.Agent != agent || lamp != index || !counted || tally.Count == 0 || host != "" && tally.Host != host {
			continue
		}
		if !slices.Contains(kinds, tally.Kind) {
			kinds, names = append(kinds, tally.Kind), append(names, tally.Kind.String())
		}
		if !slices.Contains(hosts, tally.Host) {
			hosts = append(hosts, tally.Host)
		}
	}
	switch {
	case len(kinds) == 0:
		return 0, "", fmt.Errorf("the lamp %s has counted nothing from %q", name, agent)
	case len(kinds) == 1 && len(hosts) == 1:
		return kinds[0], hosts[0], nil
	case len(kinds) == 1 && slices.Contains(hosts, ""):
		return kinds[0], host, nil
	case len(kinds) == 1:
		slices.Sort(hosts)
		return 0, "", fmt.Errorf("the lamp %s counts lines of %s: choose one with --host", name, strings.Join(hosts, ", "))
	}
	slices.Sort(names)
	return 0, "", fmt.Errorf("the lamp %s counts %s from %s: name the kind to correct", name, strings.Join(names, ", "), agent)
}

func correctCommand(s *settings) *cobra.Command {
	var request correctRequest
	command := &cobra.Command{
		Use:   "correct LAMP|KIND",
		Short: "Correct a total that a mistake made wrong",
		Long: `correct adds to what was counted of a kind from an agent, or takes away. The correction is an entry of
its own in the history, with its reason, and is shown among the events for ever: nothing is changed
in silence.`,
		Example: `  pialert-display correct ssh_login --agent vps --by -12345 --reason "I tested with hydra"`,
		Args:    cobra.ExactArgs(1),

		ValidArgsFunction: func(command *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
			lamps, directive := completeLamp(s)(command, args, word)
			if len(args) > 0 {
				return nil, directive
			}
			return append(lamps, attack.KindNames()...), directive
		},
		RunE: func(command *cobra.Command, args []string) error {
			request.What = args[0]
			var answer correctAnswer
			if err := cli.Ask(command, s, "/correct", request, &answer); err != nil {
				return err
			}
			from := request.Agent
			if answer.Host != "" {
				from = fmt.Sprintf("%s on %s", from, escape.Text(answer.Host))
			}
			_, err := fmt.Fprintf(command.OutOrStdout(), "%s from %s: %d\n", answer.Kind, from, answer.Total)
			return err
		},
	}
	flags := command.Flags()
	flags.StringVar(&request.Agent, "agent", "", "whose count it is")
	flags.StringVar(&request.Host, "host", "", "machine whose lines were counted, where the agent reads those of others")
	flags.Int64Var(&request.By, "by", 0, "what to add; a negative number takes away")
	flags.StringVar(&request.Reason, "reason", "", "why, for whoever looks at the history later")
	completeAgent(command)
	for _, name := range []string{"agent", "by", "reason"} {
		command.MarkFlagRequired(name)
	}
	return command
}
