package intake

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/pialert/pialert/pkg/control"
)

// Whoever reports waits for an agent that is starting, and what an agent took without a word of answer is
// sent again as the same report.
func TestAReportIsSentUntilItIsAnswered(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "socket")
	report := Report{Action: ReportBan, Source: netip.MustParsePrefix("203.0.113.7/32"), Jail: "sshd"}
	sent := make(chan error, 1)
	go func() { sent <- Send(t.Context(), path, report, time.Minute) }()

	var keys []string
	take := func(answer bool) {
		t.Helper()
		listener, err := control.Listen(path)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		handler := control.Handle(func(_ context.Context, in Report) (struct{}, error) {
			keys = append(keys, in.Key)
			stop()
			return struct{}{}, nil
		})
		server := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if answer {
				handler(w, r)
				return
			}
			handler(quiet{}, r)
			panic(http.ErrAbortHandler) // killed before it answers
		})
		if err := control.Serve(ctx, listener, server); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Fatal(err)
		}
	}
	take(false)
	take(true)
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if len(keys) != 2 || keys[0] == "" || keys[0] != keys[1] {
		t.Errorf("sent with the keys %q, want one key twice", keys)
	}
}

// quiet answers nobody.
type quiet struct{}

func (quiet) Header() http.Header         { return http.Header{} }
func (quiet) Write(p []byte) (int, error) { return len(p), nil }
func (quiet) WriteHeader(int)             {}

func TestSendingEnds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, test := range []struct {
		name, socket string
		wait         time.Duration
	}{
		{"at once without a folder", filepath.Join(dir, "gone", "socket"), 24 * time.Hour},
		{"after the wait", filepath.Join(dir, "socket"), time.Second},
	} {
		if err := Send(t.Context(), test.socket, Report{}, test.wait); !errors.Is(err, control.ErrNotRunning) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func TestParseSpan(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"": 0, "3600": time.Hour, "600.5": 600500 * time.Millisecond, "-1": -1, "-3600": -1, "1h": time.Hour, "7d": 7 * 24 * time.Hour,
		"1e300": 1e9 * time.Second, "inf": 1e9 * time.Second,
	} {
		if got, err := ParseSpan(text); err != nil || got != want {
			t.Errorf("%q is %v, want %v (%v)", text, got, want, err)
		}
	}
	var taken []string
	for _, text := range []string{"nan", "soon", "1x", "h"} {
		if _, err := ParseSpan(text); err == nil {
			taken = append(taken, text)
		}
	}
	if len(taken) > 0 {
		t.Errorf("taken for spans: %q", slices.Sorted(slices.Values(taken)))
	}
}
