package lamp

import (
	"math"

	"github.com/pialert/pialert/pkg/attack"
)

// Tally is how often an agent reported a kind: of one machine or one counter if it names it, else of
// all that no other tally names.
type Tally struct {
	Agent string
	Kind  attack.Kind
	Count uint64
	Host  string
	Key   string
}

// source is what tallies are kept by. There are as many as paired agents times kinds, and maxNamed
// with the names of machines or counters.
type source struct {
	agent string
	kind  attack.Kind
	host  string
	key   string
}

// maxNamed bounds the tallies with names: whoever names machines could name ever new ones. What has no
// tally of its own is counted where the names are not known.
const maxNamed = 1 << 12

// sourceOf returns what an event is counted under.
func sourceOf(agent string, event *attack.Event) source {
	from := source{agent: agent, kind: event.Kind, host: event.Host}
	if count, ok := event.Detail.(attack.Count); ok && event.Kind == attack.Counter {
		from.key = count.Key
	}
	return from
}

// bounded returns the source with its names if there is room for a tally of its own.
func (t *Table) bounded(from source) source {
	if from.host == "" && from.key == "" {
		return from
	}
	if _, known := t.all[from]; !known {
		if t.apart >= maxNamed {
			return source{agent: from.agent, kind: from.kind}
		}
		t.apart++
	}
	return from
}

func (t *Tally) source() source {
	return source{agent: t.Agent, kind: t.Kind, host: t.Host, key: t.Key}
}

func add(tallies map[source]uint64, from source, count uint64) {
	tallies[from] = plus(tallies[from], count)
}

// plus adds without wrapping: a total that cannot grow any more stays where it is.
func plus(a, b uint64) uint64 {
	if a > math.MaxUint64-b {
		return math.MaxUint64
	}
	return a + b
}
