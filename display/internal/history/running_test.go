package history_test

import (
	"context"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pialert/pialert/display/internal/history"
	"github.com/pialert/pialert/pkg/attack"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 123456789, time.UTC)

// event returns an event as an agent sends it, the nth of its kind.
func event(n int) attack.Event {
	return attack.Event{
		Kind: attack.SSHLogin, Severity: attack.Medium, Rule: "sshd-failed-password",
		Logged: noon.Add(-time.Second), Observed: noon, SourceIP: netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}),
		SourcePort: 40022, User: "root", Count: 1, Log: "/var/log/auth.log", Detail: attack.SSH{Method: "password"},
	}
}

func events(n int) []attack.Event {
	list := make([]attack.Event, n)
	for i := range list {
		list[i] = event(i)
	}
	return list
}

// running is a history whose writer runs until the test ends or stop is called.
type running struct {
	*history.History
	t    testing.TB
	stop func()
	log  *logBook
}

func options(path string) history.Options {
	return history.Options{Path: path, Zone: func() *time.Location { return time.UTC }, Now: func() time.Time { return noon }}
}

// optionsAt are those of a new history by a clock that the test moves.
func optionsAt(t testing.TB, now *time.Time) history.Options {
	o := options(file(t))
	o.Now = func() time.Time { return *now }
	return o
}

func start(t testing.TB, o history.Options) *running {
	t.Helper()
	book := new(logBook)
	o.Logger = slog.New(slog.NewTextHandler(book, nil))
	h, err := history.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var runs sync.WaitGroup
	runs.Go(func() {
		if err := h.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	r := &running{History: h, t: t, log: book}
	r.stop = sync.OnceFunc(func() {
		cancel()
		runs.Wait()
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(r.stop)
	return r
}

// batch is what one call appends: events, or a gap.
type batch struct {
	agent             string
	epoch, first      uint64
	events            []attack.Event
	through, attempts uint64
}

func (b batch) appendTo(ctx context.Context, h *history.History, done func(committed uint64, err error)) error {
	if b.through > 0 {
		return h.Skip(ctx, b.agent, b.epoch, b.through, b.attempts, done)
	}
	return h.Append(ctx, b.agent, b.epoch, b.first, b.events, done)
}

// commit appends a batch, waits for its commit and returns the mark.
func (r *running) commit(b batch) uint64 {
	r.t.Helper()
	type outcome struct {
		committed uint64
		err       error
	}
	done := make(chan outcome, 1)
	if err := b.appendTo(r.t.Context(), r.History, func(committed uint64, err error) { done <- outcome{committed, err} }); err != nil {
		r.t.Fatal(err)
	}
	select {
	case o := <-done:
		if o.err != nil {
			r.t.Fatal(o.err)
		}
		return o.committed
	case <-r.t.Context().Done():
		r.t.Fatal("no commit")
		return 0
	}
}

func (r *running) totals() []history.Total {
	r.t.Helper()
	totals, err := r.Totals(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return totals
}

// logBook collects what is logged.
type logBook struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *logBook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBook) count(text string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Count(b.text.String(), text)
}

func file(t testing.TB) string { return filepath.Join(t.TempDir(), "history.db") }
