package enforce

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
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

func (p *prison) Flush(context.Context) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.inmates)
	clear(p.inmates)
	return n, p.down
}

// set changes the prison from outside.
func (p *prison) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

// guard is an Enforcer in a bubble of time, with its responder and what it tells.
type guard struct {
	*Enforcer
	t      *testing.T
	prison *prison
	safe   map[string]string       // who is never banned
	remote bool                    // somebody is logged in from elsewhere
	home   map[string][]netip.Addr // names of the allow list and what they have
	mode   string
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
	g.Enforcer = New(Options{
		Mode: g.mode, Policy: policy.Defaults(), Never: g, Responder: g.prison, State: g.state, Now: time.Now,
		Logins: func() bool { return g.remote }, Names: g.resolved, Logger: slog.New(slog.DiscardHandler),
		Do: func(do func(emit func(*attack.Event))) error {
			g.mu.Lock()
			defer g.mu.Unlock()
			do(func(e *attack.Event) {
				g.events = append(g.events, fmt.Sprintf("%s %s%s", e.Kind, e.SourceHost, addressOf(e)))
			})
			return nil
		},
	})
	for key, value := range g.kept {
		if _, err := g.Restore(key, value); err != nil {
			g.t.Fatal(err)
		}
	}
	if err := g.Begin(anew); err != nil {
		g.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(g.t.Context())
	done := make(chan struct{})
	en := g.Enforcer
	go func() {
		defer close(done)
		en.Run(ctx)
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
		g.Look(&attack.Event{Kind: kind, Observed: time.Now(), SourceIP: netip.MustParseAddr(from), Count: 1, Rule: "r", Log: "l"})
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
		g := &guard{t: t, prison: &prison{inmates: map[netip.Prefix]responder.Ban{}}, safe: map[string]string{}, mode: Enforce, state: state, kept: map[string][]byte{}}
		if change != nil {
			change(g)
		}
		g.watch(false)
		do(g)
		g.stop()
	})
}
