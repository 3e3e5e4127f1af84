package connection

import "slices"

// MaxAllConnections bounds the connections that are remembered of all logs of a [Joiner]. Above it those logs
// that have most of them forget the ones that were quiet for longest, as at [MaxConnections]: a thousand logs
// that are read after an absence take no more memory than two that are flooded.
const MaxAllConnections = 2 * MaxConnections

// How much room is made at a time: to find out who has most takes a look at every log.
const (
	roomConnections = MaxAllConnections / 16
	roomEvicted     = MaxEvicted / 16
)

// shared is what the logs of a Joiner have together.
type shared struct {
	*arena
	logs        uint32 // how many there were
	holders     []*Log // that remember anything
	connections int
	summaries   map[key]summary // of connections that were evicted
}

// entered takes note of a new connection of the log.
func (l *Log) entered() {
	l.connections++
	l.hold()
}

// leave removes a connection.
func (l *Log) leave(c *connection) {
	l.conns.remove(c)
	l.connections--
	l.release()
}

// hold makes a log one of the holders.
func (l *Log) hold() {
	if l.holder == 0 {
		l.holders = append(l.holders, l)
		l.holder = len(l.holders)
	}
}

// release takes a log that remembers nothing any more off the holders.
func (l *Log) release() {
	if l.holder == 0 || l.conns.used > 0 || l.aside.len > 0 {
		return
	}
	end := len(l.holders) - 1
	last := l.holders[end]
	l.holders[l.holder-1], last.holder = last, l.holder
	l.holders[end], l.holder = nil, 0
	l.holders = l.holders[:end]
}

// takeFromMost has the logs that hold most give up one after another, until n are gone.
func (j *Joiner) takeFromMost(n int, held func(*Log) int, giveUp func(*Log)) {
	keep, most := 0, 0 // what each may keep: it leaves n too many or more
	for _, l := range j.holders {
		most = max(most, held(l))
	}
	for most-keep > 1 {
		middle, above := (keep+most)/2, 0
		for _, l := range j.holders {
			above += max(0, held(l)-middle)
		}
		if above >= n {
			keep = middle
		} else {
			most = middle
		}
	}
	for _, l := range slices.Clone(j.holders) {
		for ; n > 0 && held(l) > keep; n-- {
			giveUp(l)
		}
	}
}
