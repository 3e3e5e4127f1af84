package page

import (
	"net/http"

	"github.com/pialert/pialert/pkg/attack"
)

// countersView is what is counted besides attempts.
type countersView struct {
	head
	View   view
	Ranges []choice
	Chart  *chart
}

func (s *Server) countersPage(w http.ResponseWriter, r *http.Request) error {
	v, err := s.parseView(r.URL.Query(), "24h")
	if err != nil {
		return err
	}
	shown := countersView{head: s.head(r, "Counters", "counters"), View: v}
	if shown.Chart, err = s.chart(r.Context(), v, stack{name: Naming{Of: byCounter}, most: mostLines - 1, others: "others"}); err != nil {
		return err
	}
	shown.Ranges = v.ranges()
	return s.render(w, "counters", shown)
}

// byCounter stacks what is no attempt: visits by agent, and counters fed from outside by name.
func byCounter(of Counted) string {
	switch {
	case of.Key != "":
		return of.Key
	case of.Kind == attack.Visit:
		return "visits, " + of.Agent
	}
	return ""
}
