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
	Lines []line // what is stacked, from below
	Bars  []bar
	Total uint64
	Step  time.Duration // about how long a bar is
	Until time.Time     // where the last bar ends
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

// stack says what a chart stacks.
type stack struct {
	name   Naming // which line a count belongs to, "" for none
	lines  []line // that come first, in their order, also when nothing was counted
	most   int    // how many others have lines of their own: those of which there is the most
	others string // the line of what is more than that
	none   string // the line, if there is one, of what belongs to none; it has no colour
}

// mostLines is how many lines a chart has: a table with more is read by nobody.
const mostLines = 2 * hues

// chart reads and stacks counts.
func (s *Server) chart(ctx context.Context, v view, by stack) (*chart, error) {
	bounds := v.bounds(s.options.Zone())
	counts, err := s.options.History.Counts(ctx, bounds, v.Filter, by.name)
	if err != nil {
		return nil, err
	}
	return stacked(v.step(), bounds, counts, by), nil
}

// stacked stacks counts. Lines that are not given follow by their size, and by their names where that is the same.
func stacked(step time.Duration, bounds []time.Time, counts []Count, by stack) *chart {
	c := &chart{Step: step, Until: bounds[len(bounds)-1], Lines: slices.Clone(by.lines)}
	index := map[string]int{}
	for i, l := range c.Lines {
		index[l.Name] = i
	}
	sums := map[string]uint64{}
	for _, count := range counts {
		if _, given := index[count.Name]; !given {
			sums[count.Name] += count.N
		}
	}
	none, more := sums[by.none], sums[by.others]
	delete(sums, by.none)
	delete(sums, by.others)
	sizes := mostFirst(sums, len(sums))
	for i, one := range sizes[:min(len(sizes), by.most)] {
		index[one.Name] = len(c.Lines)
		c.Lines = append(c.Lines, line{Name: one.Name, Class: fmt.Sprintf("hue-%d", i%hues)})
	}
	if len(sizes) > by.most || more > 0 {
		for _, one := range sizes[min(len(sizes), by.most):] {
			index[one.Name] = len(c.Lines)
		}
		index[by.others] = len(c.Lines)
		c.Lines = append(c.Lines, line{Name: by.others, Class: fmt.Sprintf("hue-%d", by.most%hues)})
	}
	if none > 0 {
		index[by.none] = len(c.Lines)
		c.Lines = append(c.Lines, line{Name: by.none, Class: "hue-none"})
	}
	c.Bars = make([]bar, len(bounds)-1)
	values := make([]uint64, len(c.Bars)*len(c.Lines))
	for i := range c.Bars {
		c.Bars[i] = bar{From: bounds[i], Values: values[i*len(c.Lines) : (i+1)*len(c.Lines)]}
	}
	for _, count := range counts {
		at, shown := index[count.Name]
		if !shown || count.Bar < 0 || count.Bar >= len(c.Bars) {
			continue
		}
		b := &c.Bars[count.Bar]
		b.Values[at] += count.N
		b.Sum += count.N
		c.Lines[at].Total += count.N
		c.Total += count.N
	}
	return c
}

// hues is how many colours page.css has for what is no lamp.
const hues = 8

// lampLines is as which a chart by lamp is known again.
type lampLines struct {
	routes any
	labels string
}

// byLamp stacks attempts, and what else lamps count, by lamp.
func byLamp(state State) stack {
	by := stack{none: "no lamp"}
	for i, lamp := range state.Lamps {
		by.lines = append(by.lines, line{Name: lamp.Label, Class: fmt.Sprintf("lamp-%d", i)})
	}
	as := lampLines{routes: state.Routes}
	for _, line := range by.lines {
		as.labels += line.Name + "\n"
	}
	by.name.As = as
	by.name.Of = func(of Counted) string {
		i, counts := state.Lamp(of.Agent, of.Kind, of.Host, of.Key)
		switch {
		case counts && i >= 0 && i < len(by.lines):
			return by.lines[i].Name
		case of.Kind.Attempt():
			return by.none
		}
		return ""
	}
	return by
}

// countryChart stacks attempts by the country of their network, as the owner's database has it now.
func (s *Server) countryChart(ctx context.Context, v view) (*chart, error) {
	by := stack{most: hues - 2, others: "other countries", none: "unknown"}
	bounds := v.bounds(s.options.Zone())
	counts, err := s.options.History.NetworkCounts(ctx, bounds, v.Filter, func(network netip.Prefix) string {
		return cmp.Or(s.place(network.Addr()).Country, by.none)
	})
	if err != nil {
		return nil, err
	}
	for i := range counts {
		counts[i].Name = cmp.Or(counts[i].Name, by.none) // what lists left out
	}
	c := stacked(v.step(), bounds, counts, by)
	for i := range c.Lines {
		l := &c.Lines[i]
		l.Country = l.Name != by.others && l.Name != by.none
	}
	return c, nil
}

// byAgent stacks attempts by agent. Of all that is counted those that have a line are looked up first: of thousands the others
// need no sums of their own.
func (s *Server) byAgent(ctx context.Context, v view) (stack, error) {
	by := stack{most: mostLines - 1, others: otherAgents}
	as := agentLines{}
	if v.User == "" && !v.Source.IsValid() {
		bounds := v.bounds(s.options.Zone())
		tops, err := s.options.History.Tops(ctx, []Dimension{ByAgent}, Span{bounds[0], bounds[len(bounds)-1]}, v.Filter, by.most)
		if err != nil {
			return by, err
		}
		for i, top := range tops[ByAgent] {
			as[i] = top.Name
		}
		by.name.As = as
	}
	by.name.Of = func(of Counted) string {
		switch {
		case !of.Kind.Attempt():
			return ""
		case of.Agent == "", by.name.As != nil && !slices.Contains(as[:], of.Agent):
			return otherAgents
		}
		return of.Agent
	}
	return by, nil
}

// agentLines are the agents that have a line, as which a chart by agent is known again.
type agentLines [mostLines - 1]string

// otherAgents are those without a line, and those that lists of a fleet do not tell apart.
const otherAgents = "other agents"
