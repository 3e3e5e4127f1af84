package page

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// agentsView is the list of agents.
type agentsView struct {
	head
	State  State
	Shown  []Agent
	Pages  []choice                 // of agents, if there are many
	Delays map[string]time.Duration // by agent, between logged and stored; none if unknown
}

func (s *Server) agentsPage(w http.ResponseWriter, r *http.Request) error {
	state, err := s.options.State(r.Context())
	if err != nil {
		return err
	}
	shown := agentsView{head: s.head(r, "Agents", "agents"), State: state, Delays: map[string]time.Duration{}}
	if shown.Shown, shown.Pages, err = agentsOn(state.Agents, r.URL.Query().Get("page")); err != nil {
		return err
	}
	records, err := s.options.History.Events(r.Context(), Page{Limit: delaysOf})
	if err != nil {
		return err
	}
	byAgent := map[string][]Record{}
	for _, record := range records {
		byAgent[record.Agent] = append(byAgent[record.Agent], record)
	}
	for agent, records := range byAgent {
		if delay, ok := delay(records); ok {
			shown.Delays[agent] = delay
		}
	}
	return s.render(w, "agents", shown)
}

// agentsLong is how many agents one page lists.
const agentsLong = 100

// agentsOn returns the agents of a page, and the pages that there are.
func agentsOn(agents []Agent, page string) (shown []Agent, pages []choice, err error) {
	number := 1
	if page != "" {
		number, _ = strconv.Atoi(page)
	}
	for part := range slices.Chunk(agents, agentsLong) {
		pages = append(pages, choice{part[0].Name, fmt.Sprintf("?page=%d", len(pages)+1), len(pages)+1 == number})
		if len(pages) == number {
			shown = part
		}
	}
	switch {
	case number < 1 || number > max(len(pages), 1):
		return nil, nil, badRequest{fmt.Errorf("there is no page %q of agents", page)}
	case len(pages) == 1:
		pages = nil
	}
	return shown, pages, nil
}

// delaysOf is how many of the latest events the delays are taken of. They are not looked for by agent: events have
// no index but their order, so the last ones of an agent that is quiet may be millions before.
const delaysOf = 1000

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
	for _, i := range v.State.LampsOf(agent.Name) {
		if i >= 0 && i < len(v.State.Lamps) {
			lamps = append(lamps, line{Name: v.State.Lamps[i].Label, Class: fmt.Sprintf("lamp-%d", i)})
		}
	}
	return lamps
}
