package main

import (
	"context"
	"fmt"
	"time"

	"github.com/pialert/pialert/display/internal/history"
	"github.com/pialert/pialert/display/internal/notice"
	"github.com/pialert/pialert/display/internal/notice/channel"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/escape"
)

// digestTables are what a digest lists, and under which title.
var digestTables = []struct {
	title string
	by    history.Dimension
}{
	{"Kinds", history.Kinds}, {"Sources", history.Sources}, {"Networks", history.Networks},
	{"Users tried", history.Users}, {"Servers", history.Agents}, {"Machines whose lines they read", history.Hosts},
}

const (
	digestRows      = 5
	digestSuccesses = 5 // logins that are worth a sentence each
)

// night summarises a span for a digest: who got in first, then the attempts by hour and by who, what
// and where.
func (d *daemon) night(ctx context.Context, from, to time.Time) (notice.Summary, error) {
	var s notice.Summary
	bounds := []time.Time{from}
	for at := from.Add(time.Hour); at.Before(to); at = at.Add(time.Hour) {
		bounds = append(bounds, at)
	}
	bounds = append(bounds, to)
	counts, err := d.history.Counts(ctx, bounds, history.Filter{}, history.Attempts)
	if err != nil {
		return s, err
	}
	s.Hours = make([]uint64, len(bounds)-1)
	for _, c := range counts {
		s.Hours[c.Bar] += c.Attempts
		s.Attempts += c.Attempts
	}
	span := history.Span{Since: from, Until: to}
	if s.Lines, err = d.successes(ctx, span); err != nil {
		return s, err
	}
	for _, one := range digestTables {
		tallies, err := d.history.Top(ctx, one.by, history.Filter{Span: span}, digestRows)
		if err != nil {
			return s, err
		}
		table := channel.Table{Title: one.title}
		for _, tally := range tallies {
			table.Rows = append(table.Rows, channel.Row{Name: escape.Text(tally.Name), Count: tally.Attempts})
		}
		if len(table.Rows) > 0 {
			s.Tables = append(s.Tables, table)
		}
	}
	return s, nil
}

// successes says who got in after failures.
func (d *daemon) successes(ctx context.Context, span history.Span) (lines []string, err error) {
	more := 0
	for _, kind := range []attack.Kind{attack.SSHAccepted, attack.LoginAccepted} {
		records, err := d.history.Recent(ctx, 1000, history.Filter{Span: span, Kind: kind})
		if err != nil {
			return nil, err
		}
		for _, r := range records {
			switch {
			case r.Event.Severity < attack.High:
			case len(lines) >= digestSuccesses:
				more++
			default:
				lines = append(lines, "After failures: "+notice.Sentence(&notice.Record{Agent: r.Agent, Event: r.Event})+".")
			}
		}
	}
	if more > 0 {
		lines = append(lines, fmt.Sprintf("And %d more logins after failures.", more))
	}
	return lines, nil
}
