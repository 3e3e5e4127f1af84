package history

import (
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// Roll-ups change in the transaction of their events, so they are exact: the days of all time add up to the
// totals. Hours of which only the day's total is known, from a file of an earlier version or a damaged one,
// are counted at that day's midnight; days that damage made unknown, at the beginning of 1970.

// rollups collects what one transaction adds.
type rollups struct {
	zone  *time.Location
	hour  int64 // of the events that are added now
	lists naming
}

// begin says when the events that are added next arrived, in the history's zone, and how many they are.
func (r *rollups) begin(at time.Time, events int) {
	r.zone, r.hour = at.Location(), startOf(at, hour)
	r.lists.begin(startOf(at, minute), events)
}

// maxKeys bounds the counters, and the machines, of one agent that have charts of their own.
const maxKeys = 64

// crowd bounds what has names of its own in the list of machines. Only the writer uses it.
type crowd struct {
	keys map[crowded]map[string]bool
}

// crowded is whose keys are bounded together: an agent's counters, or its machines.
type crowded struct {
	agent   int64
	counter bool
}

// key returns the key of an agent's counter, or else the machine that wrote the line; nothing if there are too
// many.
func (c *crowd) key(agent int64, kind attack.Kind, host string, detail attack.Detail) string {
	count, counter := detail.(attack.Count)
	counter = counter && kind == attack.Counter
	key := host
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

// rollupTable is that of roll-ups, from version 4 to 7: a row for each agent, kind and key.
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
