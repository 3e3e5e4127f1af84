package history

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// Committed returns the highest number of an agent's epoch that is committed, 0 if none is.
func (h *History) Committed(_ context.Context, agent string, epoch uint64) (uint64, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.known.marks[stream{agent, epoch}].committed, nil
}

// Totals returns the committed totals of all time, by agent, kind and test in that order.
func (h *History) Totals(context.Context) ([]Total, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return listTotals(h.known.totals), nil
}

// TotalsOn returns the committed totals of one day of the history's zone, by arrival.
func (h *History) TotalsOn(ctx context.Context, day time.Time) ([]Total, error) {
	year, month, date := day.In(h.options.Zone()).Date()
	from := time.Date(year, month, date, 0, 0, 0, 0, h.options.Zone())
	totals := make(map[route]Sum)
	var name string
	var kind, test, events, attempts int64
	err := h.query(ctx, `SELECT agents.name, kind, test, sum(events), sum(attempts) FROM rollups
		JOIN agents ON agents.id = rollups.agent WHERE step = ? AND start >= ? AND start < ? GROUP BY 1, 2, 3`,
		[]any{&name, &kind, &test, &events, &attempts}, func() {
			// A correction may take away more than the day had.
			totals[route{name, attack.StoredKind(kind), test != 0}] = Sum{uint64(max(events, 0)), uint64(max(attempts, 0))}
		}, hour, from.Unix(), from.AddDate(0, 0, 1).Unix())
	return listTotals(totals), err
}

// Agent is what the history knows of an agent.
type Agent struct {
	Name    string    `json:"name"`
	Heard   time.Time `json:"heard,omitzero"` // as of the last commit
	Dropped Sum       `json:"dropped"`        // what the agent said that it had to drop
}

// Agents returns every agent that ever sent an event, by name.
func (h *History) Agents() []Agent {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := make([]Agent, 0, len(h.known.agents))
	for name, a := range h.known.agents {
		list = append(list, Agent{name, a.heard, a.dropped})
	}
	slices.SortFunc(list, func(a, b Agent) int { return cmp.Compare(a.Name, b.Name) })
	return list
}
