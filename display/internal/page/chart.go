package page

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// chart is counts over time, stacked: a table, from which the browser draws bars.
type chart struct {
	Caption string
	Lines   []line // what is stacked, from below
	Bars    []bar
	Total   uint64
	Step    time.Duration // about how long a bar is
	Until   time.Time     // where the last bar ends
}

// line is one of what is stacked.
type line struct {
	Name    string
	Class   string // of its colour
	Total   uint64
	Country bool // the name is a country's code, which the browser writes in its language
}

// bar is the counts of one span of time.
type bar struct {
	From   time.Time
	Values []uint64 // by line
	Sum    uint64
}

// Clock says whether bars are shorter than a day, so that their time matters.
func (c *chart) Clock() bool { return c.Step < 24*time.Hour }

// stack decides what a chart stacks: which line a count belongs to, "" for none.
type stack func(Count) (name, class string)

// chart reads and stacks counts.
func (s *Server) chart(ctx context.Context, v view, lines []line, by stack) (*chart, error) {
	bounds := v.bounds(s.options.Zone())
	counts, err := s.options.History.Counts(ctx, bounds, v.Filter)
	if err != nil {
		return nil, err
	}
	return stacked(v.step(), bounds, counts, lines, by), nil
}

// stacked stacks counts. Lines that are given come first, in their order, also when nothing was counted;
// others follow by their size.
func stacked(step time.Duration, bounds []time.Time, counts []Count, lines []line, by stack) *chart {
	given := len(lines)
	lines = slices.Clone(lines)
	index := map[string]int{}
	for i, l := range lines {
		index[l.Name] = i
	}
	place := make([]int, len(counts))
	for i, c := range counts {
		name, class := by(c)
		at, known := index[name]
		if !known && name != "" {
			at = len(lines)
			index[name] = at
			lines = append(lines, line{Name: name, Class: class})
		}
		if place[i] = at; name == "" {
			place[i] = -1
		} else {
			lines[at].Total += c.N
		}
	}
	// Those that were not given go by their size, and by their names where that is the same.
	order := make([]int, len(lines))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order[given:], func(a, b int) int {
		return cmp.Or(cmp.Compare(lines[b].Total, lines[a].Total), cmp.Compare(lines[a].Name, lines[b].Name))
	})
	c := &chart{Step: step, Until: bounds[len(bounds)-1]}
	moved := make([]int, len(lines))
	for to, from := range order {
		moved[from] = to
		l := lines[from]
		if l.Class == "" {
			l.Class = fmt.Sprintf("hue-%d", (to-given)%hues)
		}
		c.Lines = append(c.Lines, l)
	}
	c.Bars = make([]bar, len(bounds)-1)
	values := make([]uint64, len(c.Bars)*len(lines))
	for i := range c.Bars {
		c.Bars[i] = bar{From: bounds[i], Values: values[i*len(lines) : (i+1)*len(lines)]}
	}
	for i, count := range counts {
		if place[i] < 0 || count.Bar < 0 || count.Bar >= len(c.Bars) {
			continue
		}
		b := &c.Bars[count.Bar]
		b.Values[moved[place[i]]] += count.N
		b.Sum += count.N
		c.Total += count.N
	}
	return c
}

// hues is how many colours page.css has for what is no lamp.
const hues = 8

// byLamp stacks attempts, and what else lamps count, by lamp.
func byLamp(state State) ([]line, stack) {
	lines := make([]line, len(state.Lamps))
	for i, lamp := range state.Lamps {
		lines[i] = line{Name: lamp.Label, Class: fmt.Sprintf("lamp-%d", i)}
	}
	return lines, func(c Count) (string, string) {
		i, counts := state.Lamp(c.Agent, c.Kind, c.Host, c.Key)
		switch {
		case counts && i >= 0 && i < len(lines):
			return lines[i].Name, lines[i].Class
		case c.Kind.Attempt():
			return "no lamp", "hue-none"
		}
		return "", ""
	}
}

// Of countries those with the most attempts have lines of their own.
const (
	mostCountries  = hues - 2
	otherCountries = "other countries"
	noCountry      = "unknown"
)

// countryChart stacks attempts by the country of their network, as the owner's database has it now.
func (s *Server) countryChart(ctx context.Context, v view) (*chart, error) {
	bounds := v.bounds(s.options.Zone())
	counts, err := s.options.History.CountsBy(ctx, bounds, v.Filter, func(network netip.Prefix) string {
		return s.place(network.Addr()).Country
	})
	if err != nil {
		return nil, err
	}
	sums := map[string]uint64{}
	for _, c := range counts {
		sums[c.Key] += c.N
	}
	var lines []line
	for _, country := range mostFirst(sums, mostCountries+1) {
		if country.Name != "" && len(lines) < mostCountries {
			lines = append(lines, line{Name: country.Name, Class: fmt.Sprintf("hue-%d", len(lines)), Country: true})
		}
	}
	return stacked(v.step(), bounds, counts, lines, func(c Count) (string, string) {
		switch {
		case c.Key == "":
			return noCountry, "hue-none"
		case slices.ContainsFunc(lines, func(l line) bool { return l.Name == c.Key }):
			return c.Key, ""
		}
		return otherCountries, fmt.Sprintf("hue-%d", mostCountries)
	}), nil
}

// byAgent stacks attempts by agent.
func byAgent(c Count) (string, string) {
	if !c.Kind.Attempt() {
		return "", ""
	}
	return c.Agent, ""
}
