package history

import (
	"bytes"
	"encoding/binary"
	"slices"
)

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

// mayHave says whether a list has a name that is looked for, or may have left it out. exact is how the only such name is
// written, if that is known; else in is asked of each.
func mayHave(list, exact []byte, in func(name []byte) bool) bool {
	if exact != nil && bytes.Contains(list, exact) { // perhaps by chance
		return true
	}
	l := listReader{list}
	for len(l.rest) > 0 {
		l.number() // the agent
		l.number() // the kind
		for n := l.number(); n > 0; n-- {
			long := l.number()
			if long > uint64(len(l.rest)) {
				return false
			}
			if long == 0 || exact == nil && in(l.rest[:long]) {
				return true
			}
			l.rest = l.rest[long:]
			l.number() // events
			l.number() // attempts
			if len(l.rest) == 0 && n > 1 {
				return false
			}
		}
	}
	return false
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
