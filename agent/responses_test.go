package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pialert/pialert/agent/internal/policy"
	"github.com/pialert/pialert/agent/internal/responder"
	"github.com/pialert/pialert/pkg/attack"
)

// prison is a responder that remembers who is in it.
type prison struct {
	mu       sync.Mutex
	inmates  map[netip.Prefix]responder.Ban
	names    map[string][]netip.Addr // what it was told
	down     error
	backends []responder.BackendStatus
}

func (p *prison) Ban(_ context.Context, r responder.Request) (responder.Ban, bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down != nil {
		return responder.Ban{}, false, p.down
	}
	ban := responder.Ban{Target: r.Target, Since: time.Now(), Until: time.Now().Add(r.For), Evidence: r.Evidence}
	p.inmates[r.Target] = ban
	return ban, true, nil
}

func (p *prison) Unban(_ context.Context, target netip.Prefix) (responder.Ban, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ban := p.inmates[target]
	delete(p.inmates, target)
	return ban, p.down
}

func (p *prison) Bans(_ context.Context, visit func(responder.Listed) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, ban := range p.inmates {
		if ban.Until.After(time.Now()) {
			visit(responder.Listed{Ban: ban})
		}
	}
	return p.down
}

func (p *prison) Status(context.Context) (responder.Status, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return responder.Status{Bans: len(p.inmates), Backends: slices.Clone(p.backends)}, p.down
}

func (p *prison) Tell(_ context.Context, names map[string][]netip.Addr) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down == nil {
		p.names = names
	}
	return p.down
}

// set changes the prison from outside.
func (p *prison) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

// guard is a responses in a bubble of time, with its responder and what it tells.
type guard struct {
	*responses
	t      *testing.T
	prison *prison
	safe   map[string]string       // who is never banned
	remote bool                    // somebody is logged in from elsewhere
	home   map[string][]netip.Addr // names of the allow list and what they have
	config Responses
	state  string

	mu     sync.Mutex
	events []string
	kept   map[string][]byte // what is committed
	stop   func()
}

func (g *guard) Why(target netip.Prefix) (string, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	why, ok := g.safe[target.String()]
	return why, ok
}

// resolved are the names of the allow list.
func (g *guard) resolved() map[string][]netip.Addr {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.home)
}

// watch makes responses and runs them; anew says that the owner had the configuration read.
func (g *guard) watch(anew bool) {
	g.t.Helper()
	g.responses = newResponses(responsesOptions{
		config: g.config, state: g.state, never: g, logins: func() bool { return g.remote }, names: g.resolved, logger: slog.New(slog.DiscardHandler),
		do: func(do func(emit func(*attack.Event))) error {
			g.mu.Lock()
			defer g.mu.Unlock()
			do(func(e *attack.Event) {
				g.events = append(g.events, fmt.Sprintf("%s %s%s", e.Kind, e.SourceHost, addressOf(e)))
			})
			return nil
		},
	})
	g.client = g.prison
	for key, value := range g.kept {
		if _, err := g.Restore(key, value); err != nil {
			g.t.Fatal(err)
		}
	}
	if err := g.begin(anew); err != nil {
		g.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(g.t.Context())
	done := make(chan struct{})
	r := g.responses
	go func() {
		defer close(done)
		r.Run(ctx)
	}()
	g.stop = func() {
		cancel()
		<-done
		g.Changes(func(key string, value []byte) {
			if g.kept[key] = value; value == nil {
				delete(g.kept, key)
			}
		})
	}
	g.rest(0)
}

func addressOf(e *attack.Event) string {
	if e.SourceIP.IsValid() {
		return e.SourceIP.String()
	}
	return ""
}

// rest lets time pass.
func (g *guard) rest(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (g *guard) attack(from string, kind attack.Kind, n int) {
	for range n {
		g.look(&attack.Event{Kind: kind, Observed: time.Now(), SourceIP: netip.MustParseAddr(from), Count: 1, Rule: "r", Log: "l"})
	}
	g.rest(0)
}

// holds compares who is banned now.
func (g *guard) holds(want ...string) {
	g.t.Helper()
	var got []string
	g.prison.Bans(g.t.Context(), func(ban responder.Listed) error {
		got = append(got, ban.Target.String())
		return nil
	})
	slices.Sort(got)
	if !slices.Equal(got, want) {
		g.t.Errorf("banned are %q, want %q", got, want)
	}
}

// tells compares the events since it was asked last.
func (g *guard) tells(want ...string) {
	g.t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	if !slices.Equal(g.events, want) {
		g.t.Errorf("told %q, want %q", g.events, want)
	}
	g.events = nil
}

// bubble runs a test with responses that enforce, confirmed.
func bubble(t *testing.T, change func(*guard), do func(g *guard)) {
	state := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		g := &guard{t: t, prison: &prison{inmates: map[netip.Prefix]responder.Ban{}}, safe: map[string]string{}, config: defaultResponses(), state: state, kept: map[string][]byte{}}
		g.config.Mode = modeEnforce
		if change != nil {
			change(g)
		}
		g.watch(false)
		do(g)
		g.stop()
	})
}

