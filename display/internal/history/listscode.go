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

// listRow is a list with the step that it is of.
type listRow struct {
	stretch
	list []byte // only until the next one; of the name alone that is asked for, if there is only one
	out  bool   // it may have left out that name
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

// entry reads what is counted under one name; ok is false where a damaged list ends.
func (l *listReader) entry() (name []byte, sum Sum, ok bool) {
	if rest := l.rest; len(rest) > 0 && rest[0] < 0x80 {
		if end := 1 + int(rest[0]); end+1 < len(rest) && rest[end]|rest[end+1] < 0x80 { // as most are
			l.rest = rest[end+2:]
			return rest[1:end], Sum{uint64(rest[end]), uint64(rest[end+1])}, true
		}
	}
	long := l.number()
	if long >= uint64(len(l.rest)) { // two numbers follow
		l.rest = nil
		return nil, Sum{}, false
	}
	name, l.rest = l.rest[:long], l.rest[long:]
	if sum.Events = l.number(); len(l.rest) == 0 {
		return nil, Sum{}, false
	}
	sum.Attempts = l.number()
	return name, sum, true
}

// mayHave says whether a list has a name that is chosen, or may have left it out.
func mayHave(list []byte, in func(name []byte) bool) (may bool) {
	intact := eachName(list, nil, func(_ group, name []byte, _ Sum) { may = may || len(name) == 0 || in(name) })
	return may || !intact
}

// find returns what a list counts under one name, as a list, and whether it may have left out names. exact is how lists
// write the name.
func find(list, exact []byte) (found []byte, out bool) {
	has := bytes.Contains(list, exact) // perhaps by chance
	wanted := nameOf(exact)
	l := listReader{list}
	for len(l.rest) > 0 {
		agent, kind := l.number(), l.number()
		for n := l.number(); n > 0; n-- {
			name, sum, ok := l.entry()
			if !ok {
				return found, true
			}
			out = out || len(name) == 0
			if has && bytes.Equal(name, wanted) {
				for _, n := range []uint64{agent, kind, 1} {
					found = binary.AppendUvarint(found, n)
				}
				found = binary.AppendUvarint(append(found, exact...), sum.Events)
				found = binary.AppendUvarint(found, sum.Attempts)
			}
		}
	}
	return found, out
}

// nameOf returns the name that lists write exactly so.
func nameOf(exact []byte) []byte {
	_, long := binary.Uvarint(exact)
	return exact[long:]
}

// eachName reads a list, as far as it is intact, and says whether it is.
func eachName(list []byte, chosen func(g group) bool, row func(g group, name []byte, sum Sum)) (intact bool) {
	l := listReader{list}
	for len(l.rest) > 0 {
		g := group{int64(l.number()), int64(l.number())}
		wanted := chosen == nil || chosen(g)
		for n := l.number(); n > 0; n-- {
			name, sum, ok := l.entry()
			if !ok {
				return false
			}
			if wanted {
				row(g, name, sum)
			}
		}
	}
	return true
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
