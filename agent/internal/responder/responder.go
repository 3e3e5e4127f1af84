package responder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/pialert/pialert/agent/internal/value"
	"github.com/pialert/pialert/pkg/wake"
)

// Options say what a Responder works with.
type Options struct {
	Path     string // of the file with the bans
	Bounds   Bounds
	Allow    func() value.Networks                              // never banned, whatever is decided, as known now; nil is nobody
	Names    func() []string                                    // whose addresses are not banned either, as soon as they are told; nil is none
	Never    func(target netip.Prefix) (why string, never bool) // who is not banned either; nil is nobody
	Backends map[string]Backend
	Now      func() time.Time
	Logger   *slog.Logger
}

// Responder carries out decisions. Its methods may be called from several goroutines at once.
type Responder struct {
	options Options
	limit   *rate.Limiter
	store   *store
	workers map[string]*worker

	mu       sync.Mutex
	bans     map[netip.Prefix]Ban
	paused   time.Time            // until when nothing is in force
	resolved map[string]addresses // of names in the allow list; never changed, only replaced
}

// Open reads the bans. It starts nothing and touches no backend.
func Open(options Options) (*Responder, error) {
	if options.Allow == nil {
		options.Allow = func() value.Networks { return value.Networks{} }
	}
	if options.Never == nil {
		options.Never = func(netip.Prefix) (string, bool) { return "", false }
	}
	if options.Names == nil {
		options.Names = func() []string { return nil }
	}
	store, found, err := openStore(options.Path)
	if err != nil {
		return nil, err
	}
	found.settle(options.Now())
	r := &Responder{
		options: options, store: store, bans: found.bans, paused: found.paused, resolved: found.resolved, workers: map[string]*worker{},
		limit: rate.NewLimiter(rate.Limit(float64(options.Bounds.PerMinute)/60), options.Bounds.PerMinute),
	}
	for name, backend := range options.Backends {
		r.workers[name] = &worker{name: name, backend: backend, desired: r.desired, now: options.Now, logger: options.Logger, wake: wake.New()}
	}
	return r, nil
}

// Close closes the file with the bans.
func (r *Responder) Close() error { return r.store.close() }

// again is by how much a ban of the same target may end later and still be the same decision, handed over
// once more.
const again = time.Second

// Ban takes a decision. When it returns, the ban is on disk and in force in every quick backend that is
// well; in the others it soon is. A ban of the same target gets the later end of the two; fresh says
// whether anything has changed.
func (r *Responder) Ban(request Request) (ban Ban, fresh bool, err error) {
	now := r.options.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.check(request); err != nil {
		return Ban{}, false, err
	}
	former, renewed := r.bans[request.Target]
	ban = Ban{Target: request.Target, Since: now, Until: now.Add(request.For), Reason: request.Reason, Evidence: request.Evidence}
	if renewed && former.Until.After(now) {
		if ban.Since = former.Since; !ban.Until.After(former.Until.Add(again)) {
			return former, false, nil
		}
	} else if err := r.room(now); err != nil {
		return Ban{}, false, err
	}
	if !now.Before(r.paused) { // first the packets: the disk may take its time
		for _, w := range r.workers {
			w.add(ban, now)
		}
	}
	if err := r.store.change([]Ban{ban}, nil); err != nil {
		r.ring()
		return Ban{}, false, fmt.Errorf("cannot keep a ban: %w", err)
	}
	r.bans[ban.Target] = ban
	return ban, true, nil
}

// check refuses what must not be banned; r.mu is held.
func (r *Responder) check(request Request) error {
	if err := r.options.Bounds.check(request); err != nil {
		return err
	}
	for _, list := range []value.Networks{r.options.Allow(), value.NewNetworks(r.named()...)} { // joining them would sort thousands
		if one, found := list.Overlapping(request.Target); found {
			return fmt.Errorf("%w: %s is in the responder's allow list by %s", ErrRefused, request.Target, one)
		}
	}
	if why, never := r.options.Never(request.Target); never {
		return fmt.Errorf("%w: %s is never banned: %s", ErrRefused, request.Target, why)
	}
	return nil
}

// room refuses one more ban where there are too many, or they come too fast.
func (r *Responder) room(now time.Time) error {
	if len(r.bans) >= r.options.Bounds.Bans {
		return fmt.Errorf("%w: %d bans are in force", ErrRefused, len(r.bans))
	}
	if !r.limit.AllowN(now, 1) {
		return fmt.Errorf("%w: more than %d bans a minute", ErrRefused, r.options.Bounds.PerMinute)
	}
	return nil
}

// ErrNotBanned says that a target that is to be let in again is not banned.
var ErrNotBanned = errors.New("it is not banned")

// Unban lets a target in again.
func (r *Responder) Unban(target netip.Prefix) (Ban, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ban, ok := r.bans[target]
	if !ok {
		return Ban{}, fmt.Errorf("cannot unban %s: %w", target, ErrNotBanned)
	}
	return ban, r.lift([]netip.Prefix{target})
}

// Flush lets everybody in again, and returns how many that were.
func (r *Responder) Flush() (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.bans)
	return n, r.lift(slices.Collect(maps.Keys(r.bans)))
}

// lift forgets bans; r.mu is held.
func (r *Responder) lift(targets []netip.Prefix) error {
	if err := r.store.change(nil, targets); err != nil {
		return fmt.Errorf("cannot forget a ban: %w", err)
	}
	for _, target := range targets {
		delete(r.bans, target)
	}
	r.ring()
	return nil
}

// Pause has nothing in force for a while, also after a restart; 0 ends a pause.
func (r *Responder) Pause(span time.Duration) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	until := r.options.Now().Add(span)
	if err := r.store.pause(until); err != nil {
		return fmt.Errorf("cannot keep a pause: %w", err)
	}
	r.paused = until
	r.ring()
	time.AfterFunc(span, r.ring) // it is over to the second; after a restart, at the next look
	return nil
}

func (r *Responder) ring() {
	for _, w := range r.workers {
		w.wake.Ring()
	}
}

// desired returns the bans that should be in force now, and whom they must not hit.
func (r *Responder) desired(now time.Time) (bans []Ban, allow value.Networks) {
	r.mu.Lock()
	defer r.mu.Unlock()
	allow = r.options.Allow().With(r.named()...)
	if now.Before(r.paused) {
		return nil, allow
	}
	bans = make([]Ban, 0, len(r.bans))
	for _, ban := range r.bans {
		if _, allowed := allow.Overlapping(ban.Target); !allowed && ban.Until.After(now) {
			bans = append(bans, ban)
		}
	}
	return bans, allow
}

// expireEvery is how often bans that are over are forgotten.
const expireEvery = time.Minute

// Run keeps the backends right until ctx ends, and returns nil then. What ends by itself stays in force.
func (r *Responder) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, w := range r.workers {
		group.Go(func() error { return w.run(ctx) })
		group.Go(func() error { return w.watch(ctx) })
	}
	group.Go(func() error {
		tick := time.NewTicker(expireEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
				r.expire()
			}
		}
	})
	return group.Wait()
}

// expire forgets bans that are over.
func (r *Responder) expire() {
	now := r.options.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	var over []netip.Prefix
	for target, ban := range r.bans {
		if !ban.Until.After(now) {
			over = append(over, target)
		}
	}
	if len(over) == 0 {
		return
	}
	if err := r.store.change(nil, over); err != nil {
		r.options.Logger.Error("cannot forget bans that are over; they are not in force", "error", err)
		return
	}
	for _, target := range over {
		delete(r.bans, target)
	}
}
