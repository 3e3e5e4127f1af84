// Package pagetest is a history in memory that answers what the page asks, in the plainest way:
// by looking at every event. What the page shows can be compared with it, and looked at.
package pagetest

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/pialert/pialert/display/internal/page"
	"github.com/pialert/pialert/pkg/attack"
)

// History is events in the order of their arrival, which their ids say.
type History struct{ Records []page.Record }

// Add appends an event that arrived at a time.
func (h *History) Add(agent string, at time.Time, event attack.Event) {
	h.Records = append(h.Records, page.Record{ID: int64(len(h.Records) + 1), Agent: agent, Arrived: at, Event: event})
}

// chosen says whether a filter and a span choose a record.
func chosen(r *page.Record, span page.Span, f page.Filter) bool {
	e := &r.Event
	return (span.From.IsZero() || !r.Arrived.Before(span.From)) && (span.Until.IsZero() || r.Arrived.Before(span.Until)) &&
		(f.Agent == "" || r.Agent == f.Agent) && (f.Kind == 0 || e.Kind == f.Kind) && (f.User == "" || e.User == f.User) &&
		(!f.Source.IsValid() || f.Source.Contains(e.SourceIP))
}

// Counts counts between bounds.
func (h *History) Counts(_ context.Context, bounds []time.Time, filter page.Filter, name page.Naming) ([]page.Count, error) {
	type key struct {
		bar  int
		name string
	}
	sums := map[key]uint64{}
	span := page.Span{From: bounds[0], Until: bounds[len(bounds)-1]}
	for i := range h.Records {
		r := &h.Records[i]
		if r.Event.Test || !chosen(r, span, filter) {
			continue
		}
		bar, exact := slices.BinarySearchFunc(bounds, r.Arrived, time.Time.Compare)
		if !exact {
			bar--
		}
		if name := name.Of(page.Counted{Agent: r.Agent, Kind: r.Event.Kind}); name != "" {
			sums[key{bar, name}] += r.Event.Count
		}
	}
	var counts []page.Count
	for k, n := range sums {
		counts = append(counts, page.Count{Bar: k.bar, Name: k.name, N: n})
	}
	return counts, nil
}

// NetworkCounts counts between bounds by names of networks.
func (h *History) NetworkCounts(_ context.Context, bounds []time.Time, filter page.Filter, name func(netip.Prefix) string) ([]page.Count, error) {
	var counts []page.Count
	for i := range len(bounds) - 1 {
		for key, n := range h.sums(page.Span{From: bounds[i], Until: bounds[i+1]}, filter, func(r *page.Record) string { return nameOf(r, page.ByNetwork) }) {
			counts = append(counts, page.Count{Bar: i, Name: name(netip.MustParsePrefix(key)), N: n})
		}
	}
	return counts, nil
}

// Tops lists the most frequent.
func (h *History) Tops(_ context.Context, by []page.Dimension, span page.Span, filter page.Filter, limit int) (map[page.Dimension][]page.Tally, error) {
	tops := map[page.Dimension][]page.Tally{}
	for _, by := range by {
		tops[by] = h.top(by, span, filter, limit)
	}
	return tops, nil
}

func (h *History) top(by page.Dimension, span page.Span, filter page.Filter, limit int) []page.Tally {
	return top(h.sums(span, filter, func(r *page.Record) string { return nameOf(r, by) }), limit)
}

// sums adds attempts up by a name; what has none is left out.
func (h *History) sums(span page.Span, filter page.Filter, name func(*page.Record) string) map[string]uint64 {
	sums := map[string]uint64{}
	for i := range h.Records {
		r := &h.Records[i]
		if r.Event.Test || !r.Event.Kind.Attempt() || !chosen(r, span, filter) {
			continue
		}
		if name := name(r); name != "" {
			sums[name] += r.Event.Count
		}
	}
	return sums
}

func nameOf(r *page.Record, by page.Dimension) string {
	e := &r.Event
	switch by {
	case page.BySource:
		if e.SourceIP.IsValid() {
			return e.SourceIP.String()
		}
	case page.ByNetwork:
		if e.SourceIP.IsValid() {
			bits := 64
			if e.SourceIP.Is4() {
				bits = 24
			}
			network, _ := e.SourceIP.Prefix(bits)
			return network.String()
		}
	case page.ByUser:
		return e.User
	case page.ByTarget:
		if http, ok := e.Detail.(attack.HTTP); ok {
			return http.Target
		}
	case page.ByKind:
		return e.Kind.String()
	case page.ByAgent:
		return r.Agent
	}
	return ""
}

func top(sums map[string]uint64, limit int) []page.Tally {
	var tallies []page.Tally
	for name, n := range sums {
		tallies = append(tallies, page.Tally{Name: name, N: n})
	}
	slices.SortFunc(tallies, func(a, b page.Tally) int {
		return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Name, b.Name))
	})
	return tallies[:min(len(tallies), limit)]
}

// Sources lists the addresses with the most attempts.
func (h *History) Sources(_ context.Context, span page.Span, filter page.Filter, limit int) ([]page.Source, error) {
	tallies := h.top(page.BySource, span, filter, limit)
	var sources []page.Source
	for _, tally := range tallies {
		address := netip.MustParseAddr(tally.Name)
		sources = append(sources, h.source(netip.PrefixFrom(address, address.BitLen()), span))
	}
	return sources, nil
}

// Source is all of one address or network.
func (h *History) Source(_ context.Context, prefix netip.Prefix) (page.Source, error) {
	return h.source(prefix, page.Span{}), nil
}

const few = 3

func (h *History) source(prefix netip.Prefix, span page.Span) page.Source {
	filter := page.Filter{Source: prefix}
	list := func(by page.Dimension) []page.Tally {
		return top(h.sums(span, filter, func(r *page.Record) string { return nameOf(r, by) }), few)
	}
	s := page.Source{Prefix: prefix, Kinds: list(page.ByKind), Users: list(page.ByUser), Targets: list(page.ByTarget)}
	for i := range h.Records {
		r := &h.Records[i]
		if !chosen(r, span, filter) {
			continue
		}
		if s.First.IsZero() {
			s.First = r.Arrived
		}
		s.Last = r.Arrived
		switch r.Event.Kind {
		case attack.Ban, attack.Unban:
			s.Ban = page.Ban{At: r.Arrived, Lifted: r.Event.Kind == attack.Unban}
			if ban, ok := r.Event.Detail.(attack.BanInfo); ok {
				s.Ban.Jail = ban.Jail
			}
		}
		if r.Event.Kind.Attempt() && !r.Event.Test {
			s.N += r.Event.Count
		}
	}
	return s
}

// Events lists events, the newest first.
func (h *History) Events(_ context.Context, p page.Page) ([]page.Record, error) {
	var records []page.Record
	for i := len(h.Records) - 1; i >= 0 && len(records) < p.Limit; i-- {
		r := &h.Records[i]
		if chosen(r, p.Span, p.Filter) && (p.After == 0 || r.ID > p.After) && (p.Before == 0 || r.ID < p.Before) {
			records = append(records, *r)
		}
	}
	return records, nil
}

// Find lists names that have a text in them.
func (h *History) Find(_ context.Context, by page.Dimension, text string, limit int) ([]page.Tally, error) {
	return top(h.sums(page.Span{}, page.Filter{}, func(r *page.Record) string {
		if name := nameOf(r, by); strings.Contains(name, text) {
			return name
		}
		return ""
	}), limit), nil
}
