package page

import (
	"bytes"
	"cmp"
	"context"
	"net/http"
	"slices"
	"strconv"
)

// nowView is the first page: the device, what it counts, the last day, events and agents.
type nowView struct {
	head
	State  State
	Device device
	Today  uint64
	Chart  *chart
	Ranges []choice
	Rows   rowsView
}

func (s *Server) nowPage(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	state, err := s.options.State(ctx)
	if err != nil {
		return err
	}
	v, err := s.parseView(r.URL.Query(), "24h")
	if err != nil {
		return err
	}
	shown := nowView{head: s.head(r, "Now", "now"), State: state, Device: deviceOf(s.live.now()), Ranges: v.ranges()}
	if shown.Chart, err = s.stacked(ctx, v, state); err != nil {
		return err
	}
	if shown.Today, err = s.today(ctx); err != nil {
		return err
	}
	records, err := s.options.History.Events(ctx, Page{Limit: maxRows})
	if err != nil {
		return err
	}
	shown.Rows = s.rowsOf(shown.head, state, records)
	return s.render(w, "now", shown)
}

// stacked is the chart of a view, by what the view is stacked by.
func (s *Server) stacked(ctx context.Context, v view, state State) (*chart, error) {
	switch v.By {
	case stackAgent:
		by, err := s.byAgent(ctx, v)
		if err != nil {
			return nil, err
		}
		return s.chart(ctx, v, by)
	case stackCountry:
		return s.countryChart(ctx, v)
	}
	return s.chart(ctx, v, byLamp(state))
}

// allKinds is at least how many kinds there are, known or not.
const allKinds = 1 << 16

// today counts the attempts since midnight.
func (s *Server) today(ctx context.Context) (n uint64, err error) {
	until := after(s.options.Now(), day, s.options.Zone())
	tops, err := s.options.History.Tops(ctx, []Dimension{ByKind}, Span{until.AddDate(0, 0, -1), until}, Filter{}, allKinds)
	for _, kind := range tops[ByKind] {
		n += kind.N
	}
	return n, err
}

// rows returns the newest events above an id as a message for open pages.
func (s *Server) rows(ctx context.Context, after int64) (m []byte, last int64, err error) {
	records, err := s.options.History.Events(ctx, Page{After: after, Limit: maxRows})
	if err != nil || len(records) == 0 {
		return nil, after, err
	}
	state, err := s.options.State(ctx)
	if err != nil {
		return nil, after, err
	}
	rows := s.rowsOf(s.bare(), state, records)
	var b bytes.Buffer
	if err := templates().ExecuteTemplate(&b, "rows", rows); err != nil {
		return nil, after, err
	}
	return message("rows", strconv.AppendInt(nil, rows.Last, 10), oneLine(b.Bytes())), rows.Last, nil
}

// agents returns the list of agents as a message for open pages.
func (s *Server) agents(ctx context.Context) []byte {
	state, err := s.options.State(ctx)
	if err != nil {
		return nil
	}
	var b bytes.Buffer
	if err := templates().ExecuteTemplate(&b, "links", linksOf(s.bare(), state.Agents)); err != nil {
		s.options.Logger.Error("cannot show the agents", "error", err)
		return nil
	}
	return message("agents", nil, oneLine(b.Bytes()))
}

// linksView is the list of agents on the first page.
type linksView struct {
	head
	Agents []Agent
	All    int // agents, if there are more
}

// mostLinks is how many agents the first page lists. It is told to open pages again and again.
const mostLinks = 40

// linksOf lists agents: of too many those that are away or silent, then those that tell the most.
func linksOf(h head, agents []Agent) linksView {
	if len(agents) <= mostLinks {
		return linksView{head: h, Agents: agents}
	}
	rank := func(a Agent) int {
		switch {
		case a.Former:
			return 2
		case a.Connected && !a.Silent:
			return 1
		}
		return 0
	}
	sorted := slices.Clone(agents)
	slices.SortStableFunc(sorted, func(a, b Agent) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(b.Total, a.Total)) })
	return linksView{h, sorted[:mostLinks], len(agents)}
}

// Links are the agents with what the list of them needs to write their times.
func (v nowView) Links() linksView { return linksOf(v.head, v.State.Agents) }

// bare is a head that only serves to write times.
func (s *Server) bare() head { return head{Now: s.options.Now(), zone: s.options.Zone()} }

// oneLine makes line breaks spaces, which they are in HTML.
func oneLine(text []byte) []byte {
	return bytes.Map(func(r rune) rune {
		if r == '\n' || r == '\r' {
			return ' '
		}
		return r
	}, text)
}
