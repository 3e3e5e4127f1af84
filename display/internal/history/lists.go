package history

import (
	"cmp"
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"slices"
	"time"
)

// Lists are the roll-ups: what was counted in a minute, an hour and a day, by agent and kind and by name.
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

// listsTable holds lists, since version 7.
const listsTable = `
CREATE TABLE IF NOT EXISTS lists (
	what  INTEGER NOT NULL, -- 1 networks, 2 addresses, 3 users, 4 targets, 5 machines and counters
	step  INTEGER NOT NULL, -- 60, 600, 3600 or 86400 seconds
	start INTEGER NOT NULL, -- Unix time
	part  INTEGER NOT NULL, -- parts are added up; -1 is a list that was cut for its age
	list  BLOB NOT NULL,
	PRIMARY KEY (what, step, start, part)
) STRICT, WITHOUT ROWID;`

// longName is how many bytes of a name tell it apart.
const longName = 200

func cutName(name string) string { return name[:min(len(name), longName)] }

// listBytes is how long lists may get: those of an hour so much, those of a minute a quarter of it,
// those of a day twice as much. Under an attack that fills all of them they take at most half of
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

// long is how many bytes an entry takes in a list, at most.
func (e *entry) long() int {
	return 2 + len(e.name) + (bits.Len64(e.Events|1)+6)/7 + (bits.Len64(e.Attempts|1)+6)/7
}

// cut leaves those with the most attempts, of all groups, in at most so many bytes, if the kind is cut. Among equals chance
// decides, anew each time: nobody can choose a name that is always left out.
func (l nameList) cut(what nameKind, most int) {
	if !what.isCut() {
		return
	}
	if whole := l.long(); whole <= most {
		return
	} else if groups := most / 4 / groupLong; len(l) > groups {
		l.join(groups)
	}
	var longs [many + 1]int // bytes of those with so many attempts
	room := max(most-groupLong*len(l), 0)
	whole := 0
	for _, n := range l {
		for i := range n.entries {
			if e := &n.entries[i]; e.name != "" {
				longs[min(e.Attempts, many)] += e.long()
				whole += e.long()
			}
		}
	}
	if whole <= room {
		return
	}
	// Those with more attempts than least have room, those with as many only in part.
	least := uint64(many)
	for least > 0 && longs[least] <= room {
		room -= longs[least]
		least--
	}
	equal := longs[least]
	if least == many {
		least, equal, room = l.leastOfMany(room)
	}
	chance := float64(room) / float64(max(equal, 1))
	for _, n := range l {
		var rest Sum
		kept := make([]entry, 0, len(n.entries)/2)
		for i := range n.entries {
			e := &n.entries[i]
			switch {
			case e.name == "" || e.Attempts < least:
				rest = rest.with(e.Sum)
			case e.Attempts > least:
				kept = append(kept, *e)
			case room >= e.long() && rand.Float64() < chance:
				room -= e.long()
				kept = append(kept, *e)
			default:
				rest = rest.with(e.Sum)
			}
		}
		if rest != (Sum{}) {
			kept = append(kept, entry{"", rest})
		}
		n.entries, n.index = kept, nil
	}
}

// long is how many bytes a list takes, at most about.
func (l nameList) long() int {
	whole := groupLong * len(l)
	for _, n := range l {
		for i := range n.entries {
			whole += n.entries[i].long()
		}
	}
	return whole
}

// join leaves so many groups of agents of their own, those with the most attempts, so that agents by the thousand
// leave room for names. The others become groups of no agent: what they did is known, but not to whom.
func (l nameList) join(groups int) {
	type size struct {
		group
		attempts uint64
	}
	var sizes []size
	for g, n := range l {
		one := size{group: g}
		for i := range n.entries {
			one.attempts += n.entries[i].Attempts
		}
		if g.agent != noAgent {
			sizes = append(sizes, one)
		}
	}
	slices.SortFunc(sizes, func(a, b size) int {
		return cmp.Or(cmp.Compare(b.attempts, a.attempts), a.compare(b.group))
	})
	for _, one := range sizes[min(groups, len(sizes)):] {
		from, to := l[one.group], l.of(group{noAgent, one.kind})
		for i := range from.entries {
			to.add(from.entries[i].name, from.entries[i].Sum)
		}
		delete(l, one.group)
	}
}

