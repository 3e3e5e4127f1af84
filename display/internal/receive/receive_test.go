package receive_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pialert/pialert/display/internal/receive"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/wake"
)

// slowStore is a Store that commits when it is told to.
type slowStore struct {
	committed uint64
	fails     error
	heard     map[string]time.Time

	// Of what was handed over last.
	commit  func(committed uint64, err error)
	first   uint64
	count   int
	skipped uint64 // numbers through it, which stood for lost attempts
	lost    uint64
}

func (s *slowStore) Committed(context.Context, string, uint64) (uint64, error) {
	return s.committed, s.fails
}

func (s *slowStore) Append(_ context.Context, _ string, _, first uint64, events []attack.Event, done func(uint64, error)) error {
	s.commit, s.first, s.count = done, first, len(events)
	return s.fails
}

func (s *slowStore) Skip(_ context.Context, _ string, _, through, attempts uint64, done func(uint64, error)) error {
	s.commit, s.skipped, s.lost = done, through, attempts
	return s.fails
}

func (s *slowStore) Heard(agent string, at time.Time) {
	if s.heard == nil {
		s.heard = map[string]time.Time{}
	}
	s.heard[agent] = at
}

// count is a Show that counts.
type count int

func (c *count) Show(_ string, events []attack.Event) { *c += count(len(events)) }

// numbers decodes events numbered from first on.
func numbers(first uint64) func(i int) (uint64, attack.Event, error) {
	return func(i int) (uint64, attack.Event, error) {
		return first + uint64(i), attack.Event{Kind: attack.SSHLogin, Severity: attack.Medium, Count: 1}, nil
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, a *receive.Admission, epoch uint64) *receive.Session {
	t.Helper()
	s, err := a.Open(t.Context(), "web")
	must(t, err)
	_, err = s.Hello(receive.Hello{Protocol: receive.Protocol, Version: "v1", Epoch: epoch})
	must(t, err)
	return s
}

// What a former session brought may be committed during the next one. It is acknowledged only as
// far as the agent has sent it again: it may have other events under those numbers by now.
func TestNoMoreIsAcknowledgedThanCame(t *testing.T) {
	t.Parallel()
	store, shown := &slowStore{}, new(count)
	a := receive.New(receive.Options{Store: store, Show: shown})
	first := open(t, a, 1)
	must(t, first.Batch(10, numbers(1)))
	first.Close(nil)

	again := open(t, a, 1)
	store.commit(10, nil)
	<-again.Progress()
	if got, ok := again.Acknowledgement(); ok {
		t.Errorf("%d is acknowledged on a session on which nothing came", got)
	}
	must(t, again.Batch(3, numbers(1)))
	select {
	case <-again.Progress():
	default:
		t.Error("there is no progress though numbers came that are committed")
	}
	if got, ok := again.Acknowledgement(); got != 3 || !ok {
		t.Errorf("%d is acknowledged, %v; want 3", got, ok)
	}
	if _, ok := again.Acknowledgement(); ok {
		t.Error("it is acknowledged twice")
	}
	must(t, again.Batch(7, numbers(4)))
	if got, _ := again.Acknowledgement(); got != 10 || *shown != 10 {
		t.Errorf("%d is acknowledged, want 10; %d were shown, want 10", got, *shown)
	}
}

// A store that stops ends the session.
func TestStoppingStoreEndsTheSession(t *testing.T) {
	t.Parallel()
	store := &slowStore{}
	s := open(t, receive.New(receive.Options{Store: store, Show: new(count)}), 1)
	must(t, s.Batch(1, numbers(1)))
	store.commit(0, errors.New("stopped"))
	if err := context.Cause(s.Context()); !errors.Is(err, receive.ErrStopping) {
		t.Errorf("the session ended with %v, want %v", err, receive.ErrStopping)
	}
}

// New epochs leave rows in the history, so an agent may begin only so many of them.
func TestNewEpochsAreLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := receive.New(receive.Options{Store: &slowStore{}, Show: new(count)})
		begun := 0
		for epoch := range uint64(3600) {
			if s, err := a.Open(t.Context(), "web"); err == nil {
				_, err = s.Hello(receive.Hello{Protocol: receive.Protocol, Epoch: epoch})
				s.Close(err)
				if err == nil {
					begun++
				}
			}
			time.Sleep(time.Second)
		}
		if begun < 60 || begun > 75 {
			t.Errorf("in an hour %d epochs were begun, want about one a minute", begun)
		}
		time.Sleep(10 * time.Minute)
		for range 100 { // the same one is always welcome
			open(t, a, 7).Close(nil)
			time.Sleep(5 * time.Second)
		}
	})
}

// An agent that says hello and goes, again and again, fills neither the log nor the display's time.
func TestSessionsAreLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		a := receive.New(receive.Options{Store: &slowStore{}, Show: new(count), Logger: slog.New(slog.NewTextHandler(&log, nil))})
		opened := 0
		for end := time.Now().Add(10 * time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			s, err := a.Open(t.Context(), "web")
			var later *receive.Later
			switch {
			case errors.As(err, &later):
				continue
			case err != nil:
				t.Fatal(err)
			}
			opened++
			_, err = s.Hello(receive.Hello{Protocol: receive.Protocol, Epoch: 1})
			s.Close(err)
		}
		if opened < 600 || opened > 700 {
			t.Errorf("%d sessions were opened in ten minutes, want about one a second", opened)
		}
		if lines := strings.Count(log.String(), "\n"); lines != 10 {
			t.Errorf("%d lines were logged in ten minutes, want one a minute:\n%s", lines, &log)
		}
		if !strings.Contains(log.String(), `not logged"=60`) && !strings.Contains(log.String(), `not logged"=59`) {
			t.Errorf("the log does not say how often it was silent:\n%s", &log)
		}
	})
}

