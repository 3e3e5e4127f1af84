package page

import (
	"fmt"
	"net/http"
	"net/netip"
)

// sourceView is a source with what the owner's database says of it.
type sourceView struct {
	Source
	Place
	Network netip.Prefix
}

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

func (s *Server) sourceView(source Source) sourceView {
	one := sourceView{Source: source}
	if source.Prefix.IsSingleIP() {
		one.Network = networkOf(source.Prefix.Addr())
	}
	one.Place = s.place(source.Prefix.Addr())
	return one
}

func (s *Server) sourcePage(w http.ResponseWriter, r *http.Request) error {
	prefix, err := parseSource(r.PathValue("source"))
	if err != nil {
		return badRequest{err}
	}
	query := r.URL.Query()
	query.Set("source", sourceText(prefix))
	v, err := s.parseView(query, "90d")
	if err != nil {
		return err
	}
	source, err := s.options.History.Source(r.Context(), prefix)
	if err != nil {
		return err
	}
	source.Prefix = prefix
	shown, err := s.past(r, v, sourceText(prefix), "sources")
	if err != nil {
		return err
	}
	one := s.sourceView(source)
	shown.Source = &one
	shown.Chosen = nil
	return s.render(w, "history", shown)
}

func (s *Server) userPage(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	if query.Get("name") == "" {
		return badRequest{fmt.Errorf("a user's page needs a name: /user?name=root")}
	}
	query.Set("user", query.Get("name"))
	v, err := s.parseView(query, "90d")
	if err != nil {
		return err
	}
	shown, err := s.past(r, v, "User name", "sources")
	if err != nil {
		return err
	}
	return s.render(w, "history", shown)
}
