package responder_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"

	"github.com/pialert/pialert/agent/internal/responder"
)

// wall is a backend that remembers what is in force, and can fail.
type wall struct {
	mu      sync.Mutex
	inForce map[netip.Prefix]time.Time
	broken  error
	changed func()
}

func (w *wall) Sync(_ context.Context, bans []responder.Ban, _ []netip.Prefix, _ time.Time) (changed int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken != nil {
		return 0, w.broken
	}
	want := map[netip.Prefix]time.Time{}
	for _, b := range bans {
		want[b.Target] = b.Until
		if !w.inForce[b.Target].Equal(b.Until) {
			changed++
		}
	}
	for target := range w.inForce {
		if _, ok := want[target]; !ok {
			changed++
		}
	}
	w.inForce = want
	return changed, nil
}

func (w *wall) Add(b responder.Ban, _ time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken != nil || w.inForce == nil {
		return errors.New("not now")
	}
	w.inForce[b.Target] = b.Until
	return nil
}

func (w *wall) Watch(ctx context.Context, changed func()) error {
	w.mu.Lock()
	w.changed = changed
	w.mu.Unlock()
	<-ctx.Done()
	return nil
}

func (w *wall) Leave() error { return nil }

func (w *wall) set(broken error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = broken
}

// holds lists what is in force.
func (w *wall) holds() (all []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for target := range w.inForce {
		all = append(all, target.String())
	}
	slices.Sort(all)
	return all
}

func options(path string, backends map[string]responder.Backend) responder.Options {
	return responder.Options{
		Path: path, Bounds: responder.DefaultBounds(), Allow: func() []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")} },
		Backends: backends, Now: time.Now, Logger: slog.New(slog.DiscardHandler),
	}
}

func open(t *testing.T, o responder.Options) *responder.Responder {
	t.Helper()
	r, err := responder.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func ask(target string, span time.Duration) responder.Request {
	return responder.Request{Target: netip.MustParsePrefix(target), For: span, Reason: "5 attempts"}
}

func wants(t *testing.T, w *wall, targets ...string) {
	t.Helper()
	if got := w.holds(); !slices.Equal(got, targets) {
		t.Errorf("in force are %q, want %q", got, targets)
	}
}

// run runs a responder in a bubble of time.
func run(t *testing.T, o responder.Options, do func(r *responder.Responder)) {
	t.Helper()
	r := open(t, o)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	time.Sleep(time.Second)
	synctest.Wait()
	do(r)
	stop()
	if err := errors.Join(<-done, r.Close()); err != nil {
		t.Error(err)
	}
}

func TestABanIsInForceAtOnceAndEnds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bans.db")
	synctest.Test(t, func(t *testing.T) {
		w := &wall{}
		run(t, options(path, map[string]responder.Backend{"wall": w}), func(r *responder.Responder) {
			if _, _, err := r.Ban(ask("9.9.9.9/32", time.Minute)); err != nil {
				t.Fatal(err)
			}
			wants(t, w, "9.9.9.9/32") // before anything else happens
			time.Sleep(2 * time.Minute)
			synctest.Wait()
			wants(t, w)
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

func (s *slow) Sync(ctx context.Context, bans []responder.Ban, allow []netip.Prefix, now time.Time) (int, error) {
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
		var allow []netip.Prefix
		o := options(path, map[string]responder.Backend{"wall": w})
		o.Allow = func() []netip.Prefix {
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
			allow = []netip.Prefix{netip.MustParsePrefix("9.9.9.0/24"), netip.MustParsePrefix("9.9.8.8/32")}
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
			time.Sleep(6 * time.Minute)
			synctest.Wait()
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

// Whatever is decided, and whenever it is stopped, a responder goes on where it was.
func TestRestarts(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	now := time.Now()
	o := options(filepath.Join(t.TempDir(), "bans.db"), nil)
	o.Now = func() time.Time { return now }
	r := open(t, o)
	truth := map[string]time.Time{}
	for range 500 {
		target := fmt.Sprintf("9.9.9.%d/32", random.IntN(40))
		switch random.IntN(4) {
		case 0:
			_, err := r.Unban(netip.MustParsePrefix(target))
			if _, banned := truth[target]; banned != (err == nil) && truth[target].After(now) {
				t.Fatalf("unban %s: %v", target, err)
			}
			delete(truth, target)
		case 1:
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			r = open(t, o)
		default:
			span := time.Duration(1+random.IntN(600)) * time.Second
			if _, _, err := r.Ban(ask(target, span)); err != nil {
				t.Fatal(err)
			}
			if until := now.Add(span); until.After(truth[target].Add(time.Second)) || !truth[target].After(now) {
				truth[target] = until
			}
		}
		now = now.Add(time.Duration(random.IntN(10)) * time.Second)
		var want, got []string
		for target, until := range truth {
			if until.After(now) {
				want = append(want, target+" "+until.Format(time.RFC3339Nano))
			}
		}
		for _, b := range r.Bans() {
			got = append(got, b.Target.String()+" "+b.Until.Format(time.RFC3339Nano))
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Fatalf("bans\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// Nothing that comes over the socket can ban beyond the bounds, or break the responder.
func FuzzBan(f *testing.F) {
	for _, r := range []responder.Request{ask("9.9.9.9/32", time.Hour), ask("2a00::/64", time.Second), ask("0.0.0.0/0", time.Hour)} {
		text, err := json.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(`{"target":"198.51.100.1/24","for":-1}`))
	r, err := responder.Open(options(filepath.Join(f.TempDir(), "bans.db"), nil))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { r.Close() })
	handler, allowed := r.Handler(), netip.MustParsePrefix("198.51.100.0/24")
	f.Fuzz(func(t *testing.T, body []byte) {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest("POST", "/ban", bytes.NewReader(body)))
		for _, b := range r.Bans() {
			least := 16
			if b.Target.Addr().Is6() {
				least = 32
			}
			if b.Target.Bits() < least || b.Target.Overlaps(allowed) || b.Until.Sub(b.Since) > 30*24*time.Hour {
				t.Fatalf("%q banned %+v", body, b)
			}
		}
		if _, err := r.Flush(); err != nil {
			t.Fatal(err)
		}
	})
}

// A file whose bans cannot be read is refused, not taken for one without bans.
func TestADamagedStoreIsRefused(t *testing.T) {
	for key, value := range map[string]string{"9.9.9.9/32": "short", "9.9.9.9/33": strings.Repeat("x", 40), "9.9.9.9/24": strings.Repeat("\x00", 40), "9.9.9.8/32": strings.Repeat("\xff", 18)} {
		path := filepath.Join(t.TempDir(), "bans.db")
		db, err := bbolt.Open(path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		err = db.Update(func(tx *bbolt.Tx) error {
			bucket, err := tx.CreateBucket([]byte("bans"))
			if err != nil {
				return err
			}
			return bucket.Put([]byte(key), []byte(value))
		})
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := responder.Open(options(path, nil)); err == nil || !strings.Contains(err.Error(), "cannot be read") {
			t.Errorf("%q: %v", key, err)
		}
	}
}
