package history

import (
	"cmp"
	"context"
	"database/sql"
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

// Tests returns how many attempts of tests are committed: what does not light for an attack.
func (h *History) Tests() (attempts uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for at, sum := range h.known.totals {
		if at.test || at.kind == attack.Test {
			attempts += sum.Attempts
		}
	}
	return attempts
}

// TotalsOn returns the committed totals of one day of the history's zone, by arrival.
func (h *History) TotalsOn(ctx context.Context, day time.Time) ([]Total, error) {
	year, month, date := day.In(h.options.Zone()).Date()
	from := time.Date(year, month, date, 0, 0, 0, 0, h.options.Zone())
	return h.totalsIn(ctx, Span{from, from.AddDate(0, 0, 1)})
}

// totalsIn returns what was counted in some time.
func (h *History) totalsIn(ctx context.Context, span Span) ([]Total, error) {
	totals := make(map[totalKey]Sum)
	err := h.View(ctx, func(ctx context.Context, tx *sql.Tx) error {
		lists := h.lists(tx)
		agents, err := lists.agentNames(ctx)
		if err != nil {
			return err
		}
		return lists.each(ctx, machineNames, span, dayLong, func(one listRow) {
			eachName(one.list, nil, func(g group, _ []byte, sum Sum) {
				to := totalKey{agents[g.agent], attack.StoredKind(g.kind &^ testKind), g.kind&testKind != 0}
				totals[to] = totals[to].with(sum)
			})
		})
	})
	for to, sum := range totals { // a correction may take away more than the day had
		totals[to] = sum.shown()
	}
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
