package connection

import (
	"net/netip"
	"testing"
)

// The summaries have a bound as well, over all logs: those that were evicted first go, of the log that has most.
func TestSummariesAreBounded(t *testing.T) {
	t.Parallel()
	j := NewJoiner(nil, true, nil)
	few, many := j.NewLog(nil), j.NewLog(nil)
	c := &connection{addr: netip.MustParseAddr("192.0.2.7"), counted: true}
	few.setAside(key{id: 1, log: few.number}, c)
	at := func(id uint64) key { return key{id: id, log: many.number} }
	for i := range uint64(MaxEvicted) - 1 {
		many.setAside(at(i), c)
	}
	if len(j.summaries) != MaxEvicted {
		t.Fatalf("%d summaries, want %d", len(j.summaries), MaxEvicted)
	}
	if _, ok := many.takeBack(at(1)); !ok { // it came back
		t.Fatal("the second one is not known")
	}
	many.setAside(at(1), c)
	many.setAside(at(MaxEvicted), c)
	if want := MaxEvicted - roomEvicted + 1; len(j.summaries) != want {
		t.Errorf("%d summaries, want %d", len(j.summaries), want)
	}
	for id, want := range map[uint64]bool{0: false, 1: true, 2: false, roomEvicted: false, roomEvicted + 1: true, MaxEvicted: true} {
		if _, ok := many.takeBack(at(id)); ok != want {
			t.Errorf("number %d is known: %v, want %v", id, ok, want)
		}
	}
	if _, ok := few.takeBack(key{id: 1, log: few.number}); !ok {
		t.Error("the log with one of them had to give it up")
	}
}

// A connection that is evicted and comes back again and again leaves nothing behind.
func TestSummariesThatComeBack(t *testing.T) {
	t.Parallel()
	log := NewJoiner(nil, true, nil).NewLog(nil)
	c, k := &connection{counted: true}, key{id: 7, log: log.number}
	for range 10_000 {
		log.setAside(k, c)
		if _, ok := log.takeBack(k); !ok {
			t.Fatal("it is not known")
		}
	}
	if len(log.aside.order) > 2*keptChanges || len(log.holders) > 0 {
		t.Errorf("%d places in the order, %d logs that hold anything", len(log.aside.order), len(log.holders))
	}
}

// One that comes back and ends is forgotten by what is saved, too: else it would come back with a restart.
func TestASummaryThatComesBackAndEnds(t *testing.T) {
	t.Parallel()
	j, saved := newJoined(t), map[string][]byte{}
	save := func() {
		j.log.Changes(func(key string, value []byte) {
			if saved[key] = value; value == nil {
				delete(saved, key)
			}
		})
	}
	j.say(said{rule: closedBy, pid: 7, peer: "192.0.2.7:1000", user: "root"})
	c := j.log.conns.oldest(settled)
	k := c.key
	j.log.evict(c)
	save()
	if saved[k.String()] == nil {
		t.Fatal("no summary is saved")
	}
	j.log.drop(j.log.recall(k))
	save()
	if saved[k.String()] != nil {
		t.Error("the summary is still saved")
	}
}
