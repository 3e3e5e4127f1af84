package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pialert/pialert/display/internal/history"
	"github.com/pialert/pialert/display/internal/lamp"
	"github.com/pialert/pialert/display/internal/terminal"
	"github.com/pialert/pialert/display/internal/today"
	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/escape"
	"github.com/pialert/pialert/pkg/plural"
)

// Today is a morning's picture: what the day brought so far.
type Today struct {
	today.Day
	Top     map[history.Dimension][]history.Tally `json:"top"`
	Silent  []string                              `json:"silent,omitempty"` // agents
	Dropped []history.Tally                       `json:"dropped,omitempty"`
}

// topOfToday is how many names of each list are shown.
const topOfToday = 5

// today looks at the day so far.
func (d *daemon) today(ctx context.Context, _ struct{}) (t Today, err error) {
	now := d.now()
	var lamps []today.Lamp
	for _, c := range d.configuration().Lamps {
		lamps = append(lamps, today.Lamp{Name: c.Name, Color: c.Color})
	}
	if t.Day, err = today.New(ctx, now, lamps, lampCounts{d.history, d.screen.lamps, len(lamps)}); err != nil {
		return t, err
	}
	tops, err := d.history.Ranks(ctx, history.Dimensions(), history.Filter{Span: history.Span{Since: t.Begun}}, topOfToday)
	if err != nil {
		return t, err
	}
	t.Top = map[history.Dimension][]history.Tally{}
	for of, ranking := range tops {
		t.Top[of] = append([]history.Tally{}, ranking.Names...)
	}
	for _, agent := range d.agents(now) {
		if agent.Lost {
			t.Silent = append(t.Silent, agent.Name)
		}
		if agent.Dropped.Attempts > 0 {
			t.Dropped = append(t.Dropped, history.Tally{Name: agent.Name, Attempts: agent.Dropped.Attempts})
		}
	}
	return t, nil
}

// lampCounts is what the history has of so many lamps.
type lampCounts struct {
	*history.History
	table *lamp.Table
	lamps int
}

// lampSums is as what the names of [lampCounts] are known again.
type lampSums struct {
	routed uint64
	lamps  int
}

// Between implements [today.Counts].
func (c lampCounts) Between(ctx context.Context, bounds []time.Time) (lamps [][]uint64, attempts []uint64, err error) {
	attempts = make([]uint64, len(bounds)-1)
	for range c.lamps {
		lamps = append(lamps, make([]uint64, len(bounds)-1))
	}
	// A name says which sums a count belongs to: that of a lamp, all attempts, or both.
	type of struct {
		lamp     int // -1 if it is of none
		attempts bool
	}
	names, named := map[of]string{}, map[string]of{}
	for lamp := -1; lamp < c.lamps; lamp++ {
		for _, attempts := range []bool{false, true} {
			if to := (of{lamp, attempts}); to != (of{-1, false}) {
				names[to] = fmt.Sprint(to)
				named[names[to]] = to
			}
		}
	}
	counts, err := c.Counts(ctx, bounds, history.Filter{}, history.Naming{As: lampSums{c.table.Routed(), c.lamps}, Of: func(what history.Counted) string {
		to := of{-1, what.Kind.Attempt()}
		if i, counted := c.table.RouteCount(what.Agent, what.Kind, what.Host, what.Key); counted && i < c.lamps {
			to.lamp = i
		}
		return names[to]
	}})
	for _, count := range counts {
		to := named[count.Name]
		if to.attempts {
			attempts[count.Bar] += count.Attempts
		}
		if to.lamp >= 0 {
			lamps[to.lamp][count.Bar] += count.Attempts
		}
	}
	return lamps, attempts, err
}

func todayCommand(s *settings) *cobra.Command {
	var format string
	command := &cobra.Command{
		Use:   "today",
		Short: "Print what today brought, in one screen",
		Long: `today prints the attempts of the day so far, by hour and lamp, beside what is usual by this time on
this weekday; who and what is seen the most; agents that are silent; and what agents had to drop.`,
		Example: "  pialert-display today\n  pialert-display today --format json | jq .attempts",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			var t Today
			if err := cli.Ask(command, s, "/today", nil, &t); err != nil {
				return err
			}
			out := command.OutOrStdout()
			if format == "json" {
				return cli.WriteJSON(out, t)
			}
			colors := terminal.NoColors
			if file, ok := out.(*os.File); ok {
				colors = terminal.Examine(file, os.Getenv).Colors
			}
			return t.write(out, colors)
		},
	}
	cli.FormatFlag(command, &format)
	return command
}

// write prints the day for people.
func (t Today) write(out io.Writer, colors terminal.Colors) error {
	var b strings.Builder
	b.WriteString(t.Text(func(color, line string) string { return colors.Text(rgb(lamp.Config{Color: color}), line) }))
	for _, of := range history.Dimensions() {
		if len(t.Top[of]) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n%s\n", of)
		for _, tally := range t.Top[of] {
			fmt.Fprintf(&b, "%8d  %s\n", tally.Attempts, shorten(escape.Text(tally.Name), 66))
		}
	}
	if len(t.Silent) > 0 {
		fmt.Fprintf(&b, "\nsilent: %s\n", strings.Join(t.Silent, ", "))
	}
	for _, tally := range t.Dropped {
		fmt.Fprintf(&b, "\n%s had to drop %s in all\n", tally.Name, plural.Count(tally.Attempts, "attempt"))
	}
	_, err := io.WriteString(out, b.String())
	return err
}
