// Package connection joins what the lines of one connection to a daemon say, and makes attempts of
// it: each attempt once, however many lines the daemon, PAM and the disconnect write about it, at
// the first line that proves it.
//
// A [Log] is fed the lines of one log that rules took, in the log's order. A rule's role says what
// its line means; join.go is the one place that gives roles their meaning. What is remembered is
// bounded, can be saved as it changes and restored: a Log that was restored goes on as the other
// one would have.
//
// Lines are joined by the logging host, the service and the process, or by the peer's address where
// processes serve many. No name takes part: daemons escape and cut the same name differently from
// line to line.
//
// A Joiner and its Logs belong to one goroutine.
package connection

import (
	"math"

	"github.com/pialert/pialert/agent/internal/rule"
)

// MaxAllConnections bounds the connections that are remembered of all logs of a [Joiner]. Above it those logs
// that have most of them forget the ones that were quiet for longest, as at [MaxConnections]: a thousand logs
// that are read after an absence take no more memory than two that are flooded.
const MaxAllConnections = 2 * MaxConnections

// roomConnections is how much room is made at a time: to find out who has most takes a look at every log.
const roomConnections = MaxAllConnections / 16

// Joiner makes attempts of the lines of any number of logs.
type Joiner struct {
	rules        *rule.Set
	remember     bool
	emit         func(*Attempt)
	names        rule.Names
	attempt      Attempt
	unattributed uint64

	shared // by its logs
}

// shared is what the logs of a Joiner have together.
type shared struct {
	*arena
	logs        uint32 // how many there were
	holders     []*Log // that remember anything
	connections int
	summaries   map[key]summary // of connections that were evicted
}

// NewJoiner returns a Joiner that hands attempts to emit, which must not keep them. It keeps track
// of what [Log.Changes] returns if remember is set; restored attempts are of the given rules.
func NewJoiner(rules *rule.Set, remember bool, emit func(*Attempt)) *Joiner {
	return &Joiner{rules: rules, remember: remember, emit: emit, shared: shared{arena: newArena(), summaries: map[key]summary{}}}
}

// Unattributed returns how many connections ended badly without any line that named their address.
func (j *Joiner) Unattributed() uint64 { return j.unattributed }

// Log is what is remembered of the connections in one log.
type Log struct {
	*Joiner
	number uint32 // of the Joiner's
	conns  table
	aside  evicted
	clock  int64 // latest logged time, in seconds since 1970
	ticked bool  // see Ticked
	common *Log  // see NewLog
	holder int   // its place in Joiner.holders, plus one; 0 while it remembers nothing

	// What Changes has still to save.
	changed []key
	removed map[key]struct{}
	moved   bool // clock
}

// NewLog returns a Log that remembers nothing yet. Common is the one, itself if nil, in which lines of services are joined that
// daemons of this log ask about logins.
func (j *Joiner) NewLog(common *Log) *Log {
	j.logs++
	l := &Log{Joiner: j, number: j.logs, conns: newTable(j.arena), removed: map[key]struct{}{}, common: common}
	if common == nil {
		l.common = l
	}
	return l
}

// Ticked says that lines of several logs are joined here, which are read as they come, and that [Log.Tick] is called: then
// what is settled goes by when its lines were read. After an absence one log is read hours ahead of another one.
func (l *Log) Ticked() { l.ticked = true }

// Len returns how many connections are remembered.
func (l *Log) Len() int { return l.conns.used }

// Evicted returns how many connections were set aside for want of room; what their next lines repeat
// is known as long as there are no more than [MaxEvicted] of them.
func (l *Log) Evicted() uint64 { return l.conns.evicted }

// Tick forgets what is too old by the clock that lines are observed by, in seconds since 1970, and
// counts what was pending on it.
func (l *Log) Tick(now int64) {
	for list := range lists {
		for c := l.conns.oldest(list); c != nil && c.observed < now-timeouts[list]; c = l.conns.oldest(list) {
			l.forget(c)
		}
	}
	if l.conns.used == 0 { // then those that were evicted are over, too
		l.dropEvicted()
	}
}

// Finish forgets everything, and counts what was pending.
func (l *Log) Finish() {
	for list := range lists {
		for c := l.conns.oldest(list); c != nil; c = l.conns.oldest(list) {
			l.forget(c)
		}
	}
	l.dropEvicted()
}

func (l *Log) dropEvicted() {
	for l.aside.len > 0 {
		l.dropOldestEvicted()
	}
}

// evict counts what is pending on a connection and keeps the rest of it in a summary.
func (l *Log) evict(c *connection) {
	l.settle(c)
	k, was := c.key, *c
	l.leave(c)
	l.setAside(k, &was)
	if l.remember {
		l.changed = append(l.changed, k)
	}
}

// recall takes a connection back that was evicted, or returns nil.
func (l *Log) recall(k key) *connection {
	e, ok := l.takeBack(k)
	if !ok {
		return nil
	}
	if !l.ticked && e.seen < l.clock-timeouts[settled] {
		l.removed[k] = struct{}{}
		return nil
	}
	c := l.open(k)
	e.restore(c)
	c.saved = true // it may be, as a summary
	return c
}

// advance moves the clock on to the time of a line, and forgets what is too old by it. A clock that
// goes back by more than a little starts anew, and with it the processes' numbers.
func (l *Log) advance(sec int64) {
	switch {
	case sec == l.clock:
		return
	case sec < l.clock-backwards && !l.ticked:
		l.Finish()
	case sec < l.clock:
		return
	}
	if l.clock, l.moved = sec, true; sec > l.conns.due {
		l.forgetDue()
	}
}

// forgetDue forgets what is too old by the clock.
func (l *Log) forgetDue() {
	due := int64(math.MaxInt64)
	for list := range lists {
		if l.ticked && list == settled {
			continue
		}
		c := l.conns.oldest(list)
		for c != nil && l.clock > c.due() {
			l.forget(c)
			c = l.conns.oldest(list)
		}
		if c != nil {
			due = min(due, c.due())
		}
	}
	l.conns.due = due
}

// backwards is how many seconds a log's stamps may go back and still be of the same run: lines of
// several hosts, or of programs that are slow to log.
const backwards = 10 * 60

// open adds a connection.
func (l *Log) open(k key) *connection {
	if l.conns.used >= MaxConnections {
		l.evictOldest()
	}
	if l.connections >= MaxAllConnections {
		l.takeFromMost(roomConnections, func(l *Log) int { return l.conns.used }, (*Log).evictOldest)
	}
	c := l.conns.add(k)
	l.entered()
	return c
}

// evictOldest evicts the connection that was quiet for longest, of those on which least is pending.
func (l *Log) evictOldest() {
	for list := range lists {
		if c := l.conns.oldest(list); c != nil {
			l.conns.evicted++
			l.evict(c)
			return
		}
	}
}

// forget counts what is pending on a connection and drops it.
func (l *Log) forget(c *connection) {
	l.settle(c)
	l.drop(c)
}

// change notes that a connection is to be saved.
func (l *Log) change(c *connection) {
	if l.remember && !c.changed {
		c.changed = true
		l.changed = append(l.changed, c.key)
	}
}

// drop forgets a connection.
func (l *Log) drop(c *connection) {
	if c.saved {
		l.removed[c.key] = struct{}{}
	}
	l.leave(c)
}
