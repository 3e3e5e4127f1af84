package history

import (
	"cmp"
	"slices"
	"time"
)

// Lists are the roll-ups: what was counted in a minute, an hour, a day and a month, by agent and kind and by name.
// One list has all that was counted, by the machine that wrote the line or the key of a counter: charts are
// made of it. The others have the networks, addresses, user names and targets that the events named: whoever
// asks for the most frequent, or for a chart of one of them, is answered from those. How long lists are
// kept says [steps]; hours of names of more than 90 days hold less.
//
// A commit adds a part to the lists of its minute, in its own transaction: one row for each of the
// five, however many agents and names it has. Upkeep makes one part of several, and the list of a longer
// step of those of the shorter ones once it is over.
//
// A list of names takes a bounded number of bytes, since whoever attacks chooses the names. Those with the most
// attempts stay; what the others had is counted as of none, so that a list always adds up. The list of
// everything is never cut: the days of all time add up to the totals.

// nameKind is what a list is of.
type nameKind int64

const (
	networkNames nameKind = 1 + iota // the first 3 or 8 bytes of an address
	addressNames                     // 4 or 16 bytes
	userNames
	targetNames
	machineNames // of a counter its key; the empty name is the agent itself
	nameKinds    = iota
)

// isCut says whether lists of a kind are bounded by leaving out names. Those of machines are bounded by
// [maxKeys] and [MaxAgents], and leave out nothing.
func (k nameKind) isCut() bool { return k != machineNames }

// has says whether there are lists of a step: names are not kept by ten minutes, nobody ranks those.
func (k nameKind) has(step int64) bool { return k == machineNames || step != tenMinutes }

// listsTable holds lists, from version 7 to 9; after that [listsAside] does.
const listsTable = `
CREATE TABLE IF NOT EXISTS lists (
	what  INTEGER NOT NULL, -- 1 networks, 2 addresses, 3 users, 4 targets, 5 machines and counters
	step  INTEGER NOT NULL, -- 60, 600, 3600, 86400 or 2678400 seconds
	start INTEGER NOT NULL, -- Unix time
	part  INTEGER NOT NULL, -- parts are added up; -1 is a list that was cut for its age
	list  BLOB NOT NULL,
	PRIMARY KEY (what, step, start, part)
) STRICT, WITHOUT ROWID;`

// listsAside holds lists since version 10, with a tree of their own for what they are found by: where a list stands in the
// tree that is searched, SQLite reads all of it for each step of the search.
const listsAside = `
ALTER TABLE lists RENAME TO lists_before;
CREATE TABLE lists (
	id    INTEGER PRIMARY KEY,
	what  INTEGER NOT NULL,
	step  INTEGER NOT NULL,
	start INTEGER NOT NULL,
	part  INTEGER NOT NULL,
	list  BLOB NOT NULL
) STRICT;
INSERT INTO lists (what, step, start, part, list) SELECT what, step, start, part, list FROM lists_before;
DROP TABLE lists_before;
CREATE UNIQUE INDEX lists_by_start ON lists (what, step, start, part);`

// longName is how many bytes of a name tell it apart.
const longName = 200

func cutName(name string) string { return name[:min(len(name), longName)] }

// listBytes is how long lists may get: those of an hour so much, those of a minute a quarter of it,
// those of a day twice and those of a month eight times as much. Under an attack that fills all of them they take at most half of
// what the history may in the first year.
func listBytes(most int64) int {
	if most <= 0 {
		return 64 << 10
	}
	return int(min(max(most>>15, 1<<10), 64<<10))
}

// group is what a list counts apart, beside names.
type group struct {
	agent int64 // its id
	kind  int64 // as it is stored; of tests, testKind besides
}

func (g group) compare(h group) int {
	return cmp.Or(cmp.Compare(g.agent, h.agent), cmp.Compare(g.kind, h.kind))
}

// testKind marks groups of tests: nothing counts them, but they are found.
const testKind = 1 << 40

// nameList is a list in memory.
type nameList map[group]*names

// names are counted in the order in which they were met. The empty name is all that have no entry of
// their own.
type names struct {
	index   map[string]int
	entries []entry
	room    int // for how many names there is to be room once there are some
}

// someNames is from how many names on room is made for all that are expected.
const someNames = 64

type entry struct {
	name string
	Sum
}

func (l nameList) of(g group) *names {
	n := l[g]
	if n == nil {
		n = new(names)
		l[g] = n
	}
	return n
}

func (n *names) add(name string, sum Sum) {
	if n.index == nil {
		n.reindex()
	}
	if i, ok := n.index[name]; ok {
		n.entries[i].Sum = n.entries[i].with(sum)
		return
	}
	n.addNew(name, sum)
}

// addNew adds a name that is not known.
func (n *names) addNew(name string, sum Sum) {
	if len(n.entries) == someNames && n.room > someNames {
		n.entries = slices.Grow(n.entries, n.room-someNames)
		n.reindex()
	}
	n.index[name] = len(n.entries)
	n.entries = append(n.entries, entry{name, sum})
}

func (n *names) reindex() {
	n.index = make(map[string]int, cap(n.entries))
	for i := range n.entries {
		n.index[n.entries[i].name] = i
	}
}

// addBytes is add without an allocation for a name that is known.
func (n *names) addBytes(name []byte, sum Sum) {
	if n.index == nil {
		n.reindex()
	}
	if i, ok := n.index[string(name)]; ok {
		n.entries[i].Sum = n.entries[i].with(sum)
		return
	}
	n.addNew(string(name), sum)
}

// listed says until when the lists of each of the steps are made of shorter ones.
type listed [len(steps)]int64

// begun is before all that is listed.
const begun = -1 << 40

// hoursListed is how long lists of hours are kept as they are; then they are cut to an eighth.
const hoursListed = 90 * 24 * time.Hour
