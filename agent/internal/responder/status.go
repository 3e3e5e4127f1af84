package responder

import (
	"maps"
	"slices"
	"time"
)

// Listed is a ban and where it is in force.
type Listed struct {
	Ban
	InForce []string `json:"in_force"` // backends, by name
}

// Bans returns the bans that are not over, by their end.
func (r *Responder) Bans() []Listed {
	now := r.options.Now()
	r.mu.Lock()
	var bans []Listed
	for _, ban := range r.bans {
		if ban.Until.After(now) {
			bans = append(bans, Listed{ban, []string{}})
		}
	}
	r.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(r.workers)) {
		for i := range bans {
			if r.workers[name].holds(bans[i].Ban) {
				bans[i].InForce = append(bans[i].InForce, name)
			}
		}
	}
	slices.SortFunc(bans, func(a, b Listed) int {
		if c := a.Until.Compare(b.Until); c != 0 {
			return c
		}
		return a.Target.Addr().Compare(b.Target.Addr())
	})
	return bans
}

// Status says how the backends fare.
type Status struct {
	Bans     int             `json:"bans"`
	Paused   time.Time       `json:"paused_until,omitzero"`
	Backends []BackendStatus `json:"backends"`
}

// Status returns the backends by name.
func (r *Responder) Status() Status {
	var status Status
	now := r.options.Now()
	r.mu.Lock()
	for _, ban := range r.bans {
		if ban.Until.After(now) {
			status.Bans++
		}
	}
	if r.paused.After(now) {
		status.Paused = r.paused
	}
	r.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(r.workers)) {
		status.Backends = append(status.Backends, r.workers[name].status())
	}
	return status
}
