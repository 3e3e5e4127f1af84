package page

import (
	"fmt"
	"html/template"
	"net/http"
	"time"
)

// sourcesView is the list of sources.
type sourcesView struct {
	head
	View    view
	Ranges  []choice
	Sources []sourceView
	Most    uint64
	Placed  bool // the owner has a database of addresses
}

func (s *Server) sourcesPage(w http.ResponseWriter, r *http.Request) error {
	v, err := s.parseView(r.URL.Query(), "24h")
	if err != nil {
		return err
	}
	sources, err := s.options.History.Sources(r.Context(), v.Span, v.Filter, sourceLong)
	if err != nil {
		return err
	}
	shown := sourcesView{head: s.head(r, "Sources", "sources"), View: v}
	for _, source := range sources {
		one := s.sourceView(source)
		shown.Placed = shown.Placed || one.Place != Place{}
		shown.Most = max(shown.Most, one.N)
		shown.Sources = append(shown.Sources, one)
	}
	shown.Ranges = v.ranges()
	return s.render(w, "sources", shown)
}

// Seen writes when a source was seen. Of long spans only the day is known of some, and its beginning stands for it.
func (v sourcesView) Seen(t time.Time) template.HTML {
	if begin := after(t, day, v.zone).AddDate(0, 0, -1); begin.Equal(t) {
		return v.Day(t)
	}
	return v.Moment(t)
}

func (s *Server) sourceView(source Source) sourceView {
	one := sourceView{Source: source}
	if source.Prefix.IsSingleIP() {
		one.Network = networkOf(source.Prefix.Addr())
	}
	if isNarrow(source.Prefix) {
		one.Place = s.place(source.Prefix.Addr())
	}
	return one
}

func (s *Server) sourcePage(w http.ResponseWriter, r *http.Request) error {
	prefix, err := parseSource(r.PathValue("source"))
	if err != nil {
		return badRequest{err}
	}
	source, err := s.options.History.Source(r.Context(), prefix)
	if err != nil {
		return err
	}
	source.Prefix = prefix
	query := r.URL.Query()
	query.Set("source", sourceText(prefix))
	v, err := s.parseView(query, s.rangeSince(source.First))
	if err != nil {
		return err
	}
	shown, err := s.past(r, v, sourceText(prefix), "sources")
	if err != nil {
		return err
	}
	one := s.sourceView(source)
	shown.Source = &one
	shown.Chosen = nil
	return s.render(w, "history", shown)
}

// rangeSince is the range that a page opens with of which the first event is known: the shortest that has it, but no
// minutes, which nobody would compare.
func (s *Server) rangeSince(first time.Time) string {
	for _, r := range ranges[1:] {
		if one, err := span(r.Name, s.options.Now(), s.options.Zone()); err == nil && !first.Before(one.From) {
			return r.Name
		}
	}
	return ranges[len(ranges)-1].Name
}

func (s *Server) userPage(w http.ResponseWriter, r *http.Request) error {
	v, err := s.parseView(r.URL.Query(), "90d")
	if err != nil {
		return err
	}
	if v.User == "" {
		return badRequest{fmt.Errorf("a user's page needs a name: /user?user=root")}
	}
	shown, err := s.past(r, v, "User name", "sources")
	if err != nil {
		return err
	}
	shown.Chosen = nil
	return s.render(w, "history", shown)
}