// An agent that is cut off again and again, as soon as it is let in, makes a line a minute.
func TestAnAgentThatIsCutOffFillsNoLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
		a := receive.New(receive.Options{Store: &slowStore{}, Show: new(count), Logger: logger})
		cut := 0
		for end := time.Now().Add(10 * time.Minute); time.Now().Before(end); time.Sleep(time.Second) {
			s, err := a.Open(t.Context(), "web")
			if err != nil {
				continue // cut off a moment ago
			}
			_, err = s.Hello(receive.Hello{Protocol: receive.Protocol + 1, Epoch: 1})
			s.Close(err)
			cut++
		}
		if lines := strings.Count(log.String(), "\n"); cut < 50 || lines != 10 {
			t.Errorf("it was cut off %d times in ten minutes, which made %d lines, want one a minute:\n%s", cut, lines, &log)
		}
		first, silent := strings.Count(log.String(), `not logged"=0`), strings.Count(log.String(), `not logged"=5`)
		if first != 1 || silent != 9 {
			t.Errorf("%d lines say that the log was silent five times before, want all but the first:\n%s", silent, &log)
		}
	})
}

// Each kind that the display does not know has totals of its own, so an agent may name only so many.
func TestUnknownKindsAreLimited(t *testing.T) {
	t.Parallel()
	s := open(t, receive.New(receive.Options{Store: &slowStore{}, Show: new(count)}), 1)
	for n := range uint64(200) {
		err := s.Batch(1, func(int) (uint64, attack.Event, error) {
			kind := attack.UnknownKind(uint16(300+n/2), attack.FamilyOther, true)
			return n + 1, attack.Event{Kind: kind, Severity: attack.Low, Count: 1}, nil
		})
		var refusal *receive.Refusal
		if refused := errors.As(err, &refusal); refused != (n >= 128) {
			t.Fatalf("event %d of two of each kind: %v", n, err)
		}
		if err != nil {
			break
		}
	}
}

// A new session may bring what a former one brought together with more. Only the new numbers are
// shown and handed to the store.
func TestABatchMayBeginWithWhatCameBefore(t *testing.T) {
	t.Parallel()
	store, shown := &slowStore{}, new(count)
	a := receive.New(receive.Options{Store: store, Show: shown})
	first := open(t, a, 1)
	must(t, first.Batch(3, numbers(1)))
	first.Close(nil)

	must(t, open(t, a, 1).Batch(8, numbers(1)))
	if *shown != 8 || store.first != 4 || store.count != 5 {
		t.Errorf("%d were shown, and %d from %d on stored; want 8, and 5 from 4 on", *shown, store.count, store.first)
	}
}

// A gap may reach to the highest number there is, and stand for 2^46 attempts. No spool says more.
func TestAbsurdGapsAreRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		through, attempts uint64
		refused           bool
	}{
		{1<<62 - 1, 1 << 46, false},
		{1 << 62, 0, true},
		{1, 1<<46 + 1, true},
		{0, 0, true}, // nothing is left out
	} {
		s := open(t, receive.New(receive.Options{Store: &slowStore{}, Show: new(count)}), 1)
		err := s.Gap(test.through, test.attempts)
		var refusal *receive.Refusal
		if refused := errors.As(err, &refusal); refused != test.refused {
			t.Errorf("a gap through %d with %d attempts: %v", test.through, test.attempts, err)
		}
	}
}

// What was kept on its way says nothing of whether the agent lives now: only a heartbeat does.
func TestAHeartbeatOfAKeptSessionIsASignOfLife(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_790_000_000, 0)
	a := receive.New(receive.Options{Store: &slowStore{}, Show: new(count), Now: func() time.Time { return now }})
	s, err := a.OpenKept(t.Context(), "web", wake.New())
	must(t, err)
	_, err = s.Hello(receive.Hello{Protocol: receive.Protocol, Epoch: 1})
	must(t, err)
	must(t, s.Batch(3, numbers(1)))
	if web := a.Status()[0]; web.Connected || !web.LastHeard.IsZero() || web.Events != 3 {
		t.Errorf("after events: %+v", web)
	}
	now = now.Add(time.Minute)
	must(t, s.Heartbeat(receive.Beat{Waiting: 2}))
	if web := a.Status()[0]; !web.Connected || !web.Since.Equal(now) || !web.LastHeard.Equal(now) || web.Waiting != 2 {
		t.Errorf("after a heartbeat: %+v", web)
	}
	heard := now
	now = now.Add(time.Minute)
	s.Silent()
	if web := a.Status()[0]; web.Connected || !web.Since.Equal(now) || !web.LastHeard.Equal(heard) {
		t.Errorf("after a silence: %+v", web)
	}
}