// A ban is told when it begins and when it ends, once each, also over restarts of the agent.
func TestABanIsToldOnceAndItsEndOnce(t *testing.T) {
	bubble(t, nil, func(g *guard) {
		g.attack("9.9.9.9", attack.SSHLogin, 20)
		g.attack("2a00:1:2:3::4", attack.SSHLogin, 5)
		g.holds("2a00:1:2:3::/64", "9.9.9.9/32")
		g.tells("ban 9.9.9.9", "ban 2a00:1:2:3::/64")
		for range 3 {
			g.stop()
			g.watch(false)
			g.rest(10 * time.Minute)
		}
		g.tells()
		g.rest(time.Hour)
		g.holds()
		g.mu.Lock()
		slices.Sort(g.events)
		g.mu.Unlock()
		g.tells("unban 2a00:1:2:3::/64", "unban 9.9.9.9")
		g.rest(time.Hour)
		g.attack("9.9.9.9", attack.SSHLogin, 5)
		g.rest(90 * time.Minute)
		g.holds("9.9.9.9/32") // the second time is longer
		g.tells("ban 9.9.9.9")
	})
}

// While the responder is away, decisions wait, over a restart too; and a ban is no longer than it was
// decided to be.
func TestDecisionsWaitForTheResponder(t *testing.T) {
	bubble(t, func(g *guard) { g.prison.down = errors.New("away") }, func(g *guard) {
		g.attack("9.9.9.8", attack.HTTPFlood, 1) // for a quarter of an hour
		g.attack("9.9.9.9", attack.SSHLogin, 5)
		g.rest(20 * time.Minute)
		g.stop()
		g.watch(false)
		g.tells("fault responder")
		if stats := g.status(); stats.Pending != 1 || stats.Error == "" {
			t.Errorf("status %+v", stats)
		}
		g.prison.set(func() { g.prison.down = nil })
		g.rest(2 * time.Second)
		g.holds("9.9.9.9/32")
		g.tells("ban 9.9.9.9")
		g.rest(39 * time.Minute)
		g.holds("9.9.9.9/32")
		g.rest(time.Minute)
		g.holds()
	})
}

// Set over SSH, enforcing ends by itself after five minutes, and so does every ban of them.
func TestATrialEndsByItself(t *testing.T) {
	bubble(t, func(g *guard) { g.remote = true }, func(g *guard) {
		if stats := g.status(); stats.State != stateTrial || time.Until(stats.Trial) != 5*time.Minute {
			t.Errorf("status %+v", stats)
		}
		g.rest(time.Minute)
		g.attack("9.9.9.9", attack.SSHLogin, 5)
		g.holds("9.9.9.9/32")
		g.stop() // a crash makes the trial no longer
		g.watch(false)
		g.rest(4 * time.Minute)
		g.holds()
		g.rest(time.Minute)
		g.tells("ban 9.9.9.9", "unban 9.9.9.9")
		g.attack("9.9.9.8", attack.SSHLogin, 50)
		g.rest(time.Hour)
		g.holds()
		g.stop()
		g.watch(false)
		if stats := g.status(); stats.State != stateOver {
			t.Errorf("a restart alone begins another trial: %+v", stats)
		}
		g.stop()
		g.watch(true)
		if stats := g.status(); stats.State != stateTrial {
			t.Errorf("the owner's reload begins no other trial: %+v", stats)
		}
		g.attack("9.9.9.8", attack.SSHLogin, 5)
		g.holds("9.9.9.8/32")
	})
}

