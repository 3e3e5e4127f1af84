package detect

import (
	"net/http"
	"net/netip"

	"github.com/pialert/pialert/agent/internal/detect/connection"
	"github.com/pialert/pialert/pkg/attack"
)

// duplicates knows the events that only one of a server's two logs has so far. An access log and an
// error log, or that of an application, write about one request at nearly one time, and share nothing but the
// client's address and what the request was: what one log has, the other may have once more without it counting.
type duplicates struct {
	ring    []report // by place, modulo maxReports
	next    uint64   // the place of the next one
	lines   map[reportKey]queue
	changed map[uint64]struct{} // slots of the ring since the last Changes; nil if nobody asks
	untidy  bool                // lines has to be made anew from the ring
}

// maxReports bounds how many events wait for their duplicate.
const maxReports = 4096

// maxReportScan bounds how many events of one address are looked at.
const maxReportScan = 64

// apart is how far the stamps of duplicates may be from each other, in seconds. Apache's access log has the time at which a
// request began, that of nginx and lighttpd when it ended, an error log that of the error.
const apart = 30

// reportKey is what duplicates share, and which log has it.
type reportKey struct {
	addr   netip.Addr
	host   uint64 // hash of the name of a client without address
	access bool
}

// queue has the places, plus one, of the oldest and the newest event with a key.
type queue struct{ oldest, newest uint64 }

// report is an event that waits for its duplicate.
type report struct {
	key          reportKey
	kind         attack.Kind
	anyKind      bool   // the duplicate may be of any kind
	status       uint16 // of the answer, 0 if the log does not say
	sec          int64  // logged
	place        uint64 // plus one; 0 if there is none
	older, newer uint64 // places plus one of its neighbours in the queue, 0 at the ends
}

// reported says whether the other log had a request at some second already. Otherwise it notes
// that this one did.
func (t *duplicates) reported(r *request, sec int64) bool {
	if !r.rule.Kind.Attempt() || !r.client.Addr.IsValid() && len(r.client.Host) == 0 {
		return false
	}
	w := report{key: reportKey{addr: r.client.Addr, access: r.access}, kind: r.rule.Kind, anyKind: r.rule.AnyKind, status: r.answer, sec: sec}
	if !w.key.addr.IsValid() {
		w.key.host = connection.Hash(r.client.Host)
	}
	return t.isCopy(&w)
}

// application returns how many of the attempts that an application in a web server wrote of, in a log of its own as
// WP fail2ban and Roundcube do, the access log had already.
func (t *duplicates) application(ev *attack.Event, sec int64) (known uint64) {
	for range min(ev.Count, maxReportScan) {
		r := report{key: reportKey{addr: ev.SourceIP}, kind: ev.Kind, sec: sec}
		if ev.Kind == attack.HTTPAuth { // whatever else the access log sees in the request
			r.status = http.StatusUnauthorized
		}
		if ev.SourceIP.IsValid() && t.isCopy(&r) {
			known++
		}
	}
	return known
}

// isCopy says whether the other log had an event already, and otherwise notes that this one has it.
func (t *duplicates) isCopy(w *report) bool {
	t.tidy()
	if place := t.match(w); place != 0 {
		t.remove(place)
		return true
	}
	t.add(*w)
	return false
}

// match returns the place, plus one, of the oldest event of the other log that can be the same
// request, or 0: one of the same kind, or of the same answer, since an Alias makes the path in an
// error log another one than that in the access log, and so perhaps the kind.
func (t *duplicates) match(r *report) uint64 {
	key := r.key
	key.access = !key.access
	place := t.lines[key].oldest
	for n := 0; place != 0 && n < maxReportScan; n++ {
		w := t.at(place)
		if later := r.sec - w.sec; later >= -apart && later <= apart && w.same(r) {
			return place
		}
		place = w.newer
	}
	return 0
}

// same says whether a request of one log can be the one that the other log has.
func (w *report) same(r *report) bool {
	return w.kind == r.kind || w.anyKind || r.anyKind || w.status != 0 && w.status == r.status
}

// at returns the event at a place plus one.
func (t *duplicates) at(place uint64) *report { return &t.ring[(place-1)%maxReports] }

// add enters an event, in the place of the oldest one if there is no other.
func (t *duplicates) add(w report) {
	t.next++
	if w.place = t.next; len(t.ring) < maxReports {
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
func (t *duplicates) link(place uint64) {
	w := t.at(place)
	if t.lines == nil {
		t.lines = map[reportKey]queue{}
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

func (t *duplicates) remove(place uint64) {
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
	*w = report{}
	t.change(place)
}

func (t *duplicates) change(place uint64) {
	if t.changed != nil {
		t.changed[(place-1)%maxReports] = struct{}{}
	}
}

// tidy makes the queues of what was restored, in the order of the places.
func (t *duplicates) tidy() {
	if !t.untidy {
		return
	}
	t.untidy = false
	clear(t.lines)
	for place := max(t.next, maxReports) - maxReports + 1; place <= t.next; place++ {
		if t.at(place).place == place {
			t.link(place)
		} else {
			*t.at(place) = report{} // of a round long past
		}
	}
}
