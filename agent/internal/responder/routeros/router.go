package routeros

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"time"
)

const (
	// share is how much longer the pause between two readings of everything is than a reading.
	share = 20
	// syncFor bounds one Sync.
	syncFor = 5 * time.Minute
)

// Router is one router. Its methods are for one goroutine.
type Router struct {
	options Options
	conn    *conn
	lists   [2]list
	noSet   bool // it takes no other timeout for an entry that is there
}

// New returns a Router to which nobody has spoken.
func New(options Options) *Router {
	if options.Now == nil {
		options.Now = time.Now
	}
	return &Router{options: options, lists: [2]list{{path: "/ip/firewall/address-list"}, {path: "/ipv6/firewall/address-list"}}}
}

// Sync makes the lists hold these bans. It returns how many entries it added or took away.
func (r *Router) Sync(ctx context.Context, bans []Ban) (changed int, err error) {
	var want [2]map[netip.Prefix]time.Time
	for family := range want {
		want[family] = map[netip.Prefix]time.Time{}
	}
	now := r.options.Now()
	for _, ban := range bans {
		if ban.Until.After(now) {
			want[family(ban.Target)][ban.Target] = ban.Until
		}
	}
	err = r.connected(ctx, func() error {
		var problems []error
		for family := range r.lists {
			l := &r.lists[family]
			if family == 1 && len(want[family]) == 0 && len(l.mine) == 0 && l.known {
				continue
			}
			n, err := r.sync(l, want[family])
			changed += n
			var refused *trap
			switch {
			case err != nil && !errors.As(err, &refused):
				return err // of the connection
			case err != nil && (family == 0 || len(want[family]) > 0):
				problems = append(problems, fmt.Errorf("cannot keep the list %s of %s: %w", r.options.List, l.path, err))
			}
		}
		return errors.Join(problems...)
	})
	return changed, err
}

// connected does something over a connection, which ends if that fails for another reason than a
// router's refusal. It ends with ctx.
func (r *Router) connected(ctx context.Context, do func() error) error {
	ctx, cancel := context.WithTimeout(ctx, syncFor)
	defer cancel()
	if r.conn == nil {
		c, err := dial(ctx, r.options)
		if err != nil {
			return fmt.Errorf("cannot speak to the router %s: %w", r.options.Address, err)
		}
		r.conn = c
		for family := range r.lists {
			r.lists[family].known = false
		}
	}
	current := r.conn
	stop := context.AfterFunc(ctx, func() { current.Close() })
	defer stop()
	err := do()
	var refused *trap
	if err != nil && !errors.As(err, &refused) {
		r.hangUp()
	}
	if err != nil {
		return fmt.Errorf("the router %s: %w", r.options.Address, err)
	}
	return nil
}

func (r *Router) hangUp() {
	if r.conn != nil {
		r.conn.Close()
		r.conn = nil
	}
}

// Leave ends the connection; entries end by themselves.
func (r *Router) Leave() error {
	r.hangUp()
	return nil
}

// Remove takes every entry back.
func (r *Router) Remove(ctx context.Context) error {
	defer r.hangUp()
	_, err := r.Sync(ctx, nil)
	return err
}

// sync makes one list right.
func (r *Router) sync(l *list, want map[netip.Prefix]time.Time) (changed int, err error) {
	if pause := l.cost * share; !l.known || r.options.Now().Sub(l.read) >= pause || r.options.Now().Before(l.read) {
		if err := r.read(l); err != nil {
			return 0, err
		}
	}
	return r.change(l, want)
}

// read reads a whole list.
func (r *Router) read(l *list) error {
	l.known = false
	begin := r.options.Now()
	mine, other, extra := map[netip.Prefix]entry{}, map[netip.Prefix]bool{}, []string(nil)
	err := r.conn.list(func(one reply) error {
		target, ok := parseTarget(one.values["address"])
		if !ok {
			return nil // a name, or a range
		}
		left, timed := parseSpan(one.values["timeout"])
		_, twice := mine[target]
		switch id := one.values[".id"]; {
		case one.values["comment"] != r.options.Comment:
			other[target] = other[target] || one.values["disabled"] != "true"
		case id == "":
		case twice || !timed || one.values["disabled"] == "true":
			extra = append(extra, id) // somebody changed it
		default:
			mine[target] = entry{id, r.options.Now().Add(left)}
		}
		return nil
	}, l.path+"/print", "=.proplist=.id,address,timeout,comment,disabled", "?list="+r.options.List)
	if err != nil {
		return err
	}
	l.mine, l.other, l.extra, l.known = mine, other, extra, true
	l.read = r.options.Now()
	l.cost = l.read.Sub(begin)
	return nil
}

// change gives the commands that make a list right.
func (r *Router) change(l *list, want map[netip.Prefix]time.Time) (changed int, err error) {
	now := r.options.Now()
	maps.DeleteFunc(l.mine, func(_ netip.Prefix, e entry) bool { return !e.end.After(now) }) // ended by themselves
	for _, plan := range []func(l *list, want map[netip.Prefix]time.Time, now time.Time) []step{r.removals, r.additions} {
		steps := plan(l, want, now)
		commands := make([][]string, len(steps))
		for i, one := range steps {
			commands[i] = one.words
		}
		var problems []error
		broken := r.conn.each(commands, func(i int, ret string, err error) {
			n, err := steps[i].done(ret, err)
			if changed += n; err != nil && len(problems) < 3 {
				problems = append(problems, err)
			}
		})
		if err := errors.Join(broken, errors.Join(problems...)); err != nil {
			return changed, err
		}
	}
	return changed, nil
}
