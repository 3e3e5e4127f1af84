package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/pialert/pialert/agent/internal/ignore"
	"github.com/pialert/pialert/agent/internal/policy"
	"github.com/pialert/pialert/agent/internal/responder"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/escape"
	"github.com/pialert/pialert/pkg/private"
	"github.com/pialert/pialert/pkg/wake"
)

// responses decides about events and hands the decisions to the responder. What it remembers is committed
// with the events that it rests on, and with those that tell of it.
type responses struct {
	mode   string // as configured
	client enforcer
	never  policy.Never
	logins func() bool                    // whether somebody is logged in from elsewhere now
	names  func() map[string][]netip.Addr // of the allow list, and what they have, as known now
	state  private.Dir
	logger *slog.Logger
	now    func() time.Time
	// do adds events and changes what is remembered in one step.
	do   func(func(emit func(*attack.Event))) error
	wake wake.Bell

	mu        sync.Mutex
	policy    *policy.Policy
	pending   map[netip.Prefix]order     // decisions that the responder has not taken
	announced map[netip.Prefix]time.Time // bans that an event was made of, and their ends
	moved     map[netip.Prefix]bool      // targets of which that has changed since Changes
	trial     trial
	full      map[netip.Prefix]order // decisions of a trial, as they are if it is confirmed
	stats     ResponseStats
	backends  map[string]failing // by name
	arrived   bool               // somebody has logged in since compare
	last      string             // state when it was looked at last
	say       *rate.Limiter      // of lines about what would be done
	unsaid    uint64
}

// enforcer is the responder.
type enforcer interface {
	Ban(context.Context, responder.Request) (ban responder.Ban, fresh bool, err error)
	Unban(ctx context.Context, target netip.Prefix) (responder.Ban, error)
	Bans(ctx context.Context, visit func(responder.Listed) error) error
	Status(context.Context) (responder.Status, error)
	Tell(ctx context.Context, names map[string][]netip.Addr) error
}

// order is a decision on its way to the responder.
type order struct {
	Target   netip.Prefix `json:"target"`
	Until    time.Time    `json:"until"`
	Reason   string       `json:"reason"`
	Evidence string       `json:"evidence"`
}

// ResponseStats counts what became of decisions.
type ResponseStats struct {
	Mode    string    `json:"mode"`                 // as configured
	State   string    `json:"state"`                // off, observing, enforcing, on trial, or trial over
	Trial   time.Time `json:"trial_until,omitzero"` // when a trial ends that nobody confirms
	Decided uint64    `json:"decided"`              // bans that were decided, or would have been
	Spared  uint64    `json:"spared"`               // bans that were not, since the source is never banned
	Refused uint64    `json:"refused"`              // bans that the responder refused
	Pending int       `json:"pending"`              // bans that the responder has not taken yet
	Error   string    `json:"error,omitempty"`      // why not

	Bans     int                       `json:"bans"` // in the responder's store
	Backends []responder.BackendStatus `json:"backends"`
}

// respond makes what decides, and the list of who is never banned.
func (d *daemon) respond(cfg Config, do func(func(emit func(*attack.Event))) error) (*responses, *ignore.List, error) {
	allowed, err := cfg.Responses.allowed(nil, d.logger)
	if err != nil {
		return nil, nil, err
	}
	protect, err := cfg.Responses.never(allowed)
	if err != nil {
		return nil, nil, err
	}
	protect.peers = d.peerAddresses
	return newResponses(responsesOptions{
		config: cfg.Responses, state: cfg.State, never: protect, logins: protect.remote, names: allowed.Names, do: do, logger: d.logger,
	}), allowed, nil
}

type responsesOptions struct {
	config Responses
	state  string // folder
	never  policy.Never
	logins func() bool
	names  func() map[string][]netip.Addr
	do     func(func(emit func(*attack.Event))) error
	logger *slog.Logger
}

func newResponses(o responsesOptions) *responses {
	return &responses{
		mode: o.config.Mode, client: responder.Client{Socket: o.config.Socket}, never: o.never, logins: o.logins, names: o.names, state: private.Dir(o.state),
		logger: o.logger, now: time.Now, do: o.do, wake: wake.New(),
		policy: policy.New(o.config.rules(), o.never), pending: map[netip.Prefix]order{}, announced: map[netip.Prefix]time.Time{},
		moved: map[netip.Prefix]bool{}, full: map[netip.Prefix]order{}, backends: map[string]failing{},
		stats: ResponseStats{Mode: o.config.Mode, Backends: []responder.BackendStatus{}}, say: rate.NewLimiter(rate.Every(time.Minute), 10),
	}
}

