package history

import (
	"context"
	"database/sql"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// Dimension is what a list of the most frequent is of.
type Dimension string

// The dimensions.
const (
	Agents   Dimension = "agents"
	Kinds    Dimension = "kinds"
	Networks Dimension = "networks"
	Sources  Dimension = "sources"
	Users    Dimension = "users"
	Targets  Dimension = "targets"
	Hosts    Dimension = "hosts" // machines that agents read the lines of
	Counters Dimension = "counters"
)

// Dimensions lists all of them.
func Dimensions() []Dimension {
	return []Dimension{Sources, Networks, Users, Targets, Agents, Hosts, Kinds, Counters}
}

// Ranking is a list of the most frequent.
type Ranking struct {
	Names  []Tally `json:"names"`
	Others uint64  `json:"others,omitempty"` // attempts of names that were too many to be kept apart
	Newest bool    `json:"newest,omitempty"` // only the newest 200,000 events of the span were looked at
}

// Top lists the most frequent names, the most frequent first: at most limit. See [History.Rank].
func (h *History) Top(ctx context.Context, by Dimension, filter Filter, limit int) ([]Tally, error) {
	ranking, err := h.Rank(ctx, by, filter, limit)
	return ranking.Names, err
}

// listOf says which lists of names dimensions come from.
var listOf = map[Dimension]nameKind{Networks: networkNames, Sources: addressNames, Users: userNames, Targets: targetNames}

// Rank ranks names by attempts, the most frequent first: at most limit. Only attempts count, except for
// counters, and tests do not. Roll-ups answer: by minutes as far as these are kept, which is two days, and
// before by full hours. What a filter asks of users by their source, or the other way round, or of a
// machine, comes from the newest 200,000 events of the hours in which it was seen.
func (h *History) Rank(ctx context.Context, by Dimension, filter Filter, limit int) (ranking Ranking, err error) {
	err = h.View(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		ranking, err = h.lists(tx).rank(ctx, by, filter, limit)
		return err
	})
	return ranking, err
}

func (r *reading) rank(ctx context.Context, by Dimension, filter Filter, limit int) (Ranking, error) {
	t := newTallies()
	newest, err := r.tally(ctx, t, by, filter)
	return Ranking{t.list(limit), t.others, newest}, err
}

// tally adds up by a dimension. It says whether only the newest events were looked at.
func (r *reading) tally(ctx context.Context, t *tallies, by Dimension, filter Filter) (newest bool, err error) {
	h, tx := r.h, r.tx
	filtered, _ := filter.listing()
	listed := listOf[by]
	all := filter.User == "" && filter.Host == "" && !filter.Source.IsValid()
	switch {
	case by == Counters:
		return false, r.tallyCounted(ctx, t, filter, func(of Counted) string { return of.Key })
	case all && by == Hosts:
		return false, r.tallyCounted(ctx, t, filter, attempted(func(of Counted) string { return of.Host }))
	case all && by == Agents:
		return false, r.tallyCounted(ctx, t, filter, attempted(func(of Counted) string { return of.Agent }))
	case all && by == Kinds:
		return false, r.tallyCounted(ctx, t, filter, attempted(func(of Counted) string { return of.Kind.String() }))
	case by != Agents && by != Kinds && by != Hosts && listed == 0:
		return false, fmt.Errorf("there is no list of the most frequent %q", by)
	case all, filtered == networkNames && by == Networks, (filtered == networkNames || filtered == addressNames) && by == Sources:
		if err := r.tallyNames(ctx, t, listed, filter); err != nil || !r.joined || filter.Agent == "" {
			return false, err
		}
	case filtered != 0 && listed == 0 && by != Hosts:
		if err := r.tallyGroups(ctx, t, by, filter); err != nil || !r.joined || filter.Agent == "" && by != Agents {
			return false, err
		}
	}
	*t = *newTallies() // lists do not tell
	return t.events(ctx, tx, h, by, filter)
}

