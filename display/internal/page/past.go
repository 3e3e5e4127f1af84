package page

import (
	"fmt"
	"net/http"
)

// How long lists are.
const (
	eventsLong = 100 // events of one page
	sourceLong = 100 // sources of one page
)

// historyView is a chart with what it is made of.
type historyView struct {
	head
	View   view
	Chart  *chart
	Tops   []top
	Rows   rowsView
	Older  string      // address of the events before these; empty if there are none
	Source *sourceView // on a source's page
	Ranges []choice
	Stacks []choice
	Chosen []chosen
}

// choice is one of what a page offers.
type choice struct {
	Label, Query string
	Chosen       bool
}

// chosen is a filter in force, and the address without it.
type chosen struct{ Label, Value, Without string }

func (s *Server) historyPage(w http.ResponseWriter, r *http.Request) error {
	v, err := s.parseView(r.URL.Query(), "24h")
	if err != nil {
		return err
	}
	shown, err := s.past(r, v, "History", "history")
	if err != nil {
		return err
	}
	return s.render(w, "history", shown)
}

// past is everything about a view: its chart, the most frequent and its events.
func (s *Server) past(r *http.Request, v view, title, here string) (*historyView, error) {
	ctx := r.Context()
	state, err := s.options.State(ctx)
	if err != nil {
		return nil, err
	}
	shown := &historyView{head: s.head(r, title, here), View: v}
	if shown.Chart, err = s.stacked(ctx, v, state); err != nil {
		return nil, err
	}
	if shown.Tops, err = s.tops(ctx, v); err != nil {
		return nil, err
	}
	records, err := s.options.History.Events(ctx, Page{Span: v.Span, Filter: v.Filter, Before: v.Before, Limit: eventsLong})
	if err != nil {
		return nil, err
	}
	shown.Rows = s.rowsOf(shown.head, state, records)
	if len(records) == eventsLong {
		shown.Older = v.Query("before", fmt.Sprint(records[len(records)-1].ID)) + "#events"
	}
	shown.Ranges = v.ranges()
	for _, by := range s.stacks(v) {
		value := by
		if by == stackLamp {
			value = ""
		}
		shown.Stacks = append(shown.Stacks, choice{"by " + by, v.Query("by", value), v.By == by})
	}
	shown.Chosen = v.chosen()
	return shown, nil
}

// ranges are the spans that a view can be changed to.
func (v view) ranges() (all []choice) {
	for _, one := range ranges {
		all = append(all, choice{one.Label, v.Query("range", one.Name), v.Range == one.Name})
	}
	return all
}

// chosen are the filters of a view.
func (v view) chosen() (all []chosen) {
	add := func(label, key, value string) {
		if value != "" {
			all = append(all, chosen{label, value, v.Query(key, "")})
		}
	}
	add("agent", "agent", v.Agent)
	if v.Kind != 0 {
		add("kind", "kind", v.Kind.String())
	}
	if v.Source.IsValid() {
		add("source", "source", sourceText(v.Source))
	}
	add("user", "user", v.User)
	return all
}
