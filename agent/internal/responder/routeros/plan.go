package routeros

import (
	"errors"
	"net/netip"
	"time"
)

// step is a command, and what becomes of what is known by the router's answer: its name for what it made,
// or why it refused. It returns by how much the list has changed.
type step struct {
	words []string
	done  func(ret string, err error) (changed int, problem error)
}

// Reasons for which routers refuse.
const (
	noSuchItem   = "no such item"            // it ended, or somebody removed it
	alreadyThere = "already have such entry" // somebody made it meanwhile
)

// removals takes away what nobody needs.
func (r *Router) removals(l *list, want map[netip.Prefix]time.Time, now time.Time) (steps []step) {
	remove := func(id string, then func() int) {
		steps = append(steps, step{[]string{l.path + "/remove", "=.id=" + id}, func(_ string, err error) (int, error) {
			if err != nil && !isTrap(err, noSuchItem) {
				l.known = false
				return 0, err
			}
			return then(), nil
		}})
	}
	for _, id := range l.extra {
		remove(id, func() int { return 1 })
	}
	l.extra = nil
	for target, e := range l.mine {
		if until, wanted := want[target]; !wanted || r.noSet && e.off(until, now) {
			remove(e.id, func() int {
				delete(l.mine, target)
				return 1
			})
		}
	}
	return steps
}

// additions adds what is missing, and refreshes what ends at another time than it should.
func (r *Router) additions(l *list, want map[netip.Prefix]time.Time, now time.Time) (steps []step) {
	for target, until := range want {
		e, there := l.mine[target]
		timeout := min(until.Sub(now), lease)
		span := "=timeout=" + formatSpan(timeout)
		switch {
		case !there && l.other[target]:
		case !there:
			add := []string{l.path + "/add", "=list=" + r.options.List, "=address=" + formatTarget(target), span, "=comment=" + r.options.Comment}
			steps = append(steps, step{add, func(ret string, err error) (int, error) {
				if isTrap(err, alreadyThere) {
					l.known = false // whose is it?
					return 0, nil
				}
				if err != nil {
					return 0, err
				}
				l.mine[target] = entry{ret, now.Add(timeout)}
				return 1, nil
			}})
		case e.off(until, now):
			steps = append(steps, step{[]string{l.path + "/set", "=.id=" + e.id, span}, func(_ string, err error) (int, error) {
				var refused *trap
				switch {
				case isTrap(err, noSuchItem):
					delete(l.mine, target)
				case errors.As(err, &refused): // the next Sync makes it anew
					r.noSet = true
				case err == nil:
					l.mine[target] = entry{e.id, now.Add(timeout)}
				}
				return 0, nil
			}})
		}
	}
	return steps
}
