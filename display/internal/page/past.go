package page

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// How long lists are.
const (
	topLong    = 10  // of a list beside others
	eventsLong = 100 // events of one page
	sourceLong = 100 // sources of one page
)

// top is a list of the most frequent.
type top struct {
	Title  string
	By     Dimension
	Names  []Tally
	Most   uint64 // of the first, which the others are measured by
	Places map[string]Place
}

// historyView is a chart with what it is made of.
type historyView struct {
	head
	View   view
	Chart  *chart
	Tops   []top
	Rows   rowsView
	Older  string // address of the events before these; empty if there are none
	Agents []Agent
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

// sourceView is a source with what the owner's database says of it.
type sourceView struct {
	Source
	Place
	Network netip.Prefix
}

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
	shown := &historyView{head: s.head(r, title, here), View: v, Agents: state.Agents}
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
	for _, by := range []string{"lamp", "agent"} {
		value := by
		if by == "lamp" {
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

// tops are the lists beside a chart. What is filtered by needs no list.
func (s *Server) tops(ctx context.Context, v view) (all []top, err error) {
	for _, list := range []top{
		{Title: "Sources", By: BySource}, {Title: "Networks", By: ByNetwork}, {Title: "User names", By: ByUser},
		{Title: "Targets", By: ByTarget}, {Title: "Kinds", By: ByKind}, {Title: "Agents", By: ByAgent},
		{Title: "Countries", By: byCountry},
	} {
		switch {
		case v.Source.IsValid() && (list.By == BySource && v.Source.IsSingleIP() || list.By == ByNetwork || list.By == byCountry),
			v.User != "" && list.By == ByUser, v.Kind != 0 && list.By == ByKind, v.Agent != "" && list.By == ByAgent:
			continue
		}
		if list.By == byCountry {
			list.Names, err = s.countries(ctx, v)
		} else {
			list.Names, err = s.options.History.Top(ctx, list.By, v.Span, v.Filter, topLong)
		}
		if err != nil {
			return nil, err
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
	networks, err := s.options.History.Top(ctx, ByNetwork, v.Span, v.Filter, mostNetworks)
	sums := map[string]uint64{}
	for _, network := range networks {
		if prefix, err := netip.ParsePrefix(network.Name); err == nil {
			if country := s.place(prefix.Addr()).Country; country != "" {
				sums[country] += network.N
			}
		}
	}
	var tallies []Tally
	for country, n := range sums {
		tallies = append(tallies, Tally{country, n})
	}
	slices.SortFunc(tallies, func(a, b Tally) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Name, b.Name)) })
	return tallies[:min(len(tallies), topLong)], err
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
		return "/user?name=" + url.QueryEscape(name)
	case ByKind:
		return "/history" + v.Query("kind", name)
	case ByAgent:
		return "/history" + v.Query("agent", name)
	}
	return ""
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

// agentsView is the list of agents.
type agentsView struct {
	head
	State  State
	Delays map[string]time.Duration // by agent, between logged and stored; none if unknown
}

func (s *Server) agentsPage(w http.ResponseWriter, r *http.Request) error {
	state, err := s.options.State(r.Context())
	if err != nil {
		return err
	}
	shown := agentsView{head: s.head(r, "Agents", "agents"), State: state, Delays: map[string]time.Duration{}}
	for _, agent := range state.Agents {
		records, err := s.options.History.Events(r.Context(), Page{Filter: Filter{Agent: agent.Name}, Limit: delayOf})
		if err != nil {
			return err
		}
		if delay, ok := delay(records); ok {
			shown.Delays[agent.Name] = delay
		}
	}
	return s.render(w, "agents", shown)
}

// delayOf is how many of an agent's latest events its delay is taken of.
const delayOf = 50

// delay is the median time from an event's log line to its being stored.
func delay(records []Record) (time.Duration, bool) {
	var delays []time.Duration
	for _, record := range records {
		if logged := record.Event.Logged; !logged.IsZero() && record.Arrived.After(logged) {
			delays = append(delays, record.Arrived.Sub(logged))
		}
	}
	if len(delays) == 0 {
		return 0, false
	}
	slices.Sort(delays)
	return delays[len(delays)/2], true
}

// Delay writes an agent's delay, nothing if it is unknown. Most logs tell seconds only.
func (v agentsView) Delay(agent string) string {
	delay, ok := v.Delays[agent]
	switch {
	case !ok:
		return ""
	case delay < time.Second:
		return "below 1 s"
	}
	return delay.Round(time.Second).String()
}

// LampsOf returns the lamps that an agent lights.
func (v agentsView) LampsOf(agent Agent) (lamps []line) {
	for _, i := range agent.Lamps {
		if i >= 0 && i < len(v.State.Lamps) {
			lamps = append(lamps, line{Name: v.State.Lamps[i].Label, Class: fmt.Sprintf("lamp-%d", i)})
		}
	}
	return lamps
}

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
	if shown.Chart, err = s.chart(r.Context(), v, nil, byCounter); err != nil {
		return err
	}
	shown.Ranges = v.ranges()
	return s.render(w, "counters", shown)
}

// byCounter stacks what is no attempt: visits by agent, and counters fed from outside by name.
func byCounter(c Count) (string, string) {
	switch {
	case c.Key != "":
		return c.Key, ""
	case c.Kind == attack.Visit:
		return "visits, " + c.Agent, ""
	}
	return "", ""
}

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
			shown.Found = append(shown.Found, list)
		}
	}
	return s.render(w, "search", shown)
}
