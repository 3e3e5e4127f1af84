package page

import (
	"cmp"
	"context"
	"net/netip"
	"net/url"
	"slices"
)

// topLong is how long a list beside others is.
const topLong = 10

// top is a list of the most frequent.
type top struct {
	Title  string
	By     Dimension
	Names  []Tally
	Most   uint64 // of the first, which the others are measured by
	Places map[string]Place
}

// tops are the lists beside a chart. What is filtered by needs no list.
func (s *Server) tops(ctx context.Context, v view) (all []top, err error) {
	var lists []top
	var ranked []Dimension
	for _, list := range []top{
		{Title: "Sources", By: BySource}, {Title: "Networks", By: ByNetwork}, {Title: "User names", By: ByUser},
		{Title: "Targets", By: ByTarget}, {Title: "Kinds", By: ByKind}, {Title: "Agents", By: ByAgent},
		{Title: "Countries", By: byCountry},
	} {
		switch {
		case v.Source.IsValid() && v.Source.IsSingleIP() && list.By == BySource,
			isNarrow(v.Source) && (list.By == ByNetwork || list.By == byCountry),
			v.User != "" && list.By == ByUser, v.Kind != 0 && list.By == ByKind, v.Agent != "" && list.By == ByAgent:
			continue
		}
		if lists = append(lists, list); list.By != byCountry {
			ranked = append(ranked, list.By)
		}
	}
	tops, err := s.options.History.Tops(ctx, ranked, v.Span, v.Filter, topLong)
	if err != nil {
		return nil, err
	}
	for _, list := range lists {
		if list.Names = tops[list.By]; list.By == byCountry {
			if list.Names, err = s.countries(ctx, v); err != nil {
				return nil, err
			}
		}
		if len(list.Names) == 0 {
			continue
		}
		list.Most = list.Names[0].N
		if list.By == BySource {
			list.Places = s.places(list.Names)
		}
		all = append(all, list)
	}
	return all, nil
}

// byCountry lists countries, which the history does not know: those of the networks, by the database that
// the owner has now.
const byCountry Dimension = "countries"

// mostNetworks is how many networks countries are made of.
const mostNetworks = 100_000

func (s *Server) countries(ctx context.Context, v view) ([]Tally, error) {
	if s.options.Place == nil {
		return nil, nil
	}
	tops, err := s.options.History.Tops(ctx, []Dimension{ByNetwork}, v.Span, v.Filter, mostNetworks)
	sums := map[string]uint64{}
	for _, network := range tops[ByNetwork] {
		if prefix, err := netip.ParsePrefix(network.Name); err == nil {
			if country := s.place(prefix.Addr()).Country; country != "" {
				sums[country] += network.N
			}
		}
	}
	return mostFirst(sums, topLong), err
}

// mostFirst lists names by their number, at most so many.
func mostFirst(sums map[string]uint64, limit int) []Tally {
	var tallies []Tally
	for name, n := range sums {
		tallies = append(tallies, Tally{name, n})
	}
	slices.SortFunc(tallies, func(a, b Tally) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Name, b.Name)) })
	return tallies[:min(len(tallies), limit)]
}

// Countries says whether the names are codes of countries, which the browser writes in its language.
func (t top) Countries() bool { return t.By == byCountry }

// place looks up where an address is.
func (s *Server) place(address netip.Addr) Place {
	if s.options.Place == nil {
		return Place{}
	}
	return s.options.Place(address)
}

// places looks up where addresses are.
func (s *Server) places(tallies []Tally) map[string]Place {
	places := map[string]Place{}
	for _, tally := range tallies {
		if address, err := netip.ParseAddr(tally.Name); err == nil {
			places[tally.Name] = s.place(address)
		}
	}
	return places
}

// Kinds says whether the names are those of kinds, which stand as words elsewhere.
func (t top) Kinds() bool { return t.By == ByKind }

// Link is where a name of the list leads; the view's span goes along.
func (t top) Link(v view, name string) string {
	switch t.By {
	case BySource, ByNetwork:
		if prefix, err := parseSource(name); err == nil {
			return sourcePath(prefix)
		}
	case ByUser:
		return "/user?user=" + url.QueryEscape(name)
	case ByKind:
		return "/history" + v.Query("kind", name)
	case ByAgent:
		return "/history" + v.Query("agent", name)
	case byCountry:
		if v.User == "" {
			return v.Query("by", stackCountry)
		}
	}
	return ""
}