// maxPending bounds the decisions that wait for the responder. Above it a source is decided about anew
// when it goes on.
const maxPending = 1 << 12

// look decides about one event.
func (r *responses) look(e *attack.Event) {
	if r.mode == modeOff {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	decisions, spared := r.policy.Event(e)
	if spared != nil {
		r.stats.Spared++
		r.logger.Debug("would ban, but never does", "source", spared.Source, "because", spared.Why)
	}
	if isLogin(e) && e.SourceIP.IsValid() && r.mode == modeEnforce {
		if source := policy.Source(e.SourceIP); !r.pending[source].Until.IsZero() {
			r.drop(source)
		}
		r.arrived = true // perhaps one who is banned
		r.wake.Ring()
	}
	now := r.now()
	for _, d := range decisions {
		r.stats.Decided++
		one := order{
			Target: d.Target, Until: now.Add(d.For), Reason: d.Reason,
			Evidence: fmt.Sprintf("%s of rule %s in %s, from %s to %s", d.Evidence.Kind, d.Evidence.Rule, d.Evidence.Log,
				d.Evidence.First.UTC().Format(time.RFC3339), d.Evidence.Last.UTC().Format(time.RFC3339)),
		}
		switch state := r.trial.state(r.mode, now); {
		case state == stateTrial && len(r.full) < maxPending:
			r.full[d.Target] = one
			one.Until = earlier(one.Until, r.trial.Until)
			r.order(one)
		case state == stateEnforcing && len(r.pending) < maxPending:
			r.order(one)
		case state == stateEnforcing || state == stateTrial:
			r.policy.Lift(d.Target)
		case r.say.AllowN(now, 1):
			r.logger.Info("would ban", "source", d.Target, "for", d.For, "because", d.Reason, "others before, not logged", r.unsaid)
			r.unsaid = 0
		default:
			r.unsaid++
		}
	}
}

func isLogin(e *attack.Event) bool {
	return (e.Kind == attack.SSHAccepted || e.Kind == attack.LoginAccepted) && !e.Test
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// order has a decision handed over; r.mu is held.
func (r *responses) order(one order) {
	r.pending[one.Target] = one
	r.moved[one.Target] = true
	r.wake.Ring()
}

// drop forgets a decision that is not to be handed over; r.mu is held.
func (r *responses) drop(target netip.Prefix) {
	delete(r.pending, target)
	delete(r.full, target)
	r.moved[target] = true
	r.policy.Lift(target)
}

func (r *responses) status() ResponseStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	stats := r.stats
	stats.Pending = len(r.pending)
	stats.State = r.trial.state(r.mode, r.now())
	if stats.State == stateTrial {
		stats.Trial = r.trial.Until
	}
	return stats
}

// inWords says in a line what responses do.
func (s ResponseStats) inWords(now time.Time) string {
	switch s.State {
	case stateOff:
		return "responses are off"
	case stateObserving:
		return fmt.Sprintf("responses observe: %d bans would have been decided, %d spared", s.Decided, s.Spared)
	}
	text := fmt.Sprintf("responses are %s: %d banned now; since the start %d decided, %d spared, %d refused", s.State, s.Bans, s.Decided, s.Spared, s.Refused)
	if s.State == stateTrial {
		text += fmt.Sprintf("\nthe trial ends in %s; keep it with: %s", s.Trial.Sub(now).Round(time.Second), confirmCommand)
	}
	return text
}

// notes says what is not as it should be, a sentence each.
func (s ResponseStats) notes() (notes []string) {
	if s.State == stateOver {
		notes = append(notes, "nobody confirmed within five minutes that bans are to be enforced; confirm it with: "+confirmCommand)
	}
	if s.Error != "" && s.Mode == modeEnforce {
		notes = append(notes, fmt.Sprintf("nobody carries bans out, and %d wait: %s", s.Pending, escape.Text(s.Error)))
	}
	for _, backend := range s.Backends {
		if backend.Error != "" {
			notes = append(notes, fmt.Sprintf("%s does not carry bans out: %s", backend.Name, escape.Text(backend.Error)))
		}
	}
	return notes
}
