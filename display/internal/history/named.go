package history

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// What lamps can choose by, beside agents and kinds, is counted once more by that: the machine that
// wrote a line, and the key of a counter. The rows of the hours are kept for as long as a day of any
// zone can reach back, those of all time, which begin at 0, for ever.
const namedTable = `
CREATE TABLE IF NOT EXISTS named (
	start    INTEGER NOT NULL,
	agent    INTEGER NOT NULL,
	kind     INTEGER NOT NULL,
	host     BLOB NOT NULL,
	key      BLOB NOT NULL,
	events   INTEGER NOT NULL,
	attempts INTEGER NOT NULL,
	PRIMARY KEY (start, agent, kind, host, key)
) STRICT, WITHOUT ROWID;`

const (
	// maxNamed bounds the rows of all time: whoever names machines could name ever new ones. Above it
	// new names count in the totals alone.
	maxNamed = 1 << 12
	// namedHours is for how many hours there are rows.
	namedHours = 72
)

// named is what a row is kept by, beside the hour.
type named struct {
	agent string
	kind  attack.Kind
	host  string
	key   string
}

// Named is what was counted of one kind from one agent, of a machine whose name the agent's lines
// have, or of one counter.
type Named struct {
	Agent string
	Kind  attack.Kind
	Host  string
	Key   string
	Sum
}

// name collects an event that has a name.
func (c *change) name(to totalKey, e *attack.Event, sum Sum) {
	at := named{agent: to.agent, kind: to.kind, host: e.Host}
	if count, ok := e.Detail.(attack.Count); ok && to.kind == attack.Counter {
		at.key = count.Key
	}
	if !to.test && (at.host != "" || at.key != "") {
		c.named[at] = c.named[at].plus(Sum{Events: sum.Events, Attempts: e.Count})
	}
}

// putNamed adds what was collected within an hour.
func (s *store) putNamed(rows map[named]Sum, hourStart int64, agents map[string]agent) error {
	if len(rows) == 0 {
		return nil
	}
	if err := s.exec(`DELETE FROM named WHERE start > 0 AND start < ?`, hourStart-namedHours*hour); err != nil {
		return err
	}
	for at, sum := range rows {
		for _, start := range []int64{0, hourStart} {
			err := s.exec(`INSERT INTO named SELECT ?1,?2,?3,?4,?5,min(?6,?8),min(?7,?8)
				WHERE EXISTS (SELECT 1 FROM named WHERE start = 0 AND agent = ?2 AND kind = ?3 AND host = ?4 AND key = ?5)
				OR (SELECT count(*) FROM named WHERE start = 0) < ?9
				ON CONFLICT DO UPDATE SET events=min(events+excluded.events,?8), attempts=min(attempts+excluded.attempts,?8)`,
				start, agents[at.agent].id, int64(at.kind), []byte(at.host), []byte(at.key),
				int64(sum.Events), int64(sum.Attempts), int64(maxDay), maxNamed)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// addNamed corrects the rows of a machine that has some, of an hour and of all time, but never below nothing.
func (s *store) addNamed(hourStart, agentID int64, at named, by int64) error {
	return s.exec(`UPDATE named SET attempts = min(max(attempts + ?1, 0), ?2) WHERE start IN (0, ?3) AND agent = ?4 AND kind = ?5 AND host = ?6`,
		by, int64(maxDay), hourStart, agentID, int64(at.kind), []byte(at.host))
}

// Named returns what was counted under names in all time, by agent, kind, host and key in that order.
func (h *History) Named(ctx context.Context) ([]Named, error) { return h.named(ctx, 0, 1) }

// NamedOn returns what was counted under names on one of the last days of the history's zone.
func (h *History) NamedOn(ctx context.Context, day time.Time) ([]Named, error) {
	year, month, date := day.In(h.options.Zone()).Date()
	from := time.Date(year, month, date, 0, 0, 0, 0, h.options.Zone())
	return h.named(ctx, from.Unix(), from.AddDate(0, 0, 1).Unix())
}

func (h *History) named(ctx context.Context, from, until int64) ([]Named, error) {
	var list []Named
	var agent string
	var host, key []byte
	var kind, events, attempts int64
	err := h.query(ctx, `SELECT agents.name, kind, named.host, named.key, sum(events), sum(attempts) FROM named
		JOIN agents ON agents.id = named.agent WHERE start >= ? AND start < ? GROUP BY 1, 2, 3, 4`,
		[]any{&agent, &kind, &host, &key, &events, &attempts}, func() {
			list = append(list, Named{agent, attack.StoredKind(kind), string(host), string(key), Sum{uint64(events), uint64(attempts)}})
		}, from, until)
	slices.SortFunc(list, func(a, b Named) int {
		return cmp.Or(cmp.Compare(a.Agent, b.Agent), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Host, b.Host), cmp.Compare(a.Key, b.Key))
	})
	return list, err
}
