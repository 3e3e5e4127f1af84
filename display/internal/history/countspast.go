package history

import (
	"context"
	"encoding/binary"
	"time"
)

// countOnce adds up all that was counted, into one bar. What is over is read as one list of each part.
func (r *reading) countOnce(ctx context.Context, c *counting, filter Filter) error {
	chosen, err := r.chosen(ctx, filter)
	if err != nil {
		return err
	}
	parts, err := r.parts(ctx, machineNames, filter.Span, monthLong)
	for _, part := range parts {
		if err != nil {
			return err
		}
		if part.step < hour {
			err = r.eachListedOf(ctx, []listPart{part}, chosen, c.add)
			continue
		}
		var list []byte
		if list, err = r.oneList(ctx, part); err == nil {
			eachName(list, func(g group) bool { return g.kind < testKind && chosen(g) }, func(g group, key []byte, sum Sum) { c.add(0, g, key, sum) })
		}
	}
	return err
}

// oneList returns what lists of machines add up to as one list.
func (r *reading) oneList(ctx context.Context, part listPart) ([]byte, error) {
	key := pastKey{listPart: part}
	if one, known := r.recall(key); known {
		return one.list, nil
	}
	c := newCounting(always())
	type at struct {
		group
		key string
	}
	var met []at
	c.of = func(g group, key string) int {
		met = append(met, at{g, key})
		return c.unnamed()
	}
	r.read = 0
	err := r.eachOf(ctx, []listPart{part}, func(one listRow) {
		eachName(one.list, nil, func(g group, key []byte, sum Sum) { c.add(0, g, key, sum) })
	})
	if err != nil {
		return nil, err
	}
	list := make([]byte, 0, 12*len(met))
	for i, at := range met {
		list = binary.AppendUvarint(list, uint64(at.agent))
		list = binary.AppendUvarint(list, uint64(at.kind))
		list = binary.AppendUvarint(list, 1)
		list = binary.AppendUvarint(list, uint64(len(at.key)))
		list = append(list, at.key...)
		list = binary.AppendUvarint(list, c.sums[i][0].Events)
		list = binary.AppendUvarint(list, c.sums[i][0].Attempts)
	}
	r.remember(key, remembered{list: list})
	return list, nil
}

// always is the bounds of one bar that has all.
func always() []time.Time { return []time.Time{time.Unix(begun, 0), time.Unix(1<<40, 0)} }

// countNamed adds up all that was counted, as count does, by a naming that is used again.
func (r *reading) countNamed(ctx context.Context, c *counting, span Span, longest int64, name Naming) error {
	parts, err := r.parts(ctx, machineNames, span, longest)
	for _, part := range parts {
		if err != nil {
			return err
		}
		if part.step < hour {
			err = r.eachListedOf(ctx, []listPart{part}, func(group) bool { return true }, c.add)
			continue
		}
		var unknown [][]time.Time // where lists begin after each other that nothing is known of, and the last ends
		zone := r.h.now().Location()
		for start, end := part.since, int64(0); start < part.until; start = end {
			end = endOf(start, part.step, zone)
			one, known := r.recall(pastKey{listPart{machineNames, stretch{part.step, start, end}}, name.As})
			switch last := len(unknown) - 1; {
			case known:
				c.addNamed(start, one.named)
			case last >= 0 && unknown[last][len(unknown[last])-1].Unix() == start:
				unknown[last] = append(unknown[last], time.Unix(end, 0))
			default:
				unknown = append(unknown, []time.Time{time.Unix(start, 0), time.Unix(end, 0)})
			}
		}
		for _, bounds := range unknown {
			if err == nil {
				err = r.nameLists(ctx, c, part.step, bounds, name)
			}
		}
	}
	return err
}

// nameLists adds up lists that begin at each of the bounds but the last, and keeps what they add up to.
func (r *reading) nameLists(ctx context.Context, c *counting, step int64, bounds []time.Time, name Naming) error {
	these := newCounting(bounds)
	if err := r.name(ctx, these, name.Of); err != nil {
		return err
	}
	r.read = 0
	all := listPart{machineNames, stretch{step, these.bounds[0], these.bounds[len(bounds)-1]}}
	if err := r.eachListedOf(ctx, []listPart{all}, func(group) bool { return true }, these.add); err != nil {
		return err
	}
	for bar := range len(bounds) - 1 {
		var named []namedSum
		for part, name := range these.names {
			if sum := these.sums[part][bar]; sum != (Sum{}) {
				named = append(named, namedSum{name, sum})
			}
		}
		c.addNamed(these.bounds[bar], named)
		if len(named) <= pastNames {
			key := listPart{machineNames, stretch{step, these.bounds[bar], these.bounds[bar+1]}}
			r.remember(pastKey{key, name.As}, remembered{named: named})
		}
	}
	return nil
}

// addNamed adds sums of the step that begins at start.
func (c *counting) addNamed(start int64, named []namedSum) {
	for _, one := range named {
		c.addTo(c.part(one.name), start, one.Sum)
	}
}
