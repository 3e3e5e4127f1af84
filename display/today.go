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
	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/escape"
)

// Today is a morning's picture: what the day brought so far.
type Today struct {
	Begun    time.Time                             `json:"begun"` // midnight
	Now      time.Time                             `json:"now"`
	Attempts uint64                                `json:"attempts"`
	Usual    *uint64                               `json:"usual,omitempty"` // by this time, on the same weekday
	Weeks    int                                   `json:"weeks"`           // of which Usual is the mean
	Lamps    []TodayLamp                           `json:"lamps"`
	Top      map[history.Dimension][]history.Tally `json:"top"`
	Silent   []string                              `json:"silent,omitempty"` // agents
	Dropped  []history.Tally                       `json:"dropped,omitempty"`
}

// TodayLamp is what a lamp counted today.
type TodayLamp struct {
	Name     string   `json:"name"`
	Color    string   `json:"color"`
	Attempts uint64   `json:"attempts"`
	Usual    *uint64  `json:"usual,omitempty"`
	Hours    []uint64 `json:"hours"` // of a day of 23, 24 or 25
}

// usualWeeks is how many weeks back it is looked what is usual.
const usualWeeks = 4

// topOfToday is how many names of each list are shown.
const topOfToday = 5

// today looks at the day so far.
func (d *daemon) today(ctx context.Context, _ struct{}) (Today, error) {
	now := d.now()
	t := Today{Begun: midnightOf(now, 0), Now: now, Top: map[history.Dimension][]history.Tally{}}
	lamps := d.configuration().Lamps
	for _, c := range lamps {
		t.Lamps = append(t.Lamps, TodayLamp{Name: c.Name, Color: c.Color})
	}
	bounds := hoursOf(t.Begun)
	sums, err := d.byLamp(ctx, bounds, len(lamps))
	if err != nil {
		return t, err
	}
	for i := range t.Lamps {
		t.Lamps[i].Hours = sums[i]
		t.Lamps[i].Attempts = sum(sums[i])
	}
	t.Attempts = sum(sums[len(lamps)])
	if err := d.usual(ctx, &t); err != nil {
		return t, err
	}
	tops, err := d.history.Ranks(ctx, history.Dimensions(), history.Filter{Span: history.Span{Since: t.Begun}}, topOfToday)
	if err != nil {
		return t, err
	}
	for of, ranking := range tops {
		t.Top[of] = ranking.Names
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

// midnightOf returns the midnight before a time, some days away.
func midnightOf(t time.Time, days int) time.Time {
	year, month, day := t.Date()
	return time.Date(year, month, day+days, 0, 0, 0, 0, t.Location())
}

// hoursOf returns where the hours of a day begin, and its end.
func hoursOf(midnight time.Time) (bounds []time.Time) {
	end := midnightOf(midnight, 1)
	for at := midnight; at.Before(end); at = at.Add(time.Hour) {
		bounds = append(bounds, at)
	}
	return append(bounds, end)
}

// byLamp returns what each lamp counted between bounds, and behind the lamps, all attempts.
func (d *daemon) byLamp(ctx context.Context, bounds []time.Time, lamps int) ([][]uint64, error) {
	sums := make([][]uint64, lamps+1)
	for i := range sums {
		sums[i] = make([]uint64, len(bounds)-1)
	}
	// A name says which sums a count belongs to: that of a lamp, all attempts, or both.
	type of struct{ lamp, attempts bool }
	named, index := map[string]of{}, map[string]int{}
	counts, err := d.history.Counts(ctx, bounds, history.Filter{}, func(c history.Counted) string {
		i, counted := d.screen.lamps.RouteCount(c.Agent, c.Kind, c.Host, c.Key)
		to := of{counted && i >= 0 && i < lamps, c.Kind.Attempt()}
		if to == (of{}) {
			return ""
		}
		name := fmt.Sprint(i, to)
		named[name], index[name] = to, i
		return name
	})
	for _, c := range counts {
		if named[c.Name].attempts {
			sums[lamps][c.Bar] += c.Attempts
		}
		if named[c.Name].lamp {
			sums[index[c.Name]][c.Bar] += c.Attempts
		}
	}
	return sums, err
}

func sum(list []uint64) (n uint64) {
	for _, each := range list {
		n += each
	}
	return n
}

// usual adds what was counted by this time of the day on the same weekday of the weeks before, in
// the mean of those of which the history knows.
func (d *daemon) usual(ctx context.Context, t *Today) error {
	first, err := d.history.First(ctx)
	if err != nil || first.IsZero() {
		return err
	}
	means := make([]float64, len(t.Lamps)+1)
	for week := 1; week <= usualWeeks; week++ {
		begun := midnightOf(t.Now, -7*week)
		if begun.Before(first) {
			break
		}
		bounds := hoursOf(begun)
		sums, err := d.byLamp(ctx, bounds, len(t.Lamps))
		if err != nil {
			return err
		}
		year, month, day := begun.Date()
		by := time.Date(year, month, day, t.Now.Hour(), t.Now.Minute(), 0, 0, t.Now.Location())
		for i := range sums {
			means[i] += until(by, bounds, sums[i])
		}
		t.Weeks++
	}
	if t.Weeks == 0 {
		return nil
	}
	mean := func(i int) *uint64 {
		n := uint64(means[i]/float64(t.Weeks) + 0.5)
		return &n
	}
	for i := range t.Lamps {
		t.Lamps[i].Usual = mean(i)
	}
	t.Usual = mean(len(t.Lamps))
	return nil
}

// until adds up what was counted before a time, of its hour in proportion.
func until(by time.Time, bounds []time.Time, hours []uint64) (n float64) {
	for i, count := range hours {
		long := bounds[i+1].Sub(bounds[i])
		n += float64(count) * min(max(by.Sub(bounds[i]).Seconds()/long.Seconds(), 0), 1)
	}
	return n
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
			cfg, err := s.Load()
			if err != nil {
				return err
			}
			var t Today
			if err := cfg.running().Ask(command.Context(), "/today", nil, &t); err != nil {
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
	fmt.Fprintf(&b, "%s   %d attempts", t.Now.Format("Monday, 2 January 2006, 15:04"), t.Attempts)
	if t.Usual != nil {
		fmt.Fprintf(&b, ", usually %d by now (%d weeks)", *t.Usual, t.Weeks)
	}
	b.WriteString("\n\n")
	most := uint64(0)
	for _, l := range t.Lamps {
		for _, n := range l.Hours {
			most = max(most, n)
		}
	}
	for _, l := range t.Lamps {
		bars := ""
		for i, n := range l.Hours {
			if at := t.Begun.Add(time.Duration(i) * time.Hour); at.After(t.Now) {
				bars += " "
				continue
			}
			bars += bar(n, most)
		}
		line := fmt.Sprintf("%-9s  %s  %8d", l.Name, bars, l.Attempts)
		if l.Usual != nil {
			line += fmt.Sprintf("   usually %d", *l.Usual)
		}
		b.WriteString(colors.Text(rgb(lamp.Config{Color: l.Color}), line) + "\n")
	}
	fmt.Fprintf(&b, "%-9s  %s\n", "hour", hourAxis(t.Begun))
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
		fmt.Fprintf(&b, "\n%s had to drop %d attempts in all\n", tally.Name, tally.Attempts)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// hourAxis names every sixth hour of a day below its bar, also where the clock leaves one out or has one twice.
func hourAxis(midnight time.Time) (axis string) {
	bounds := hoursOf(midnight)
	for i, at := range bounds[:len(bounds)-1] {
		if at.Hour()%6 == 0 {
			axis += strings.Repeat(" ", i-len(axis)) + fmt.Sprint(at.Hour())
		}
	}
	return axis
}

// bar is a column of an eighth to a whole of a line's height; anything is more than nothing.
func bar(n, most uint64) string {
	if n == 0 {
		return "·"
	}
	steps := []rune("▁▂▃▄▅▆▇█")
	return string(steps[int(float64(n)/float64(most)*float64(len(steps)-1))])
}
