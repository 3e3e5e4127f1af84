package page

import (
	"bytes"
	"context"
	"net/http"
	"strconv"
	"time"
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
		return s.chart(ctx, v, stack{name: byAgent, most: mostLines - 1, others: otherAgents})
	case stackCountry:
		return s.countryChart(ctx, v)
	}
	return s.chart(ctx, v, byLamp(state))
}

// today counts the attempts since midnight.
func (s *Server) today(ctx context.Context) (n uint64, err error) {
	now := s.options.Now()
	until := after(now, day, s.options.Zone())
	counts, err := s.options.History.Counts(ctx, []time.Time{until.AddDate(0, 0, -1), until}, Filter{}, func(of Counted) string {
		if of.Kind.Attempt() {
			return "attempts"
		}
		return ""
	})
	for _, c := range counts {
		n += c.N
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
	if err := templates.ExecuteTemplate(&b, "rows", rows); err != nil {
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
	if err := templates.ExecuteTemplate(&b, "links", linksView{s.bare(), state.Agents}); err != nil {
		s.options.Logger.Error("cannot show the agents", "error", err)
		return nil
	}
	return message("agents", nil, oneLine(b.Bytes()))
}

type linksView struct {
	head
	Agents []Agent
}

// Links are the agents with what the list of them needs to write their times.
func (v nowView) Links() linksView { return linksView{v.head, v.State.Agents} }

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
