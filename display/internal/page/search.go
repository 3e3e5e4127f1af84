package page

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/pialert/pialert/pkg/attack"
)

// searchView is what was found.
type searchView struct {
	head
	Found []top
	View  view
}

func (s *Server) searchPage(w http.ResponseWriter, r *http.Request) error {
	text := strings.TrimSpace(r.FormValue("q"))
	if prefix, err := parseSource(text); err == nil {
		http.Redirect(w, r, sourcePath(prefix), http.StatusSeeOther)
		return nil
	}
	if len(text) > attack.MaxText {
		return badRequest{fmt.Errorf("the text to look for is too long")}
	}
	shown := searchView{head: s.head(r, "Search", "")}
	shown.Search = text
	v, err := s.parseView(url.Values{}, "90d")
	if err != nil {
		return err
	}
	shown.View = v
	if text == "" {
		return s.render(w, "search", shown)
	}
	for _, list := range []top{{Title: "User names", By: ByUser}, {Title: "Targets", By: ByTarget}} {
		if list.Names, err = s.options.History.Find(r.Context(), list.By, text, 50); err != nil {
			return err
		}
		if len(list.Names) > 0 {
			list.Most = list.Names[0].N
			shown.Found = append(shown.Found, list)
		}
	}
	state, err := s.options.State(r.Context())
	if err != nil {
		return err
	}
	agents, kinds := top{Title: "Agents", By: ByAgent}, top{Title: "Kinds", By: ByKind}
	for _, agent := range state.Agents {
		if strings.Contains(agent.Name, text) {
			agents.Names, agents.Most = append(agents.Names, Tally{agent.Name, agent.Total}), max(agents.Most, agent.Total)
		}
	}
	for _, kind := range attack.Kinds() {
		if strings.Contains(kindWords(kind), strings.ReplaceAll(text, "_", " ")) {
			kinds.Names = append(kinds.Names, Tally{Name: kind.String()})
		}
	}
	for _, list := range []top{agents, kinds} {
		if len(list.Names) > 0 {
			list.Names = list.Names[:min(len(list.Names), 50)]
			shown.Found = append(shown.Found, list)
		}
	}
	return s.render(w, "search", shown)
}
