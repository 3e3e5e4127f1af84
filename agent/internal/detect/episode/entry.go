package episode

import (
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// idle says whether no request of the last window is left now. One that is far ahead is another
// log's, and idle as well.
func (d *Detector) idle(e *entry) bool {
	return d.now-e.last >= d.steps || e.last-d.now >= d.steps
}

// advance moves the window of an entry that is not idle on.
func (d *Detector) advance(e *entry) {
	for e.last < d.now {
		e.last++
		slot := &e.counts[e.last%d.steps]
		e.sum -= *slot
		*slot = 0
	}
}

// subtract takes the requests in the window of an address, what, out of its network's.
func (d *Detector) subtract(from, what *entry) {
	for s := max(0, max(from.last, what.last)-d.steps+1); s <= min(from.last, what.last); s++ {
		n := min(from.counts[s%d.steps], what.counts[s%d.steps])
		from.counts[s%d.steps] -= n
		from.sum -= n
	}
	d.touch(from.key)
}

// settle moves an entry's window on and says whether it is in an episode. One whose window
// lost more than half of what makes a flood ends.
func (d *Detector) settle(e *entry, at time.Time) bool {
	d.advance(e)
	d.touch(e.key)
	if e.requests > 0 && e.sum < d.limits.MaxRequests/2 {
		d.end(e, at)
	}
	return e.requests > 0
}

// hit counts a request and says whether it belongs to an episode.
func (d *Detector) hit(e *entry, at time.Time) bool {
	if slot := &e.counts[d.slot]; *slot < 1<<27 { // the sum has room for all
		*slot++
		e.sum++
	}
	if e.requests == 0 {
		if e.sum < d.limits.MaxRequests {
			return false
		}
		e.requests = uint64(e.sum)
		d.tell(e, attack.PhaseStart, at)
		return true
	}
	e.requests++
	if e.requests >= 2*e.reported || e.last-e.eventStep >= d.steps {
		d.tell(e, attack.PhaseUpdate, at)
	}
	return true
}

// end ends the episode of an entry.
func (d *Detector) end(e *entry, at time.Time) {
	d.tell(e, attack.PhaseEnd, at)
	e.requests, e.reported, e.eventStep = 0, 0, 0
}

// tell emits an event of an entry's episode.
func (d *Detector) tell(e *entry, phase attack.Phase, at time.Time) {
	count := e.requests - e.reported
	e.reported, e.eventStep = e.requests, e.last
	d.emit(Event{
		Flood: attack.Flood{Phase: phase, Network: e.key.prefix(), Method: methods[e.key.method],
			Requests: e.requests, Window: d.limits.Window},
		At:    at,
		Count: count,
	})
}

// get returns the entry of a key as the newest one, made anew if there is none. An entry that is
// idle is as good as none.
func (d *Detector) get(k key) int32 {
	i, known := d.find(k)
	if known && d.idle(&d.entries[i]) {
		d.remove(i, d.lastTime(i))
		known = false
	}
	if known {
		if i != d.newest {
			d.unlink(i)
			d.link(i)
		}
		return i
	}
	if len(d.sources) >= d.limits.MaxSources {
		d.evicted++
		d.remove(d.oldest, d.lastTime(d.oldest))
	}
	i = d.insert(entry{key: k, last: d.now})
	d.link(i)
	return i
}

// find returns the entry of a key.
func (d *Detector) find(k key) (i int32, known bool) {
	recent := &d.recent[k.hash()%uint32(len(d.recent))]
	if int(*recent) < len(d.entries) && d.entries[*recent].key == k {
		return *recent, true
	}
	if i, known = d.sources[k]; known {
		*recent = i
	}
	return i, known
}

// hash spreads keys. Who makes many of them equal gains no more than a lookup in the map.
func (k *key) hash() uint32 {
	h := k.low*0x9e3779b97f4a7c15 ^ k.high
	h = (h ^ uint64(k.bits)<<8 ^ uint64(k.method)) * 0x9e3779b97f4a7c15
	return uint32(h >> 40)
}

func (d *Detector) insert(e entry) int32 {
	i := int32(len(d.entries))
	if n := len(d.free); n > 0 {
		i, d.free = d.free[n-1], d.free[:n-1]
		d.entries[i] = e
	} else {
		d.entries = append(d.entries, e)
	}
	d.sources[e.key] = i
	return i
}

// remove forgets an entry, and ends its episode.
func (d *Detector) remove(i int32, at time.Time) {
	e := &d.entries[i]
	if e.requests > 0 {
		d.end(e, at)
	}
	d.touch(e.key)
	delete(d.sources, e.key)
	e.key = key{} // found no more; the prefix of no bits is nobody's
	d.unlink(i)
	d.free = append(d.free, i)
}

// link makes an entry the newest.
func (d *Detector) link(i int32) {
	d.entries[i].older, d.entries[i].newer = d.newest, -1
	if d.newest >= 0 {
		d.entries[d.newest].newer = i
	} else {
		d.oldest = i
	}
	d.newest = i
}

func (d *Detector) unlink(i int32) {
	older, newer := d.entries[i].older, d.entries[i].newer
	if older >= 0 {
		d.entries[older].newer = newer
	} else {
		d.oldest = newer
	}
	if newer >= 0 {
		d.entries[newer].older = older
	} else {
		d.newest = older
	}
}
