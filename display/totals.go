package main

import (
	"context"
	"time"

	"github.com/pialert/pialert/display/internal/history"
	"github.com/pialert/pialert/display/internal/lamp"
	"github.com/pialert/pialert/pkg/attack"
)

// loadTotals gives the lamps what the history counted before.
func (d *daemon) loadTotals(ctx context.Context) error {
	all, today, now, err := d.stored(ctx)
	if err != nil {
		return err
	}
	d.screen.lamps.Load(all, today, now)
	d.nameFirst()
	return nil
}

// stored returns what the history holds, and the part of it that is of now's day, at one moment.
func (d *daemon) stored(ctx context.Context) (all, today []lamp.Tally, now time.Time, err error) {
	for {
		now = time.Now()
		before := d.history.Last()
		totals, err := d.history.Totals(ctx)
		if err != nil {
			return nil, nil, now, err
		}
		ofToday, err := d.history.TotalsOn(ctx, now)
		if err != nil {
			return nil, nil, now, err
		}
		named, err := d.history.Named(ctx)
		if err != nil {
			return nil, nil, now, err
		}
		namedToday, err := d.history.NamedOn(ctx, now)
		if err != nil {
			return nil, nil, now, err
		}
		if d.history.Last() == before {
			return tallies(totals, named), tallies(ofToday, namedToday), now, nil
		}
	}
}

// tallies tells totals from the part of them that was counted under names.
func tallies(totals []history.Total, named []history.Named) []lamp.Tally {
	var list []lamp.Tally
	for _, total := range totals {
		if !counts(total) {
			continue
		}
		rest := total.Attempts
		for _, part := range named {
			if part.Agent == total.Agent && part.Kind == total.Kind {
				list = append(list, lamp.Tally{Agent: part.Agent, Kind: part.Kind, Host: part.Host, Key: part.Key, Count: min(part.Attempts, rest)})
				rest -= min(part.Attempts, rest) // a correction may have taken some of them away
			}
		}
		list = append(list, lamp.Tally{Agent: total.Agent, Kind: total.Kind, Count: rest})
	}
	return list
}

// counts says whether a total is of what happened, rather than of what people fired to see a lamp.
func counts(total history.Total) bool { return !total.Test && total.Kind != attack.Test }

// shorten cuts text that would not leave room for anything else.
func shorten(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}
