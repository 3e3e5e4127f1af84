package enforce

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/pialert/pialert/agent/internal/policy"
	"github.com/pialert/pialert/agent/internal/responder"
	"github.com/pialert/pialert/agent/internal/value"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/private"
	"github.com/pialert/pialert/pkg/wake"
)

// Options is what an Enforcer needs; every field must be set.
type Options struct {
	Mode      string
	Policy    policy.Config
	Never     policy.Never // whom not to ban; those who are banned are asked about every minute
	Responder Responder
	Logins    func() bool                    // whether somebody is logged in from another machine now
	Names     func() map[string][]netip.Addr // of the allow list, with the addresses that they have as far as is known now
	State     string                         // folder in which to keep whether enforcing is confirmed
	// Do has events added and what is remembered changed in one step: either both are committed, or nothing is.
	Do     func(func(emit func(*attack.Event))) error
	Logger *slog.Logger
	Now    func() time.Time
}

// Responder is what carries decisions out.
type Responder interface {
	Ban(context.Context, responder.Request) (ban responder.Ban, fresh bool, err error)
	Unban(ctx context.Context, target netip.Prefix) (responder.Ban, error)
	Flush(context.Context) (int, error)
	Bans(ctx context.Context, visit func(responder.Listed) error) error
	Status(context.Context) (responder.Status, error)
	Tell(ctx context.Context, names map[string][]netip.Addr) error
}

// Enforcer decides about events and has the decisions carried out. Its methods may be called from any
// goroutine; Look, Changes and Restore are called from within a commit.
type Enforcer struct {
	mode      string
	never     policy.Never
	responder Responder
	logins    func() bool
	names     func() map[string][]netip.Addr
	state     private.Dir
	do        func(func(emit func(*attack.Event))) error
	logger    *slog.Logger
	now       func() time.Time
	wake      wake.Bell

	mu        sync.Mutex
	policy    *policy.Policy
	pending   map[netip.Prefix]order     // decisions that the responder has not taken
	announced map[netip.Prefix]time.Time // bans that an event was made of, and their ends
	moved     map[netip.Prefix]bool      // targets of which that has changed since Changes
	trial     trial
	full      map[netip.Prefix]order // decisions of a trial, as they are if it is confirmed
	stats     Stats
	backends  map[string]failing // by name
	arrived   bool               // somebody has logged in since compare
	last      string             // state when it was looked at last
	say       *rate.Limiter      // of lines about what would be done
	unsaid    uint64
}

// order is a decision on its way to the responder.
type order struct {
	Target   netip.Prefix `json:"target"`
	Until    time.Time    `json:"until"`
	Reason   string       `json:"reason"`
	Evidence string       `json:"evidence"`
}

// failing is what is known of a backend that fails.
type failing struct {
	since    time.Time // zero if it is well
	reported time.Time // when an event said so last
}

// New returns an Enforcer that knows nobody. Restore and Begin come before the first event, then Run.
func New(o Options) *Enforcer {
	return &Enforcer{
		mode: o.Mode, never: o.Never, responder: o.Responder, logins: o.Logins, names: o.Names,
		state: private.Dir(o.State), do: o.Do, logger: o.Logger, now: o.Now, wake: wake.New(),
		policy: policy.New(o.Policy, o.Never), pending: map[netip.Prefix]order{}, announced: map[netip.Prefix]time.Time{},
		moved: map[netip.Prefix]bool{}, full: map[netip.Prefix]order{}, backends: map[string]failing{},
		stats: Stats{Mode: o.Mode, Backends: []responder.BackendStatus{}}, say: rate.NewLimiter(rate.Every(time.Minute), 10),
	}
}

// maxPending bounds the decisions that wait for the responder. Above it a source is decided about anew
// when it goes on.
const maxPending = 1 << 12

// Look decides about one event.
func (en *Enforcer) Look(e *attack.Event) {
	if en.mode == Off {
		return
	}
	en.mu.Lock()
	defer en.mu.Unlock()
	decisions, spared := en.policy.Event(e)
	if spared != nil {
		en.stats.Spared++
		en.logger.Debug("would ban, but never does", "source", spared.Source, "because", spared.Why)
	}
	if policy.Welcomes(e) && en.mode == Enforce {
		if source := value.Source(e.SourceIP); !en.pending[source].Until.IsZero() {
			en.drop(source)
		}
		en.arrived = true // perhaps one who is banned
		en.wake.Ring()
	}
	now := en.now()
	for _, d := range decisions {
		en.stats.Decided++
		one := order{
			Target: d.Target, Until: now.Add(d.For), Reason: d.Reason,
			Evidence: fmt.Sprintf("%s of rule %s in %s, from %s to %s", d.Evidence.Kind, d.Evidence.Rule, d.Evidence.Log,
				d.Evidence.First.UTC().Format(time.RFC3339), d.Evidence.Last.UTC().Format(time.RFC3339)),
		}
		switch state := en.trial.state(en.mode, now); {
		case state == stateTrial && len(en.full) < maxPending:
			en.full[d.Target] = one
			one.Until = earlier(one.Until, en.trial.Until)
			en.order(one)
		case state == stateEnforcing && len(en.pending) < maxPending:
			en.order(one)
		case state == stateEnforcing || state == stateTrial:
			en.policy.Lift(d.Target)
		case en.say.AllowN(now, 1):
			en.logger.Info("would ban", "source", d.Target, "for", d.For, "because", d.Reason, "others before, not logged", en.unsaid)
			en.unsaid = 0
		default:
			en.unsaid++
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// order has a decision handed over; en.mu is held.
func (en *Enforcer) order(one order) {
	en.pending[one.Target] = one
	en.moved[one.Target] = true
	en.wake.Ring()
}

// drop forgets a decision that is not to be handed over; en.mu is held.
func (en *Enforcer) drop(target netip.Prefix) {
	delete(en.pending, target)
	delete(en.full, target)
	en.moved[target] = true
	en.policy.Lift(target)
}
