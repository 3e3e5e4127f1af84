package connection

import (
	"net/netip"

	"github.com/pialert/pialert/agent/internal/rule"
)

// key says which connection a line belongs to. No name takes part in it.
type key struct {
	host   uint64 // hash of the logging host's name, 0 where lines are joined by source or peer
	id     uint64 // process, or hash of the source or the peer
	family uint32 // of the service
	log    uint32 // number of the log
}

func (k key) bucket(buckets int) uint64 {
	h := (k.host ^ k.id*0x9e3779b97f4a7c15 ^ uint64(k.family)<<32 ^ uint64(k.log)) * 0xff51afd7ed558ccd
	return (h >> 32) & uint64(buckets-1)
}

// connection is what is remembered of one connection to a daemon.
type connection struct {
	key  key
	addr netip.Addr // of the peer, once a line gave it
	port uint16

	counted   bool                   // an attempt was counted for it, or waits in pending
	accepted  bool                   // an authentication succeeded, or the server could not judge it: what ends badly is no probe
	attempts  uint32                 // counted so far
	inAdvance uint32                 // attempts that were counted in advance of their attempt line
	reported  [rule.Reporters]uint32 // attempts that each reporter wrote of

	seen     int64  // logged time of its last line, in seconds since 1970
	observed int64  // when that line was read
	touched  uint64 // order of last use

	list       listID
	prev, next int32 // in its list
	chain      int32 // next of the same bucket
	changed    bool  // since the last call of Changes
	saved      bool  // by Changes or Restore

	pending Attempt // not yet to be counted: a success may take it back, or its address is still to come; none without a rule
}

// clear forgets what is pending.
func (c *connection) clear() { c.pending.Rule = nil }

// listID names the list that a connection is in. Each is ordered by last use and has its time
// limit.
type listID uint8

const (
	settled listID = iota // nothing pending
	doubted               // a doubt or a disconnect: the lines that settle it come at once
	waiting               // for an address or the end: as long as a login may take
	session               // somebody was let in from an address and port; see session.go
	lists
)

// timeouts say how long a connection of each list is kept behind its last line, in seconds. sshd
// gives a client LoginGraceTime, 120 s by default, to authenticate, and pam_unix delays a failure
// by 2 s or so; what is settled is kept for the lines that repeat what was counted.
var timeouts = [lists]int64{settled: 15 * 60, doubted: 30, waiting: 150, session: 24 * 60 * 60}

// due is until when a connection is kept, in seconds since 1970.
func (c *connection) due() int64 { return c.seen + timeouts[c.list] }

// MaxConnections bounds the connections remembered per log. Above it the one that was quiet for
// longest is forgotten: what was pending on it is counted first. See also [MaxAllConnections].
const MaxConnections = 4096

// table is a log's connections, by key and by last use.
type table struct {
	*arena
	heads   [lists]int32 // least recently used
	tails   [lists]int32
	lengths [lists]int
	used    int
	touches uint64
	due     int64 // no list's oldest connection is too old up to then, in seconds since 1970

	evicted uint64 // forgotten for want of room
}

// arena holds the connections of the tables of all logs, by key: it takes room for as many as there are of all
// together, not of each.
type arena struct {
	entries []connection
	free    []int32
	buckets [2048]int32
}

const none int32 = -1

func newArena() *arena {
	a := &arena{entries: make([]connection, 0, 256)}
	for i := range a.buckets {
		a.buckets[i] = none
	}
	return a
}

func newTable(a *arena) table {
	t := table{arena: a}
	for i := range t.heads {
		t.heads[i], t.tails[i] = none, none
	}
	return t
}

// find returns the connection with the key, or nil.
func (t *table) find(k key) *connection {
	if t.used == 0 {
		return nil
	}
	for i := t.buckets[k.bucket(len(t.buckets))]; i != none; i = t.entries[i].chain {
		if t.entries[i].key == k {
			return &t.entries[i]
		}
	}
	return nil
}

// add makes room for a new connection and returns it, in the list of the settled. There must be
// none with the key, and fewer than MaxConnections.
func (t *table) add(k key) *connection {
	var i int32
	if n := len(t.free); n > 0 {
		i, t.free = t.free[n-1], t.free[:n-1]
		t.entries[i] = connection{}
	} else {
		i = int32(len(t.entries))
		t.entries = append(t.entries, connection{})
	}
	c := &t.entries[i]
	c.key = k
	bucket := &t.buckets[k.bucket(len(t.buckets))]
	c.chain, *bucket = *bucket, i
	t.used++
	t.append(i, settled)
	return c
}

// remove forgets a connection.
func (t *table) remove(c *connection) {
	i := t.unlink(c)
	at := &t.buckets[c.key.bucket(len(t.buckets))]
	for *at != i {
		at = &t.entries[*at].chain
	}
	*at = c.chain
	c.clear()
	t.free = append(t.free, i)
	t.used--
}

// touch makes a connection, whose last line is noted, the most recently used of the given list.
func (t *table) touch(c *connection, list listID) {
	if c.list == list && c.next == none {
		t.touches++
		c.touched = t.touches
	} else {
		t.append(t.unlink(c), list)
	}
	t.due = min(t.due, c.due())
}

// unlink takes a connection out of its list and returns its number.
func (t *table) unlink(c *connection) int32 {
	var i int32
	t.lengths[c.list]--
	if c.prev == none {
		i = t.heads[c.list]
		if t.heads[c.list] = c.next; c.next != none {
			t.due = min(t.due, t.entries[c.next].due())
		}
	} else {
		i = t.entries[c.prev].next
		t.entries[c.prev].next = c.next
	}
	if c.next == none {
		t.tails[c.list] = c.prev
	} else {
		t.entries[c.next].prev = c.prev
	}
	return i
}

func (t *table) append(i int32, list listID) {
	c := &t.entries[i]
	t.touches++
	t.lengths[list]++
	c.touched = t.touches
	c.list, c.prev, c.next = list, t.tails[list], none
	if c.prev == none {
		t.heads[list] = i
	} else {
		t.entries[c.prev].next = i
	}
	t.tails[list] = i
}

// oldest returns the least recently used connection of a list, or nil.
func (t *table) oldest(list listID) *connection {
	if t.heads[list] == none {
		return nil
	}
	return &t.entries[t.heads[list]]
}

// after returns the connection used next after c in its list, or nil.
func (t *table) after(c *connection) *connection {
	if c.next == none {
		return nil
	}
	return &t.entries[c.next]
}