// tallyNames counts the names of lists.
func (r *reading) tallyNames(ctx context.Context, t *tallies, what nameKind, filter Filter) error {
	of, err := r.chosen(ctx, filter)
	if err != nil {
		return err
	}
	in := func([]byte) bool { return true }
	if filter.Source.IsValid() {
		_, in = filter.listing()
	}
	counted := func(g group) bool { return attack.StoredKind(g.kind).Attempt() && of(g) }
	t.text = func(name string) string { return nameText(what, name) }
	return r.eachListed(ctx, what, filter.Span, dayLong, counted, func(_ int64, _ group, name []byte, sum Sum) {
		switch {
		case len(name) == 0:
			t.others += sum.Attempts
		case in(name):
			t.addBytes(name, sum.Attempts)
		}
	})
}

// tallyGroups counts the agents or kinds of a source or user.
func (r *reading) tallyGroups(ctx context.Context, t *tallies, by Dimension, filter Filter) error {
	agents, err := r.agentNames(ctx)
	if err != nil {
		return err
	}
	chosen, err := r.chosen(ctx, filter)
	if err != nil {
		return err
	}
	what, in := filter.listing()
	return r.eachListed(ctx, what, filter.Span, dayLong, chosen, func(_ int64, g group, name []byte, sum Sum) {
		if !in(name) {
			return
		}
		who := agents[g.agent]
		if by == Kinds {
			who = attack.StoredKind(g.kind).String()
		}
		t.add(who, g.kind, int64(sum.Attempts))
	})
}

// tallyCounted counts by what all that is counted is kept by. What a correction took away may be of another time
// than what it was taken from.
func (r *reading) tallyCounted(ctx context.Context, t *tallies, filter Filter, name func(Counted) string) (err error) {
	c := newCounting([]time.Time{time.Unix(begun, 0), time.Unix(1<<40, 0)}) // one bar
	if c.name, err = r.namer(ctx, name); err != nil {
		return err
	}
	if err = r.count(ctx, c, filter, dayLong); err != nil {
		return err
	}
	for _, sum := range c.list() {
		t.addBytes([]byte(sum.Name), sum.Attempts)
	}
	return nil
}

// attempted is a name of what counts attempts, none of all else.
func attempted(name func(Counted) string) func(Counted) string {
	return func(of Counted) string {
		if of.Kind.Attempt() {
			return name(of)
		}
		return ""
	}
}

// events looks at events.
func (t *tallies) events(ctx context.Context, tx querier, h *History, by Dimension, filter Filter) (more bool, err error) {
	column := map[Dimension]string{Sources: "source", Networks: "source", Users: "user", Targets: "detail", Agents: "CAST(agents.name AS BLOB)", Kinds: "x''", Hosts: "coalesce(machine, x'')"}[by]
	var raw []byte
	var kind, attempts int64
	return h.eachNewest(ctx, tx, filter, `SELECT `+column+`, kind, sum(count) FROM events JOIN agents ON agents.id = agent`, ` AND NOT test GROUP BY 1, 2`,
		[]any{&raw, &kind, &attempts}, func() { t.add(nameIn(by, raw, kind), kind, attempts) })
}

// nameIn returns the name of a dimension in an event's column.
func nameIn(by Dimension, raw []byte, kind int64) string {
	switch by {
	case Sources:
		if addr, ok := netip.AddrFromSlice(raw); ok {
			return addr.String()
		}
		return ""
	case Networks:
		addr, _ := netip.AddrFromSlice(raw)
		return networkName(addr)
	case Targets:
		detail, _ := decodeDetail(raw)
		return targetOf(detail)
	case Kinds:
		return attack.StoredKind(kind).String()
	default:
		return string(raw)
	}
}

// Find lists the users, or targets, whose name has a text in it, in small or capital letters, the
// most frequent first.
func (h *History) Find(ctx context.Context, by Dimension, text string, limit int) ([]Tally, error) {
	all, err := h.Top(ctx, by, Filter{}, maxScan)
	text = strings.ToLower(text)
	all = slices.DeleteFunc(all, func(t Tally) bool { return !strings.Contains(strings.ToLower(t.Name), text) })
	return all[:min(len(all), max(limit, 0))], err
}
