package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/pialert/pialert/display/internal/history"
	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/escape"
	"github.com/pialert/pialert/pkg/plural"
)

// topRequest asks for the most frequent names.
type topRequest struct {
	chosen
	Of    history.Dimension `json:"of"`
	Limit int               `json:"limit"`
}

// mostNames bounds a ranking.
const mostNames = 10_000

func (d *daemon) top(ctx context.Context, in topRequest) (history.Ranking, error) {
	filter, err := d.filter(in.chosen)
	if err != nil {
		return history.Ranking{}, err
	}
	if in.Limit < 1 || in.Limit > mostNames {
		in.Limit = mostNames
	}
	return d.history.Rank(ctx, in.Of, filter, in.Limit)
}

func topCommand(s *settings) *cobra.Command {
	request := topRequest{Limit: 10}
	request.Since = "24h"
	var format string
	var names []string
	for _, of := range history.Dimensions() {
		names = append(names, string(of))
	}
	command := &cobra.Command{
		Use:   "top " + strings.Join(names, "|"),
		Short: "Print who or what is seen the most",
		Long: `top prints the most frequent names with the attempts that they stand for, of the last 24 hours unless
--since says otherwise: by full minutes of the last two days, and by full hours before, for as long as
totals last. In a time with very many names the seldom ones are not kept apart; it then says how many
attempts these had. Users of a source, and sources of a user, are those of the newest 30,000 events.`,
		Example: `  pialert-display top sources
  pialert-display top users --since 30d --limit 50
  pialert-display top networks --since 2026-01-01 --format json`,
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: names,
		RunE: func(command *cobra.Command, args []string) error {
			if err := request.check(request.Limit); err != nil {
				return err
			}
			request.Of = history.Dimension(args[0])
			var ranking history.Ranking
			if err := cli.Ask(command, s, "/top", request, &ranking); err != nil {
				return err
			}
			if ranking.Others > 0 {
				fmt.Fprintf(command.ErrOrStderr(), "and %s of %s that are too many to be kept apart\n", plural.Count(ranking.Others, "attempt"), args[0])
			}
			if ranking.Newest {
				fmt.Fprintln(command.ErrOrStderr(), "these are of the newest 30,000 events, by which alone this can be known")
			}
			if format == "json" {
				return tallyJSON(command.OutOrStdout(), ranking.Names)
			}
			return writeTally(command.OutOrStdout(), ranking.Names)
		},
	}
	request.flags(command)
	command.Flags().IntVar(&request.Limit, "limit", request.Limit, "at most so many, and never more than 10,000; 0 is as many as that")
	cli.FormatFlag(command, &format)
	return command
}

// writeTally prints names for people, each with a bar.
func writeTally(out io.Writer, list []history.Tally) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(out, "nothing was counted in that time")
		return err
	}
	most := slices.MaxFunc(list, func(a, b history.Tally) int { return int(min(a.Attempts, 1<<62)) - int(min(b.Attempts, 1<<62)) }).Attempts
	names, digits := 0, 0
	for _, t := range list {
		names = max(names, utf8.RuneCountInString(tallyName(t)))
		digits = max(digits, len(fmt.Sprint(t.Attempts)))
	}
	for _, t := range list {
		_, err := fmt.Fprintf(out, "  %*d  %-*s  %s\n", digits, t.Attempts, names, tallyName(t), strings.Repeat("▇", int(20*float64(t.Attempts)/float64(most))))
		if err != nil {
			return err
		}
	}
	return nil
}

// tallyName is a name for people.
func tallyName(t history.Tally) string { return shorten(escape.Text(t.Name), 60) }

func tallyJSON(out io.Writer, list []history.Tally) error {
	for _, t := range list {
		line, err := json.Marshal(t)
		if err != nil {
			return err
		}
		if _, err := out.Write(append(escape.JSON(line), '\n')); err != nil {
			return err
		}
	}
	return nil
}
