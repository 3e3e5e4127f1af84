package spool

import (
	"cmp"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// maxGaps bounds how many separate runs of lost numbers are remembered.
const maxGaps = 64

// ledger is what every frame repeats in full: small, and known again from any frame that can
// still be read.
type ledger struct {
	epoch     uint64
	released  uint64     // numbers up to this one were acknowledged by every consumer of the time
	consumers []consumer // in the order of their names
	lost      Loss
	cut       uint64        // first number that may have been given before, to events that were lost with the spool's end; 0 if none was
	gaps      []gap         // runs of lost numbers, ascending
	wall      time.Time     // when the frame was written, by the clock on the wall
	age       time.Duration // how long the spool exists, by a clock that does not jump
}

// consumer is what is known of one consumer.
type consumer struct {
	name  string
	epoch uint64 // the numbering that this consumer knows
	base  uint64 // numbers up to this one are none of its business
	acked uint64 // numbers up to this one are committed there
}

// gap is a run of numbers, first to last, whose events were lost.
type gap struct {
	first, last uint64
	attempts    uint64 // 0 if unknown
}

// Loss counts what could not be kept until it was delivered.
type Loss struct {
	Events   uint64
	Attempts uint64 // of the events whose counts could still be read
}

func (l *ledger) clone() ledger {
	c := *l
	c.consumers = slices.Clone(l.consumers)
	c.gaps = slices.Clone(l.gaps)
	return c
}

// find returns the consumer of that name, or nil.
func (l *ledger) find(name string) *consumer {
	for i := range l.consumers {
		if l.consumers[i].name == name {
			return &l.consumers[i]
		}
	}
	return nil
}

// delivered returns the last number that no consumer waits for any more.
func (l *ledger) delivered() uint64 {
	if len(l.consumers) == 0 {
		return l.released
	}
	least := l.consumers[0].acked
	for _, d := range l.consumers[1:] {
		least = min(least, d.acked)
	}
	return max(least, l.released)
}

// setConsumers makes names the consumers. Those known already keep where they are; a new one
// begins with what is still kept for the others, or with all that nobody had yet. The names are in
// order and differ.
func (l *ledger) setConsumers(names []string) {
	l.released = l.delivered()
	consumers := make([]consumer, 0, len(names))
	for _, name := range names {
		if known := l.find(name); known != nil {
			consumers = append(consumers, *known)
			continue
		}
		consumers = append(consumers, consumer{name: name, epoch: l.epoch, base: l.released, acked: l.released})
	}
	l.consumers = consumers
}

// lose records that the events numbered first to last are gone. Numbers that every consumer had
// already, or that were recorded before, are not lost again.
func (l *ledger) lose(first, last, attempts uint64) {
	first = max(first, l.delivered()+1)
	var fresh []gap
	for _, g := range l.gaps {
		if g.last < first || g.first > last {
			continue
		}
		if g.first > first {
			fresh = append(fresh, gap{first: first, last: g.first - 1})
		}
		first = g.last + 1
	}
	if first <= last {
		fresh = append(fresh, gap{first: first, last: last})
	}
	if len(fresh) == 0 {
		return
	}
	fresh[0].attempts = attempts
	l.lost.Attempts += attempts
	for _, g := range fresh {
		l.lost.Events += g.last - g.first + 1
	}
	l.gaps = append(l.gaps, fresh...)
	slices.SortFunc(l.gaps, func(a, b gap) int { return cmp.Compare(a.first, b.first) })
	l.joinGaps()
}

// joinGaps joins neighbouring gaps, and forgets the oldest while there are too many.
func (l *ledger) joinGaps() {
	joined := l.gaps[:0]
	for _, g := range l.gaps {
		if n := len(joined); n > 0 && joined[n-1].last+1 == g.first {
			joined[n-1].last = g.last
			joined[n-1].attempts += g.attempts
			continue
		}
		joined = append(joined, g)
	}
	l.gaps = joined[max(len(joined)-maxGaps, 0):]
}

// settleCut forgets that the end was lost once every consumer has gone on beyond it with the numbers that were
// given since.
func (l *ledger) settleCut(next uint64) {
	for _, c := range l.consumers {
		if c.acked < l.cut || c.acked >= next {
			return
		}
	}
	if len(l.consumers) > 0 {
		l.cut = 0
	}
}

// forgetGaps drops the gaps that every consumer has passed.
func (l *ledger) forgetGaps() {
	if len(l.consumers) > 0 {
		delivered := l.delivered()
		l.gaps = slices.DeleteFunc(l.gaps, func(g gap) bool { return g.last <= delivered })
	}
}

// covered says whether all the numbers from first to last are recorded as lost.
func (l *ledger) covered(first, last uint64) bool {
	for _, g := range l.gaps {
		if g.first <= first && last <= g.last {
			return true
		}
	}
	return false
}

func (l *ledger) append(buf []byte) []byte {
	buf = appendUint(buf, fieldEpoch, l.epoch)
	buf = appendUint(buf, fieldReleased, l.released)
	buf = appendUint(buf, fieldCut, l.cut)
	buf = appendUint(buf, fieldLostEvents, l.lost.Events)
	buf = appendUint(buf, fieldLostAttempts, l.lost.Attempts)
	buf = appendTime(buf, fieldWall, l.wall)
	buf = appendUint(buf, fieldAge, uint64(l.age))
	var nested []byte
	for _, d := range l.consumers {
		nested = appendBytes(nested[:0], 1, []byte(d.name))
		nested = appendUint(nested, 2, d.epoch)
		nested = appendUint(nested, 3, d.base)
		nested = appendUint(nested, 4, d.acked)
		buf = appendBytes(buf, fieldConsumer, nested)
	}
	for _, g := range l.gaps {
		nested = appendUint(nested[:0], 1, g.first)
		nested = appendUint(nested, 2, g.last)
		nested = appendUint(nested, 3, g.attempts)
		buf = appendBytes(buf, fieldGap, nested)
	}
	return buf
}

func (l *ledger) decode(number protowire.Number, value uint64, raw []byte) error {
	switch number {
	case fieldEpoch:
		l.epoch = value
	case fieldCut:
		l.cut = value
	case fieldReleased:
		l.released = value
	case fieldLostEvents:
		l.lost.Events = value
	case fieldLostAttempts:
		l.lost.Attempts = value
	case fieldWall:
		l.wall = time.Unix(0, int64(value))
	case fieldAge:
		l.age = time.Duration(value)
	case fieldConsumer:
		var d consumer
		l.consumers = append(l.consumers, d)
		return l.consumers[len(l.consumers)-1].decode(raw)
	case fieldGap:
		var g gap
		l.gaps = append(l.gaps, g)
		return l.gaps[len(l.gaps)-1].decode(raw)
	}
	return nil
}

func (d *consumer) decode(raw []byte) error {
	return eachField(raw, func(number protowire.Number, value uint64, raw []byte) error {
		switch number {
		case 1:
			d.name = string(raw)
		case 2:
			d.epoch = value
		case 3:
			d.base = value
		case 4:
			d.acked = value
		}
		return nil
	})
}

func (g *gap) decode(raw []byte) error {
	return eachField(raw, func(number protowire.Number, value uint64, _ []byte) error {
		switch number {
		case 1:
			g.first = value
		case 2:
			g.last = value
		case 3:
			g.attempts = value
		}
		return nil
	})
}