// What the responder refuses is counted and not asked again; its source is decided about anew when it goes on.
func TestARefusedDecisionIsDropped(t *testing.T) {
	bubble(t, func(g *guard) { g.prison.down = fmt.Errorf("%w: too many", responder.ErrRefused) }, func(g *guard) {
		g.attack("9.9.9.9", attack.SSHLogin, 5)
		if stats := g.status(); stats.Refused != 1 || stats.Pending != 0 {
			t.Errorf("status %+v", stats)
		}
		g.prison.set(func() { g.prison.down = nil })
		g.rest(time.Hour)
		g.holds()
		g.attack("9.9.9.9", attack.SSHLogin, 5)
		g.holds("9.9.9.9/32")
	})
}

// Confirmed, bans last as long as they were decided to, those of the trial too.
func TestConfirm(t *testing.T) {
	bubble(t, func(g *guard) { g.remote = true }, func(g *guard) {
		g.attack("9.9.9.9", attack.SSHLogin, 5)
		g.rest(time.Minute)
		if err := g.confirm(); err != nil {
			t.Fatal(err)
		}
		g.rest(50 * time.Minute)
		g.holds("9.9.9.9/32")
		g.tells("ban 9.9.9.9")
		g.stop()
		g.watch(true)
		if stats := g.status(); stats.State != stateEnforcing {
			t.Errorf("status %+v", stats)
		}
		g.rest(10 * time.Minute)
		g.holds()
		g.config.Mode = modeObserve
		g.stop()
		g.watch(true)
		if err := g.confirm(); err == nil || !strings.Contains(err.Error(), "observe") {
			t.Errorf("confirmed what is not enforced: %v", err)
		}
		g.config.Mode = modeEnforce
		g.stop()
		g.watch(true)
		if stats := g.status(); stats.State != stateTrial {
			t.Errorf("after observing, enforcing is no trial: %+v", stats)
		}
	})
}

// Where nobody is logged in from elsewhere, nobody can lock himself out.
func TestNoTrialAtTheConsole(t *testing.T) {
	bubble(t, nil, func(g *guard) {
		if stats := g.status(); stats.State != stateEnforcing {
			t.Errorf("status %+v", stats)
		}
	})
}

// What was decided while observing bans nobody once it is enforced; what was enforced is taken back
// once it is only observed, but not what a person banned.
func TestObservingAndEnforcing(t *testing.T) {
	bubble(t, func(g *guard) { g.config.Mode = modeObserve }, func(g *guard) {
		g.attack("9.9.9.9", attack.SSHLogin, 50)
		g.holds()
		g.config.Mode = modeEnforce
		g.stop()
		g.watch(true)
		g.holds()
		g.attack("9.9.9.9", attack.SSHLogin, 4)
		g.holds()
		g.attack("9.9.9.9", attack.SSHLogin, 1)
		g.holds("9.9.9.9/32")
		g.prison.Ban(t.Context(), responder.Request{Target: netip.MustParsePrefix("9.9.9.7/32"), For: 24 * time.Hour, Reason: "by hand"})
		g.config.Mode = modeObserve
		g.stop()
		g.watch(true)
		g.rest(2 * time.Minute)
		g.holds("9.9.9.7/32")
		g.tells("ban 9.9.9.9", "unban 9.9.9.9")
	})
}

// Who becomes one who is never banned is let in again: by logging in, or since a name now means him.
func TestWhoIsLetInAgain(t *testing.T) {
	bubble(t, nil, func(g *guard) {
		g.attack("9.9.9.9", attack.SSHLogin, 5)
		g.attack("9.9.9.8", attack.SSHLogin, 5)
		g.attack("9.9.9.7", attack.SSHLogin, 5)
		g.holds("9.9.9.7/32", "9.9.9.8/32", "9.9.9.9/32")
		g.attack("9.9.9.9", attack.SSHAccepted, 1) // his connection was open
		g.holds("9.9.9.7/32", "9.9.9.8/32")
		g.attack("9.9.9.9", attack.SSHLogin, 50)
		g.mu.Lock()
		g.safe["9.9.9.8/32"] = "home.example.org is there now"
		g.mu.Unlock()
		g.rest(2 * time.Minute)
		g.holds("9.9.9.7/32")
		g.tells("ban 9.9.9.9", "ban 9.9.9.8", "ban 9.9.9.7", "unban 9.9.9.9", "unban 9.9.9.8")
	})
}

// Whom somebody lets in behind the agent's back is decided about anew.
func TestTheResponderForgets(t *testing.T) {
	bubble(t, nil, func(g *guard) {
		g.attack("9.9.9.9", attack.SSHLogin, 5)
		g.prison.set(func() { clear(g.prison.inmates) })
		g.rest(2 * time.Minute)
		g.tells("ban 9.9.9.9", "unban 9.9.9.9")
		g.attack("9.9.9.9", attack.SSHLogin, 5)
		g.holds("9.9.9.9/32")
	})
}

