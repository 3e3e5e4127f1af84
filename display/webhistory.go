package main

import (
	"context"
	"net/netip"
	"time"

	"github.com/pialert/pialert/display/internal/history"
	"github.com/pialert/pialert/display/internal/page"
)

// pageHistory is the history as the page asks it.
type pageHistory struct{ history *history.History }

// filter is a page's filter within a span.
func filter(f page.Filter, span page.Span) history.Filter {
	return history.Filter{
		Span: history.Span{Since: span.From, Until: span.Until}, Agent: f.Agent, Kind: f.Kind, Source: f.Source, User: f.User,
	}
}

func pageTallies(tallies []history.Tally) []page.Tally {
	var list []page.Tally
	for _, tally := range tallies {
		list = append(list, page.Tally{Name: tally.Name, N: tally.Attempts})
	}
	return list
}

func pageSource(s history.Source) page.Source {
	return page.Source{
		Prefix: s.Prefix, N: s.Attempts, First: s.First, Last: s.Last, Ban: page.Ban(s.Ban),
		Kinds: pageTallies(s.Kinds), Users: pageTallies(s.Users), Targets: pageTallies(s.Targets),
	}
}

// Counts counts between consecutive bounds.
func (h pageHistory) Counts(ctx context.Context, bounds []time.Time, f page.Filter, name page.Naming) ([]page.Count, error) {
	counts, err := h.history.Counts(ctx, bounds, filter(f, page.Span{}), history.Naming{
		Of: func(of history.Counted) string { return name.Of(page.Counted(of)) }, As: name.As,
	})
	return pageCounts(counts), err
}

// NetworkCounts counts between consecutive bounds by names of networks.
func (h pageHistory) NetworkCounts(ctx context.Context, bounds []time.Time, f page.Filter, name func(netip.Prefix) string) ([]page.Count, error) {
	counts, err := h.history.NetworkCounts(ctx, bounds, filter(f, page.Span{}), name)
	return pageCounts(counts), err
}

func pageCounts(counts []history.Count) []page.Count {
	var list []page.Count
	for _, c := range counts {
		list = append(list, page.Count{Bar: c.Bar, Name: c.Name, N: c.Attempts})
	}
	return list
}

// Tops lists the most frequent.
func (h pageHistory) Tops(ctx context.Context, by []page.Dimension, span page.Span, f page.Filter, limit int) (map[page.Dimension][]page.Tally, error) {
	var dimensions []history.Dimension
	for _, by := range by {
		dimensions = append(dimensions, history.Dimension(by))
	}
	rankings, err := h.history.Ranks(ctx, dimensions, filter(f, span), limit)
	tops := make(map[page.Dimension][]page.Tally, len(rankings))
	for by, ranking := range rankings {
		tops[page.Dimension(by)] = pageTallies(ranking.Names)
	}
	return tops, err
}

// Sources lists the addresses with the most attempts.
func (h pageHistory) Sources(ctx context.Context, span page.Span, f page.Filter, limit int) ([]page.Source, error) {
	sources, err := h.history.TopSources(ctx, filter(f, span), limit)
	var list []page.Source
	for _, s := range sources {
		list = append(list, pageSource(s))
	}
	return list, err
}

// Source is all that is known of one address or network.
func (h pageHistory) Source(ctx context.Context, prefix netip.Prefix) (page.Source, error) {
	s, err := h.history.Source(ctx, history.Filter{Source: prefix})
	return pageSource(s), err
}

// Events lists events, the newest first.
func (h pageHistory) Events(ctx context.Context, p page.Page) ([]page.Record, error) {
	chosen := filter(p.Filter, p.Span)
	chosen.After, chosen.Before = p.After, p.Before
	stored, err := h.history.Recent(ctx, p.Limit, chosen)
	var list []page.Record
	for _, r := range stored {
		list = append(list, page.Record{ID: r.ID, Agent: r.Agent, Arrived: r.Arrived, Event: r.Event, By: r.By, Note: r.Note})
	}
	return list, err
}

// Find lists users, or targets, that have a text in their names.
func (h pageHistory) Find(ctx context.Context, by page.Dimension, text string, limit int) ([]page.Tally, error) {
	tallies, err := h.history.Find(ctx, history.Dimension(by), text, limit)
	return pageTallies(tallies), err
}
