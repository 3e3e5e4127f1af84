package history

import (
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// Roll-ups are what charts are made of: the events and attempts of each minute, ten minutes and
// hour, by agent, kind and test, and by the machine that wrote the line or the key of a counter; and
// lists of what they name (lists.go). They change in the transaction of their events, so they are
// exact: the hours of all time add up to the totals. Hours of which only the day's total is known, from
// a file of an earlier version or a damaged one, are counted at that day's midnight; days that damage
// made unknown, at the beginning of 1970.

// maxKeys bounds the counters, and the machines, of one agent that have charts of their own.
const maxKeys = 64

// rolled is what a row of a roll-up is kept by.
type rolled struct {
	step, start int64
	route
	key string // of a counter; of any other kind the machine that wrote the line
}

// inMinute is what one transaction collects by: longer steps are made of minutes.
type inMinute struct {
	minute int64
	route
	key string
}

// rollups collects what one transaction adds.
type rollups struct {
	zone    *time.Location
	minute  int64 // of the events that are added now
	hour    int64
	minutes map[inMinute]*Sum
	row     inMinute // that was added to last: an attack's events are alike
	sum     *Sum     // of it
	lists   naming
}

func newRollups() rollups { return rollups{minutes: make(map[inMinute]*Sum)} }

// begin says when the events that are added next arrived, in the history's zone, and how many they are.
func (r *rollups) begin(at time.Time, events int) {
	r.zone, r.minute, r.hour = at.Location(), startOf(at, minute), startOf(at, hour)
	r.lists.begin(r.minute, events)
}

// add adds an event.
func (r *rollups) add(to route, key string, sum Sum) {
	if row := (inMinute{r.minute, to, key}); r.sum == nil || row != r.row {
		if r.row, r.sum = row, r.minutes[row]; r.sum == nil {
			r.sum = new(Sum)
			r.minutes[row] = r.sum
		}
	}
	*r.sum = r.sum.plus(sum)
}

// steps returns what is added to each step.
func (r *rollups) steps() map[rolled]Sum {
	all := make(map[rolled]Sum, len(steps)*len(r.minutes))
	for in, sum := range r.minutes {
		for _, step := range steps {
			at := rolled{step.long, startOf(time.Unix(in.minute, 0).In(r.zone), step.long), in.route, in.key}
			all[at] = all[at].plus(*sum)
		}
	}
	return all
}

// crowd bounds what has rows of its own in the roll-ups. Only the writer uses it.
type crowd struct {
	keys map[crowded]map[string]bool
}

// crowded is whose keys are bounded together: an agent's counters, or its machines.
type crowded struct {
	agent   string
	counter bool
}

// key returns the key of an agent's counter, or else the machine that wrote the line; nothing if there are too
// many.
func (c *crowd) key(agent string, e *attack.Event) string {
	count, counter := e.Detail.(attack.Count)
	counter = counter && e.Kind == attack.Counter
	key := e.Host
	if counter {
		key = count.Key
	}
	if key == "" {
		return ""
	}
	if c.keys == nil {
		c.keys = make(map[crowded]map[string]bool)
	}
	of := crowded{agent, counter}
	known := c.keys[of]
	switch {
	case known[key]:
	case len(known) >= maxKeys:
		return ""
	case known == nil:
		c.keys[of] = map[string]bool{key: true}
	default:
		known[key] = true
	}
	return key
}

// putRollups adds what was collected to the file.
func (s *store) putRollups(r *rollups, agents map[string]agent) error {
	for at, sum := range r.steps() {
		if err := s.addRollup(at, agents[at.agent].id, int64(sum.Events), int64(sum.Attempts)); err != nil {
			return err
		}
	}
	return nil
}

// addRollup adds to one row. A correction takes attempts away.
func (s *store) addRollup(at rolled, agentID, events, attempts int64) error {
	return s.exec(`INSERT INTO rollups (step, start, agent, kind, test, key, events, attempts) VALUES (?1,?2,?3,?4,?5,?6,?7,min(?8,?9))
		ON CONFLICT DO UPDATE SET events=min(events+excluded.events,?9), attempts=min(attempts+excluded.attempts,?9)`,
		at.step, at.start, agentID, int64(at.kind), flag(at.test), []byte(at.key), events, attempts, int64(maxDay))
}

// forgetRollups deletes the steps that are older than they are kept.
func (s *store) forgetRollups(now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, step := range steps {
		if step.kept > 0 {
			if err := s.exec(`DELETE FROM rollups WHERE step = ? AND start < ?`, step.long, now.Add(-step.kept).Unix()); err != nil {
				return err
			}
		}
	}
	return nil
}

// rollupTable is that of roll-ups, since version 4.
const rollupTable = `
CREATE TABLE IF NOT EXISTS rollups (
	step     INTEGER NOT NULL, -- 60, 600 or 3600 seconds
	start    INTEGER NOT NULL, -- Unix time
	agent    INTEGER NOT NULL,
	kind     INTEGER NOT NULL,
	test     INTEGER NOT NULL,
	key      BLOB NOT NULL, -- of a counter, else the machine that wrote the line
	events   INTEGER NOT NULL,
	attempts INTEGER NOT NULL, -- or what is counted
	PRIMARY KEY (step, start, agent, kind, test, key)
) STRICT, WITHOUT ROWID;`