// The responder is told what names of the allow list have: at once when that changes, and again and again,
// as it may be another one by then. A name that nothing was found for takes nothing away.
func TestTheResponderIsToldOfNames(t *testing.T) {
	home := func(addresses ...string) map[string][]netip.Addr {
		all := map[string][]netip.Addr{"unknown.example.org": nil}
		for _, one := range addresses {
			all["home.example.org"] = append(all["home.example.org"], netip.MustParseAddr(one))
		}
		return all
	}
	bubble(t, func(g *guard) { g.home = home("203.0.113.7") }, func(g *guard) {
		told := func(want string) {
			t.Helper()
			g.prison.set(func() {
				if got := fmt.Sprint(g.prison.names); got != want {
					t.Errorf("told %s, want %s", got, want)
				}
				g.prison.names = nil
			})
		}
		told("map[home.example.org:[203.0.113.7]]")
		g.mu.Lock()
		g.home = home("203.0.113.8", "203.0.113.9")
		g.mu.Unlock()
		g.rest(tendEvery)
		told("map[home.example.org:[203.0.113.8 203.0.113.9]]")
		g.rest(tendEvery)
		told("map[]")
		g.rest(2 * compareEvery)
		told("map[home.example.org:[203.0.113.8 203.0.113.9]]")
	})
}

// A backend that fails is told once, not at each look.
func TestAFailingBackendIsToldOnce(t *testing.T) {
	bubble(t, nil, func(g *guard) {
		g.prison.set(func() {
			g.prison.backends = []responder.BackendStatus{{Name: "nftables", Error: "no such kernel"}, {Name: "hosts_deny"}}
		})
		g.rest(50 * time.Minute)
		g.tells("fault nftables")
		if stats := g.status(); len(stats.Backends) != 2 || stats.Backends[0].Error != "no such kernel" {
			t.Errorf("status %+v", stats)
		}
		g.prison.set(func() { g.prison.backends[0].Error = "" })
		g.rest(time.Minute)
		g.prison.set(func() { g.prison.backends[0].Error = "again" })
		g.rest(time.Minute)
		g.tells()
		g.rest(time.Hour)
		g.tells("fault nftables")
	})
}

// What is kept is all that there is: keys that make no sense are refused, others are another's.
func TestRestoreOfResponses(t *testing.T) {
	r := newResponses(responsesOptions{config: defaultResponses(), never: &guard{}, logger: slog.New(slog.DiscardHandler)})
	for key, want := range map[string]bool{
		"connection/1": true, pendingKey + "9.9.9.9/32": false, pendingKey + "x": false, announcedKey + "9.9.9.9/32": false, policyKey + "x": false,
	} {
		own, err := r.Restore(key, []byte("{"))
		if own == want || own == (err == nil) {
			t.Errorf("%q: own %t, %v", key, own, err)
		}
	}
	if left := slices.Collect(maps.Keys(r.pending)); len(left) > 0 {
		t.Errorf("pending %v", left)
	}
	var _ policy.Never = &guard{}
}

func TestResponsesInWords(t *testing.T) {
	now := time.Now()
	for want, stats := range map[string]ResponseStats{
		"responses are off": {State: stateOff},
		"responses observe: 3 bans would have been decided, 1 spared":                                           {State: stateObserving, Decided: 3, Spared: 1},
		"responses are enforcing: 2 banned now; since the start 3 decided, 1 spared, 0 refused":                 {State: stateEnforcing, Bans: 2, Decided: 3, Spared: 1},
		"the trial ends in 4m0s; keep it with: sudo pialert-agent responses confirm":                            {State: stateTrial, Trial: now.Add(4 * time.Minute)},
		"nobody confirmed within five minutes that bans are to be enforced; confirm it with: " + confirmCommand: {State: stateOver},
		"nobody carries bans out, and 4 wait: away":                                                             {State: stateEnforcing, Mode: modeEnforce, Error: "away", Pending: 4},
		`nftables does not carry bans out: no\tkernel`:                                                          {Backends: []responder.BackendStatus{{Name: "nftables", Error: "no\tkernel"}}},
	} {
		text := strings.Join(append([]string{stats.inWords(now)}, stats.notes()...), "\n")
		if !strings.Contains(text, want) {
			t.Errorf("%+v is %q, want %q", stats, text, want)
		}
	}
}