// noAgent is the agent of what is known of several together.
const noAgent = 0

// many is from which number of attempts on names are sorted to find those with the most.
const many = 255

// groupLong is how many bytes a group takes beside its names, at most about.
const groupLong = 16

// leastOfMany returns with how many attempts names have room in part, how long these are together, and
// the room that those with more leave.
func (l nameList) leastOfMany(room int) (least uint64, equal, left int) {
	var all []*entry
	for _, n := range l {
		for i := range n.entries {
			if e := &n.entries[i]; e.name != "" && e.Attempts >= many {
				all = append(all, e)
			}
		}
	}
	slices.SortFunc(all, func(a, b *entry) int { return cmp.Compare(b.Attempts, a.Attempts) })
	for i := 0; i < len(all); room -= equal {
		least, equal = all[i].Attempts, 0
		for ; i < len(all) && all[i].Attempts == least; i++ {
			equal += all[i].long()
		}
		if equal > room {
			break
		}
	}
	return least, equal, room
}

// append writes a list: of each group its agent, kind and number of entries, and of each entry its
// name with its length, its events and its attempts. Groups are in order, so that who counts by agents finds those of
// one list after each other beside each other. Two lists after each other are a list.
func (l nameList) append(b []byte) []byte {
	groups := make([]group, 0, len(l))
	for g := range l {
		groups = append(groups, g)
	}
	slices.SortFunc(groups, group.compare)
	for _, g := range groups {
		n := l[g]
		b = binary.AppendUvarint(b, uint64(g.agent))
		b = binary.AppendUvarint(b, uint64(g.kind))
		b = binary.AppendUvarint(b, uint64(len(n.entries)))
		for i := range n.entries {
			e := &n.entries[i]
			b = binary.AppendUvarint(b, uint64(len(e.name)))
			b = append(b, e.name...)
			b = binary.AppendUvarint(b, e.Events)
			b = binary.AppendUvarint(b, e.Attempts)
		}
	}
	return b
}

// listReader reads a list. Of a damaged one it reads what comes before the damage.
type listReader struct{ rest []byte }

// number reads a number. Where there is none, it is 0 and the list ends.
func (l *listReader) number() uint64 {
	if len(l.rest) > 0 && l.rest[0] < 0x80 { // as most are
		n := l.rest[0]
		l.rest = l.rest[1:]
		return uint64(n)
	}
	return l.long()
}

func (l *listReader) long() uint64 {
	n, size := binary.Uvarint(l.rest)
	if size <= 0 {
		l.rest = nil
		return 0
	}
	l.rest = l.rest[size:]
	return n
}

// eachName reads a list, as far as it is intact.
func eachName(list []byte, chosen func(g group) bool, row func(g group, name []byte, sum Sum)) {
	l := listReader{list}
	for len(l.rest) > 0 {
		g := group{int64(l.number()), int64(l.number())}
		wanted := chosen == nil || chosen(g)
		for n := l.number(); n > 0; n-- {
			long := l.number()
			if long >= uint64(len(l.rest)) { // two numbers follow
				return
			}
			name := l.rest[:long]
			l.rest = l.rest[long:]
			sum := Sum{l.number(), 0}
			if len(l.rest) == 0 {
				return
			}
			if sum.Attempts = l.number(); wanted {
				row(g, name, sum)
			}
		}
	}
}

// read adds a stored list.
func (l nameList) read(list []byte) {
	var last group
	var n *names
	eachName(list, nil, func(g group, name []byte, sum Sum) {
		if n == nil || g != last {
			last, n = g, l.of(g)
		}
		n.addBytes(name, sum)
	})
}

// listed says until when the lists of each of the steps are made of shorter ones.
type listed [len(steps)]int64

// begun is before all that is listed.
const begun = -1 << 40

// hoursListed is how long lists of hours are kept as they are; then they are cut to an eighth.
const hoursListed = 90 * 24 * time.Hour
