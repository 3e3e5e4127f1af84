package detect

import (
	"net/netip"

	"github.com/pialert/pialert/agent/internal/rule"
	"github.com/pialert/pialert/pkg/attack"
)

// twins knows the events that only one of a server's two logs told of so far. An access log and an
// error log write about one request at nearly one time, and share nothing but the client's address
// and what the request was: what one log told, the other may tell once more without it counting.
type twins struct {
	ring    []twin // by place, modulo maxTwins
	next    uint64 // the place of the next one
	lines   map[twinKey]queue
	changed map[uint64]struct{} // slots of the ring since the last Changes; nil if nobody asks
	untidy  bool                // lines has to be made anew from the ring
}

// maxTwins bounds how many events wait for their twin.
const maxTwins = 4096

// maxTwinScan bounds how many events of one address are looked at.
const maxTwinScan = 64

// Times between the stamps of twins, in seconds. An access log has the time at which a request
// began, an error log that of the error.
const (
	twinBefore = 2
	twinAfter  = 30
)

// twinKey is what twins share, and which log told.
type twinKey struct {
	addr   netip.Addr
	host   uint64 // hash of the name of a client without address
	access bool
}

// queue has the places, plus one, of the oldest and the newest event with a key.
type queue struct{ oldest, newest uint64 }

// twin is an event that waits for its twin.
type twin struct {
	key          twinKey
	kind         attack.Kind
	anyKind      bool   // the twin may be of any kind
	sec          int64  // logged
	place        uint64 // plus one; 0 if there is none
	older, newer uint64 // places plus one of its neighbours in the queue, 0 at the ends
}

// seen says whether the other log told of the request already. Otherwise it notes that this one
// did.
func (t *twins) seen(r *rule.Rule, f *webFinding) bool {
	if !r.Kind.Attempt() || !f.client.Addr.IsValid() && len(f.client.Host) == 0 {
		return false
	}
	t.tidy()
	key := twinKey{addr: f.client.Addr, access: f.access}
	if !key.addr.IsValid() {
		key.host = hash(f.client.Host)
	}
	sec := f.at.Unix()
	if place := t.match(key, r, sec); place != 0 {
		t.remove(place)
		return true
	}
	t.add(twin{key: key, kind: r.Kind, anyKind: r.AnyKind, sec: sec})
	return false
}

// match returns the place, plus one, of the oldest event of the other log that can be the same
// request, or 0.
func (t *twins) match(key twinKey, r *rule.Rule, sec int64) uint64 {
	access := key.access
	key.access = !access
	place := t.lines[key].oldest
	for n := 0; place != 0 && n < maxTwinScan; n++ {
		w := t.at(place)
		later := sec - w.sec
		if access {
			later = -later
		}
		if later >= -twinBefore && later <= twinAfter && (w.kind == r.Kind || w.anyKind || r.AnyKind) {
			return place
		}
		place = w.newer
	}
	return 0
}

// at returns the event at a place plus one.
func (t *twins) at(place uint64) *twin { return &t.ring[(place-1)%maxTwins] }

// add enters an event, in the place of the oldest one if there is no other.
func (t *twins) add(w twin) {
	t.next++
	if w.place = t.next; len(t.ring) < maxTwins {
		t.ring = append(t.ring, w)
	} else {
		if old := t.at(w.place); old.place != 0 {
			t.remove(old.place)
		}
		*t.at(w.place) = w
	}
	t.link(w.place)
	t.change(w.place)
}

// link puts an event at the end of its queue.
func (t *twins) link(place uint64) {
	w := t.at(place)
	if t.lines == nil {
		t.lines = map[twinKey]queue{}
	}
	q := t.lines[w.key]
	if w.older, w.newer = q.newest, 0; q.newest != 0 {
		t.at(q.newest).newer = place
	} else {
		q.oldest = place
	}
	q.newest = place
	t.lines[w.key] = q
}

func (t *twins) remove(place uint64) {
	w := t.at(place)
	q := t.lines[w.key]
	if w.older != 0 {
		t.at(w.older).newer = w.newer
	} else {
		q.oldest = w.newer
	}
	if w.newer != 0 {
		t.at(w.newer).older = w.older
	} else {
		q.newest = w.older
	}
	if t.lines[w.key] = q; q.oldest == 0 {
		delete(t.lines, w.key)
	}
	*w = twin{}
	t.change(place)
}

func (t *twins) change(place uint64) {
	if t.changed != nil {
		t.changed[(place-1)%maxTwins] = struct{}{}
	}
}

// tidy makes the queues of what was restored, in the order of the places.
func (t *twins) tidy() {
	if !t.untidy {
		return
	}
	t.untidy = false
	clear(t.lines)
	for place := max(t.next, maxTwins) - maxTwins + 1; place <= t.next; place++ {
		if t.at(place).place == place {
			t.link(place)
		} else {
			*t.at(place) = twin{} // of a round long past
		}
	}
}
