package responder_test

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pialert/pialert/agent/internal/responder"
	"github.com/pialert/pialert/agent/internal/value"
)

// wall is a backend that remembers what is in force, and can fail.
type wall struct {
	mu      sync.Mutex
	inForce map[netip.Prefix]time.Time
	broken  error
	changed func()
	dropped uint64 // packets
}

func (w *wall) Dropped() (packets, bytes uint64, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dropped, 60 * w.dropped, nil
}

func (w *wall) Sync(_ context.Context, bans []responder.Ban, _ value.Networks, _ time.Time) (changed int, err error) {
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
		Path: path, Bounds: responder.DefaultBounds(), Allow: func() value.Networks { return value.NewNetworks(netip.MustParsePrefix("198.51.100.0/24")) },
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

// reopen closes a responder and opens its store anew, as a restart does.
func reopen(t *testing.T, r *responder.Responder, o responder.Options) *responder.Responder {
	t.Helper()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return open(t, o)
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
