package responder_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pialert/pialert/agent/internal/responder"
	"github.com/pialert/pialert/agent/internal/value"
)

func TestABanIsInForceAtOnceAndEnds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bans.db")
	synctest.Test(t, func(t *testing.T) {
		w := &wall{}
		run(t, options(path, map[string]responder.Backend{"wall": w}), func(r *responder.Responder) {
			if _, _, err := r.Ban(ask("9.9.9.9/32", time.Minute)); err != nil {
				t.Fatal(err)
			}
			wants(t, w, "9.9.9.9/32") // before anything else happens
			w.mu.Lock()
			w.dropped = 7
			w.mu.Unlock()
			time.Sleep(2 * time.Minute)
			synctest.Wait()
			wants(t, w)
			if status := r.Status(); status.Backends[0].Dropped != 7 {
				t.Errorf("status %+v, want 7 packets dropped", status)
			}
			if bans := r.Bans(); len(bans) != 0 {
				t.Errorf("bans %+v", bans)
			}
		})
	})
}

// A backend that fails gets everything once it is well, and holds up no other.
func TestABackendThatFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bans.db")
	synctest.Test(t, func(t *testing.T) {
		good, bad := &wall{}, &wall{broken: errors.New("no such kernel")}
		run(t, options(path, map[string]responder.Backend{"good": good, "bad": bad}), func(r *responder.Responder) {
			if _, _, err := r.Ban(ask("9.9.9.9/32", time.Hour)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			synctest.Wait()
			wants(t, good, "9.9.9.9/32")
			wants(t, bad)
			status := r.Status()
			if status.Backends[0].Error != "no such kernel" || status.Backends[1].Error != "" || status.Backends[1].Synced.IsZero() {
				t.Errorf("status %+v", status)
			}
			bad.set(nil)
			time.Sleep(11 * time.Second)
			synctest.Wait()
			wants(t, bad, "9.9.9.9/32")
			if status := r.Status(); status.Backends[0].Error != "" {
				t.Errorf("status %+v", status)
			}
		})
	})
}

// slow is a backend that takes its time, as a router does, and cannot put one ban in force by itself.
type slow struct{ wall }

func (s *slow) Sync(ctx context.Context, bans []responder.Ban, allow value.Networks, now time.Time) (int, error) {
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(30 * time.Second):
	}
	return s.wall.Sync(ctx, bans, allow, now)
}

func (s *slow) Add() {} // hides the other: it is not quick

// A backend that takes half a minute holds up neither a decision, nor the other backend, nor an answer.
func TestASlowBackendHoldsUpNobody(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bans.db")
	synctest.Test(t, func(t *testing.T) {
		fast, slow := &wall{}, &slow{}
		run(t, options(path, map[string]responder.Backend{"fast": fast, "slow": slow}), func(r *responder.Responder) {
			before := time.Now()
			if _, _, err := r.Ban(ask("9.9.9.9/32", time.Hour)); err != nil {
				t.Fatal(err)
			}
			if bans := r.Bans(); len(bans) != 1 || !slices.Equal(bans[0].InForce, []string{"fast"}) {
				t.Errorf("bans %+v", bans)
			}
			r.Status()
			wants(t, fast, "9.9.9.9/32")
			if waited := time.Since(before); waited > 0 {
				t.Errorf("it took %s", waited)
			}
			time.Sleep(2 * time.Minute)
			synctest.Wait()
			if bans := r.Bans(); !slices.Equal(bans[0].InForce, []string{"fast", "slow"}) {
				t.Errorf("bans %+v", bans)
			}
		})
	})
}

// What the owner takes into the allow list is let in, though it was banned before.
func TestTheAllowListHoldsForOldBansToo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bans.db")
	synctest.Test(t, func(t *testing.T) {
		w := &wall{}
		var mu sync.Mutex
		var allow value.Networks
		o := options(path, map[string]responder.Backend{"wall": w})
		o.Allow = func() value.Networks {
			mu.Lock()
			defer mu.Unlock()
			return allow
		}
		run(t, o, func(r *responder.Responder) {
			for _, target := range []string{"9.9.9.9/32", "9.9.8.0/24", "9.9.7.7/32"} {
				if _, _, err := r.Ban(ask(target, time.Hour)); err != nil {
					t.Fatal(err)
				}
			}
			mu.Lock()
			allow = value.NewNetworks(netip.MustParsePrefix("9.9.9.0/24"), netip.MustParsePrefix("9.9.8.8/32"))
			mu.Unlock()
			time.Sleep(11 * time.Second)
			synctest.Wait()
			wants(t, w, "9.9.7.7/32")
		})
	})
}

// Whom the responder itself knows must not be banned, it does not, whoever asks.
func TestNever(t *testing.T) {
	o := options(filepath.Join(t.TempDir(), "bans.db"), nil)
	o.Never = func(target netip.Prefix) (string, bool) {
		return "it is a gateway", target.Contains(netip.MustParseAddr("9.9.9.1"))
	}
	r := open(t, o)
	defer r.Close()
	if _, _, err := r.Ban(ask("9.9.9.0/24", time.Hour)); !errors.Is(err, responder.ErrRefused) || !strings.Contains(err.Error(), "it is a gateway") {
		t.Errorf("a gateway: %v", err)
	}
	if _, _, err := r.Ban(ask("9.9.9.2/32", time.Hour)); err != nil {
		t.Error(err)
	}
}

