package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pialert/pialert/agent/internal/policy"
	"github.com/pialert/pialert/agent/internal/policy/replay"
	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/escape"
	"github.com/pialert/pialert/pkg/plural"
)

func responsesCommand(s *settings) *cobra.Command {
	command := &cobra.Command{
		Use:   "responses",
		Short: "Try out and confirm what shuts attackers out",
		Args:  cobra.NoArgs,
	}
	command.AddCommand(checkResponsesCommand(s), confirmResponsesCommand(s))
	return command
}

func confirmResponsesCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "confirm",
		Short: "Say that bans may stay enforced, as you are not locked out",
		Long: `confirm ends the trial of five minutes that begins when responses.mode becomes enforce while somebody is
logged in from another machine. Without it the agent then lets everybody in again, and only observes.`,
		Example: "  sudo pialert-agent responses confirm",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if err := cli.Ask(command, s, "/responses/confirm", nil, nil); err != nil {
				return err
			}
			fmt.Fprintln(command.OutOrStdout(), "bans are enforced")
			return nil
		},
	}
}

// checkDays is how far back the check looks unless a flag says otherwise.
const checkDays = 30

func checkResponsesCommand(s *settings) *cobra.Command {
	var since, format string
	command := &cobra.Command{
		Use:   "check",
		Short: "Say who would have been banned by the logs of the last 30 days, and who of them ever logged in",
		Long: `check reads the logs of the configuration, with those that were rotated, and decides as run would have. It bans
nobody. It fails if somebody would have been banned who has logged in, before or after: put such
addresses into responses.allow before responses.mode becomes enforce.`,
		Example: `  sudo pialert-agent responses check
  sudo pialert-agent responses check --since 7d --format json | jq -r .target`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			cfg, err := s.Load()
			if err != nil {
				return err
			}
			from, err := parseTime(since, time.Now())
			if err != nil {
				return &cli.UsageError{Err: fmt.Errorf("--since: %w", err)}
			}
			past, problem := cfg.past(command.Context(), s, from, command.ErrOrStderr())
			result, err := cfg.judge(past)
			if err != nil {
				return err
			}
			if format == "json" {
				encoder := cli.NewEncoder(command.OutOrStdout())
				for _, one := range result.Banned {
					if err := encoder.Encode(one); err != nil {
						return err
					}
				}
			} else if err := writeJudged(command.OutOrStdout(), result, from); err != nil {
				return err
			}
			return errors.Join(problem, loggedIn(result))
		},
	}
	command.Flags().StringVar(&since, "since", fmt.Sprintf("%dd", checkDays), "how far to look back: a time, yesterday, or a span such as 7d")
	cli.FormatFlag(command, &format)
	return command
}

// judge decides about the past as run would have.
func (c *Config) judge(past *replay.Past) (*replay.Result, error) {
	allowed, err := c.Responses.allowed(nil, nil)
	if err != nil {
		return nil, err
	}
	never, err := c.Responses.exempt(allowed, noPeers)
	if err != nil {
		return nil, err
	}
	return past.Judge(policy.New(c.Responses.rules(), never)), nil
}

// writeJudged prints a check for people.
func writeJudged(out io.Writer, r *replay.Result, from time.Time) error {
	if len(r.Banned) == 0 {
		fmt.Fprintf(out, "nobody would have been banned since %s, by %s\n", from.Format(time.DateOnly), plural.Count(r.Events, "event"))
	} else {
		table := cli.NewTable(out)
		fmt.Fprintln(table, "WHO\tBANS\tFIRST\tLAST\tLOGINS FROM THERE\tWHY FIRST")
		for _, one := range r.Banned {
			fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%d\t%s\n", one.Target, one.Bans, one.First.Local().Format(time.DateTime),
				one.Last.Local().Format(time.DateTime), one.LoggedIn, escape.Text(one.Reason))
		}
		if err := table.Flush(); err != nil {
			return err
		}
		fmt.Fprintf(out, "\n%d would have been banned since %s, by %s\n", len(r.Banned), from.Format(time.DateOnly), plural.Count(r.Events, "event"))
	}
	for _, why := range slices.Sorted(maps.Keys(r.Spared)) {
		fmt.Fprintf(out, "%d would not, though they did enough: %s\n", r.Spared[why], why)
	}
	return nil
}

// loggedIn is an error if somebody who has logged in would have been banned.
func loggedIn(r *replay.Result) error {
	var known []string
	for _, one := range r.Banned {
		if one.LoggedIn > 0 {
			known = append(known, one.Target.String())
		}
	}
	if len(known) == 0 {
		return nil
	}
	return cli.Hint(fmt.Errorf("%d of them have logged in: %s", len(known), strings.Join(known[:min(len(known), 10)], ", ")),
		"if these are yours, put them into responses.allow before you set responses.mode to enforce")
}
