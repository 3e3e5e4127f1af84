package connection

import "slices"

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