// A decision that is handed over twice is one: its end stays, and nothing is new the second time.
func TestTheSameDecisionTwice(t *testing.T) {
	o := options(filepath.Join(t.TempDir(), "bans.db"), nil)
	now := time.Now()
	o.Now = func() time.Time { return now }
	r := open(t, o)
	defer r.Close()
	for i, test := range []struct {
		after, span time.Duration
		fresh       bool
	}{{0, time.Hour, true}, {time.Minute, 59*time.Minute + 100*time.Millisecond, false}, {time.Minute, 10 * time.Minute, false}, {0, 2 * time.Hour, true}, {3 * time.Hour, time.Minute, true}} {
		now = now.Add(test.after)
		if _, fresh, err := r.Ban(ask("9.9.9.9/32", test.span)); err != nil || fresh != test.fresh {
			t.Errorf("%d: fresh %t, %v", i, fresh, err)
		}
	}
}

// What somebody else takes away is put back: at once where the backend notices, else within ten seconds.
func TestForeignChangesAreRepaired(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bans.db")
	synctest.Test(t, func(t *testing.T) {
		w := &wall{}
		run(t, options(path, map[string]responder.Backend{"wall": w}), func(r *responder.Responder) {
			if _, _, err := r.Ban(ask("9.9.9.9/32", time.Hour)); err != nil {
				t.Fatal(err)
			}
			for _, wait := range []time.Duration{time.Second, 11 * time.Second} {
				w.mu.Lock()
				w.inForce = map[netip.Prefix]time.Time{}
				noticed := w.changed
				w.mu.Unlock()
				if wait == time.Second {
					noticed()
				}
				time.Sleep(wait)
				synctest.Wait()
				wants(t, w, "9.9.9.9/32")
			}
			if got := r.Status().Backends[0].Repaired; got != 2 {
				t.Errorf("%d repairs are counted, want 2", got)
			}
		})
	})
}

func TestUnbanPauseAndFlush(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bans.db")
	synctest.Test(t, func(t *testing.T) {
		w := &wall{}
		settle := func() {
			time.Sleep(time.Second)
			synctest.Wait()
		}
		run(t, options(path, map[string]responder.Backend{"wall": w}), func(r *responder.Responder) {
			for _, target := range []string{"9.9.9.7/32", "9.9.9.8/32", "2a00:1:2:3::/64"} {
				if _, _, err := r.Ban(ask(target, time.Hour)); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := r.Unban(netip.MustParsePrefix("9.9.9.7/32")); err != nil {
				t.Fatal(err)
			}
			if _, err := r.Unban(netip.MustParsePrefix("9.9.9.7/32")); !errors.Is(err, responder.ErrNotBanned) {
				t.Errorf("unbanned twice: %v", err)
			}
			settle()
			wants(t, w, "2a00:1:2:3::/64", "9.9.9.8/32")
			if err := r.Pause(5 * time.Minute); err != nil {
				t.Fatal(err)
			}
			settle()
			wants(t, w)
			if _, _, err := r.Ban(ask("9.9.9.9/32", time.Hour)); err != nil {
				t.Fatal(err)
			}
			wants(t, w)
			time.Sleep(5*time.Minute - time.Second) // less the second that was let pass
			settle()
			wants(t, w, "2a00:1:2:3::/64", "9.9.9.8/32", "9.9.9.9/32")
			if n, err := r.Flush(); n != 3 || err != nil {
				t.Errorf("flushed %d, %v", n, err)
			}
			settle()
			wants(t, w)
			if got := r.Status().Backends[0].Repaired; got != 0 {
				t.Errorf("%d repairs are counted of what was decided", got)
			}
		})
	})
}

func TestRefusals(t *testing.T) {
	o := options(filepath.Join(t.TempDir(), "bans.db"), nil)
	o.Bounds.Bans, o.Bounds.PerMinute = 3, 4
	r := open(t, o)
	defer r.Close()
	long := responder.Request{Target: netip.MustParsePrefix("9.9.9.9/32"), For: time.Hour, Reason: strings.Repeat("x", 2000)}
	for name, request := range map[string]responder.Request{
		"nothing":        {},
		"half of it":     ask("0.0.0.0/1", time.Hour),
		"a large one":    ask("9.0.0.0/15", time.Hour),
		"a large IPv6":   ask("2a00::/31", time.Hour),
		"one of IPv6":    ask("2a00::1/128", time.Hour),
		"not masked":     {Target: netip.PrefixFrom(netip.MustParseAddr("9.9.9.9"), 24), For: time.Hour},
		"mapped":         {Target: netip.PrefixFrom(netip.MustParseAddr("::ffff:9.9.9.9"), 128), For: time.Hour},
		"for ever":       ask("9.9.9.9/32", 31*24*time.Hour),
		"for no time":    ask("9.9.9.9/32", 0),
		"backwards":      ask("9.9.9.9/32", -time.Hour),
		"allowed":        ask("198.51.100.7/32", time.Hour),
		"around allowed": ask("198.51.0.0/16", time.Hour),
		"a novel":        long,
	} {
		if _, _, err := r.Ban(request); !errors.Is(err, responder.ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range 3 {
		if _, _, err := r.Ban(ask(fmt.Sprintf("9.9.9.%d/32", i), time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := r.Ban(ask("9.9.9.3/32", time.Hour)); !errors.Is(err, responder.ErrRefused) {
		t.Errorf("a fourth ban of three: %v", err)
	}
	if _, _, err := r.Ban(ask("9.9.9.0/32", 2*time.Hour)); err != nil {
		t.Errorf("one of them again: %v", err)
	}
	if _, err := r.Flush(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Ban(ask("9.9.9.3/32", time.Hour)); err != nil {
		t.Errorf("the fourth of a minute: %v", err)
	}
	if _, _, err := r.Ban(ask("9.9.9.4/32", time.Hour)); !errors.Is(err, responder.ErrRefused) {
		t.Errorf("the fifth of a minute: %v", err)
	}
}
