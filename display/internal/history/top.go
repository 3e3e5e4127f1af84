package history

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"net/netip"
	"slices"
	"strings"

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
	Counters Dimension = "counters"
)

// Dimensions lists all of them.
func Dimensions() []Dimension {
	return []Dimension{Sources, Networks, Users, Targets, Agents, Kinds, Counters}
}

// Tally is a name and the attempts that it stands for.
type Tally struct {
	Name     string `json:"name"`
	Attempts uint64 `json:"attempts"`
}

// Top lists the most frequent names, the most frequent first: at most limit. Only attempts count,
// except for counters, and tests do not. Agents, kinds, networks and counters come from roll-ups,
// by full hours of the span; sources, users and targets, and whatever the filter asks of these, from
// the newest 200,000 events of it.
func (h *History) Top(ctx context.Context, by Dimension, filter Filter, limit int) ([]Tally, error) {
	t := newTallies()
	err := h.View(ctx, func(ctx context.Context, tx *sql.Tx) error {
		narrow := filter.User != "" || filter.Host != "" || filter.Source.IsValid() && !isRolled(filter.Source)
		switch {
		case by == Counters:
			return t.rolled(ctx, tx, "key", filter, "kind = ?", int64(attack.Counter))
		case narrow || by == Sources || by == Users || by == Targets:
			return t.events(ctx, tx, by, filter)
		case by == Networks || filter.Source.IsValid():
			return t.networks(ctx, tx, by, filter)
		case by == Agents:
			return t.rolled(ctx, tx, "agents.name", filter, "TRUE")
		case by == Kinds:
			return t.rolled(ctx, tx, "kind", filter, "TRUE")
		}
		return fmt.Errorf("there is no list of the most frequent %q", by)
	})
	return t.list(limit), err
}

// isRolled says whether networks have roll-ups that add up to a network.
func isRolled(network netip.Prefix) bool {
	if network.Addr().Is4() {
		return network.Bits() <= 8*bytes4
	}
	return network.Bits() <= 8*bytes6
}

// tallies adds attempts up by name.
type tallies struct{ sums map[string]uint64 }

func newTallies() tallies { return tallies{make(map[string]uint64)} }

func (t *tallies) add(name string, kind, attempts int64) {
	if k := attack.StoredKind(kind); name != "" && (k.Attempt() || k == attack.Counter) && attempts > 0 {
		t.sums[name] += uint64(attempts)
	}
}

func (t *tallies) list(limit int) []Tally {
	list := make([]Tally, 0, len(t.sums))
	for name, attempts := range t.sums {
		list = append(list, Tally{name, attempts})
	}
	slices.SortFunc(list, func(a, b Tally) int {
		return cmp.Or(cmp.Compare(b.Attempts, a.Attempts), cmp.Compare(a.Name, b.Name))
	})
	return list[:min(len(list), max(limit, 0))]
}

// unix returns the bounds of a span in Unix time, of which the first is rounded down to the hour.
func (s Span) unix() (since, until int64) {
	until = 1 << 62
	if !s.Until.IsZero() {
		until = s.Until.Unix()
	}
	if !s.Since.IsZero() {
		since = startOf(s.Since, hour)
	}
	return since, until
}

// rolled reads roll-ups by a column: hours, or the ten minutes or minutes of a short span.
func (t *tallies) rolled(ctx context.Context, tx querier, column string, filter Filter, condition string, value ...any) error {
	since, until := filter.unix()
	where, args := filter.rolled("WHERE step = ? AND start >= ? AND start < ? AND NOT test", []any{hour, since, until})
	where, args = where+" AND "+condition, append(args, value...)
	var raw any
	var kind, attempts int64
	return each(ctx, tx, `SELECT `+column+`, kind, sum(attempts) FROM rollups JOIN agents ON agents.id = agent `+where+` GROUP BY 1, 2`,
		[]any{&raw, &kind, &attempts}, func() {
			switch name := raw.(type) {
			case int64:
				if k := attack.StoredKind(name); k != attack.Counter {
					t.add(k.String(), kind, attempts)
				}
			case string:
				if attack.StoredKind(kind) != attack.Counter {
					t.add(name, kind, attempts)
				}
			case []byte:
				t.add(string(name), kind, attempts)
			}
		}, args...)
}

// networks reads the hours of networks.
func (t *tallies) networks(ctx context.Context, tx querier, by Dimension, filter Filter) error {
	since, until := filter.unix()
	where, args := filter.network("WHERE hour >= ? AND hour < ?", []any{since, until})
	var network []byte
	var kind, attempts int64
	var agent string
	column := map[Dimension]string{Networks: "network", Agents: "x''", Kinds: "x''"}[by]
	name := map[Dimension]string{Networks: "''", Agents: "agents.name", Kinds: "''"}[by]
	return each(ctx, tx, `SELECT `+column+`, `+name+`, kind, sum(attempts) FROM networks JOIN agents ON agents.id = agent `+where+` GROUP BY 1, 2, 3`,
		[]any{&network, &agent, &kind, &attempts}, func() {
			switch by {
			case Networks:
				t.add(networkName(network), kind, attempts)
			case Kinds:
				t.add(attack.StoredKind(kind).String(), kind, attempts)
			default:
				t.add(agent, kind, attempts)
			}
		}, args...)
}

// networkName writes a network that is stored as its first bytes.
func networkName(first []byte) string {
	whole := make([]byte, 16)
	switch len(first) {
	case bytes4:
		whole = whole[:4]
	case bytes6:
	default:
		return ""
	}
	copy(whole, first)
	addr, _ := netip.AddrFromSlice(whole)
	return netip.PrefixFrom(addr, 8*len(first)).String()
}

// events looks at events.
func (t *tallies) events(ctx context.Context, tx querier, by Dimension, filter Filter) error {
	where, args, err := filter.newest(ctx, tx)
	if err != nil {
		return err
	}
	column := map[Dimension]string{Sources: "source", Networks: "source", Users: "user", Targets: "detail", Agents: "CAST(agents.name AS BLOB)", Kinds: "x''"}[by]
	var raw []byte
	var kind, attempts int64
	return each(ctx, tx, `SELECT `+column+`, kind, sum(count) FROM events JOIN agents ON agents.id = agent `+where+` AND NOT test GROUP BY 1, 2`,
		[]any{&raw, &kind, &attempts}, func() { t.add(nameIn(by, raw, kind), kind, attempts) }, args...)
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
		from := networkOf(addr)
		return networkName(from.bytes[:from.long])
	case Targets:
		detail, _ := decodeDetail(raw)
		return targetOf(detail)
	case Kinds:
		return attack.StoredKind(kind).String()
	default:
		return string(raw)
	}
}

// targetOf returns what an attack was at: a web page, or the user that somebody wanted to become.
func targetOf(detail attack.Detail) string {
	switch d := detail.(type) {
	case attack.HTTP:
		return d.Target
	case attack.Local:
		return d.Target
	}
	return ""
}

// Find lists the users, or targets, whose name has a text in it, in small or capital letters, the
// most frequent first, among the newest 200,000 events.
func (h *History) Find(ctx context.Context, by Dimension, text string, limit int) ([]Tally, error) {
	all, err := h.Top(ctx, by, Filter{}, maxScan)
	text = strings.ToLower(text)
	all = slices.DeleteFunc(all, func(t Tally) bool { return !strings.Contains(strings.ToLower(t.Name), text) })
	return all[:min(len(all), max(limit, 0))], err
}
