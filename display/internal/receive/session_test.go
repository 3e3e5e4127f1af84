package receive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pialert/pialert/display/internal/receive"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/wake"
)

// wantRefusal fails unless an error refuses for a reason and says so.
func wantRefusal(t *testing.T, err error, reason receive.Reason, text string) {
	t.Helper()
	var refusal *receive.Refusal
	if !errors.As(err, &refusal) || refusal.Reason != reason || !strings.Contains(err.Error(), text) {
		t.Errorf("the error is %v, want a refusal (%v) that says %q", err, reason, text)
	}
}

// A session goes on where the store is, whatever process received before.
func TestASessionGoesOnWhereTheStoreIs(t *testing.T) {
	t.Parallel()
	store, shown := &slowStore{committed: 7}, new(count)
	a := receive.New(receive.Options{Store: store, Show: shown})
	s := open(t, a, 1)
	if got, ok := s.Acknowledgement(); ok {
		t.Errorf("%d is acknowledged, which the welcome said already", got)
	}
	wantRefusal(t, s.Batch(1, numbers(9)), receive.OutOfTurn, "event 9 came where 8 was due")
	must(t, s.Batch(2, numbers(8)))
	if *shown != 2 || store.first != 8 || store.count != 2 {
		t.Errorf("%d were shown, %d from %d on stored; want 2, and 2 from 8 on", *shown, store.count, store.first)
	}
	store.commit(9, nil)
	if got, ok := s.Acknowledgement(); got != 9 || !ok {
		t.Errorf("%d is acknowledged, %v; want 9", got, ok)
	}
	s.Close(nil)
	store.committed = 9
	if got, ok := open(t, a, 1).Acknowledgement(); ok {
		t.Errorf("%d is acknowledged, which the next welcome said already", got)
	}
}

// What the store has committed without this process, the agent need not bring, and nobody shows it again.
func TestWhatIsCommittedIsNotShown(t *testing.T) {
	t.Parallel()
	store, shown := &slowStore{}, new(count)
	a := receive.New(receive.Options{Store: store, Show: shown})
	first := open(t, a, 1)
	must(t, first.Batch(5, numbers(1)))
	first.Close(nil)
	store.committed = 3 // of the five
	second := open(t, a, 1)
	must(t, second.Batch(4, numbers(4)))
	if *shown != 7 || store.first != 6 || store.count != 2 {
		t.Errorf("%d were shown, %d from %d on stored; want 7, and 2 from 6 on", *shown, store.count, store.first)
	}
	second.Close(nil)
	must(t, open(t, a, 2).Batch(2, numbers(4))) // numbers of another epoch are others
	if *shown != 9 || store.first != 4 || store.count != 2 {
		t.Errorf("of another epoch %d were shown, %d from %d on stored; want 9, and 2 from 4 on", *shown, store.count, store.first)
	}
}

// Commits of a former epoch say nothing of this one.
func TestCommitsOfAFormerEpoch(t *testing.T) {
	t.Parallel()
	store := &slowStore{}
	a := receive.New(receive.Options{Store: store, Show: new(count)})
	first := open(t, a, 1)
	must(t, first.Batch(5, numbers(1)))
	first.Close(nil)
	former := store.commit
	second := open(t, a, 2)
	must(t, second.Batch(5, numbers(1)))
	former(5, nil)
	if got, ok := second.Acknowledgement(); ok {
		t.Errorf("%d is acknowledged by another epoch's commit", got)
	}
	former(0, errors.New("stopped"))
	if err := second.Context().Err(); err != nil {
		t.Errorf("the session ended by another epoch's failure: %v", err)
	}
	store.commit(5, nil)
	if got, ok := second.Acknowledgement(); got != 5 || !ok {
		t.Errorf("%d is acknowledged, %v; want 5", got, ok)
	}
}

// Events that the store did not take are shown once, and handed to it when another session brings them.
func TestAStoreThatFails(t *testing.T) {
	t.Parallel()
	store, shown := &slowStore{}, new(count)
	a := receive.New(receive.Options{Store: store, Show: shown})
	s := open(t, a, 1)
	store.fails = errors.New("no space left on device")
	if err := s.Batch(3, numbers(1)); !errors.Is(err, receive.ErrUnavailable) {
		t.Errorf("the error is %v, want %v", err, receive.ErrUnavailable)
	}
	s.Close(receive.ErrUnavailable)
	hopeless, err := a.Open(t.Context(), "web")
	must(t, err)
	if _, err := hopeless.Hello(receive.Hello{Protocol: receive.Protocol, Epoch: 1}); !errors.Is(err, receive.ErrUnavailable) {
		t.Errorf("the hello's error is %v, want %v", err, receive.ErrUnavailable)
	}
	hopeless.Close(err)
	store.fails = nil
	must(t, open(t, a, 1).Batch(3, numbers(1)))
	if *shown != 3 || store.first != 1 || store.count != 3 {
		t.Errorf("%d were shown, %d from %d on stored; want 3, and 3 from 1 on", *shown, store.count, store.first)
	}
}

// The most recent of an agent's streams is the one that counts: the former one ends before it begins.
func TestTheNewestSessionTakesOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := receive.New(receive.Options{Store: &slowStore{}, Show: new(count)})
		first := open(t, a, 1)
		result := make(chan error, 1)
		go func() {
			_, err := a.Open(t.Context(), "web")
			result <- err
		}()
		synctest.Wait()
		if err := context.Cause(first.Context()); !errors.Is(err, receive.ErrReplaced) || len(result) != 0 {
			t.Errorf("the first ended with %v; results of the second, which should wait: %d", err, len(result))
		}
		hasty, cancel := context.WithCancelCause(t.Context()) // a third one, whose stream ends while it waits
		cancel(errors.New("hung up"))
		if _, err := a.Open(hasty, "web"); err == nil || err.Error() != "hung up" {
			t.Errorf("the third one's error is %v", err)
		}
		if err := <-result; !errors.Is(err, receive.ErrReplaced) {
			t.Errorf("the second one's error is %v", err)
		}
		if _, err := a.Open(t.Context(), "mail"); err != nil {
			t.Errorf("another agent had to wait: %v", err)
		}
		first.Close(nil)
		open(t, a, 1)
	})
}

// Sessions end with what ended them, and whoever looks for faults is told of it.
func TestTheEndOfASession(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_790_000_000, 0)
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	a := receive.New(receive.Options{Store: &slowStore{}, Show: new(count), Now: func() time.Time { return now }, Logger: logger})
	s := open(t, a, 1)
	if web := a.Status()[0]; !web.Connected || !web.Since.Equal(now) || !web.LastHeard.Equal(now) || web.Version != "v1" {
		t.Errorf("after the hello: %+v", web)
	}
	now = now.Add(time.Minute)
	must(t, s.Batch(2, numbers(1)))
	if web := a.Status()[0]; !web.LastHeard.Equal(now) || !web.Since.Equal(now.Add(-time.Minute)) || web.Events != 2 {
		t.Errorf("after a batch: %+v", web)
	}
	now = now.Add(time.Minute)
	over := errors.New("over")
	s.Close(over)
	if err := context.Cause(s.Context()); err != over {
		t.Errorf("the session's context ended with %v", err)
	}
	if web := a.Status()[0]; web.Connected || !web.Since.Equal(now) || web.LastError != "" {
		t.Errorf("after the end: %+v", web)
	}
	if !strings.Contains(log.String(), `level=DEBUG msg="an agent's stream ended" agent=web reason=over`) {
		t.Errorf("the log does not say what ended the session:\n%s", &log)
	}
}

// Who was cut off is told why for ten seconds, and shown with the reason until it is welcome again.
func TestAfterBeingCutOff(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_790_000_000, 0)
	a := receive.New(receive.Options{Store: &slowStore{}, Show: new(count), Now: func() time.Time { return now }})
	s := open(t, a, 1)
	s.Close(fmt.Errorf("delivering: %w", &receive.Refusal{Reason: receive.Invalid, Text: "it sent nonsense"}))
	now = now.Add(10*time.Second - 1)
	_, err := a.Open(t.Context(), "web")
	var later *receive.Later
	if !errors.As(err, &later) || err.Error() != "cut off a moment ago: it sent nonsense" {
		t.Errorf("within ten seconds the error is %v", err)
	}
	now = now.Add(1)
	s, err = a.Open(t.Context(), "web")
	must(t, err)
	if reason := a.Status()[0].LastError; reason != "it sent nonsense" {
		t.Errorf("before it is welcome the status says %q", reason)
	}
	_, err = s.Hello(receive.Hello{Protocol: receive.Protocol, Epoch: 1})
	must(t, err)
	if reason := a.Status()[0].LastError; reason != "" {
		t.Errorf("when it is welcome the status says %q", reason)
	}
}

func TestWhatIsOutOfTurn(t *testing.T) {
	t.Parallel()
	a := receive.New(receive.Options{Store: &slowStore{}, Show: new(count)})
	s, err := a.Open(t.Context(), "web")
	must(t, err)
	for _, err := range []error{s.Batch(1, numbers(1)), s.Gap(1, 1), s.Heartbeat(receive.Beat{}), s.Unknown()} {
		wantRefusal(t, err, receive.OutOfTurn, "it did not say hello first")
	}
	_, err = s.Hello(receive.Hello{Protocol: receive.Protocol + 1})
	wantRefusal(t, err, receive.OutOfTurn, "it speaks protocol 2, this display 1: update the older of the two")
	_, err = s.Hello(receive.Hello{Protocol: receive.Protocol})
	must(t, err)
	_, err = s.Hello(receive.Hello{Protocol: receive.Protocol})
	wantRefusal(t, err, receive.OutOfTurn, "it said hello twice")
	must(t, s.Unknown())
	must(t, s.Batch(0, nil))
}

// A batch has at most 16384 events, of which none is taken if one makes no sense.
func TestWhatABatchMayHold(t *testing.T) {
	t.Parallel()
	store, shown := &slowStore{}, new(count)
	a := receive.New(receive.Options{Store: store, Show: shown})
	s := open(t, a, 1)
	wantRefusal(t, s.Batch(1<<14+1, numbers(1)), receive.TooMuch, "a batch has 16385 events, at most 16384 are allowed")
	wantRefusal(t, s.Batch(5, func(i int) (uint64, attack.Event, error) {
		if i == 3 {
			return 0, attack.Event{}, errors.New("no kind")
		}
		return numbers(1)(i)
	}), receive.Invalid, "event 4: no kind")
	if *shown != 0 || store.count != 0 {
		t.Errorf("%d were shown and %d stored of what was refused", *shown, store.count)
	}
	must(t, s.Batch(1<<14, numbers(1)))
	if *shown != 1<<14 || store.count != 1<<14 {
		t.Errorf("%d were shown and %d stored, want 16384", *shown, store.count)
	}
}

// Numbers that will not come are skipped once; what stands for lost attempts is the store's to count.
func TestGapsAreSkippedOnce(t *testing.T) {
	t.Parallel()
	store, shown := &slowStore{}, new(count)
	a := receive.New(receive.Options{Store: store, Show: shown})
	s := open(t, a, 1)
	must(t, s.Batch(2, numbers(1)))
	wantRefusal(t, s.Gap(2, 1), receive.OutOfTurn, "a gap through 2 came after 2")
	must(t, s.Gap(5, 9))
	if store.skipped != 5 || store.lost != 9 {
		t.Errorf("skipped through %d with %d attempts, want 5 with 9", store.skipped, store.lost)
	}
	store.commit(5, nil)
	if got, ok := s.Acknowledgement(); got != 5 || !ok {
		t.Errorf("%d is acknowledged, %v; want 5", got, ok)
	}
	must(t, s.Batch(1, numbers(6)))
	s.Close(nil)

	store.skipped, store.count = 0, 0
	s = open(t, a, 1) // the store may have lost its memory, but this process has not
	must(t, s.Gap(6, 9))
	if store.skipped != 0 {
		t.Errorf("what was handed to the store is skipped through %d", store.skipped)
	}
	must(t, s.Batch(1, numbers(7)))
	if *shown != 4 || store.first != 7 || store.count != 1 {
		t.Errorf("%d were shown, %d from %d on stored; want 4, and 1 from 7 on", *shown, store.count, store.first)
	}
	store.fails = errors.New("no space left on device")
	if err := s.Gap(9, 1); !errors.Is(err, receive.ErrUnavailable) {
		t.Errorf("the error is %v, want %v", err, receive.ErrUnavailable)
	}
}

// An agent that sends faster than 2000 messages a second waits after the first 4000 of them; one whose
// stream ends meanwhile does not.
func TestFastMessagesWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t, receive.New(receive.Options{Store: &slowStore{}, Show: new(count)}), 1) // one message
		begun := time.Now()
		for range 3999 {
			must(t, s.Heartbeat(receive.Beat{}))
		}
		if took := time.Since(begun); took != 0 {
			t.Errorf("the first 4000 messages took %v", took)
		}
		for range 1000 {
			must(t, s.Heartbeat(receive.Beat{}))
		}
		if took := time.Since(begun); took != 500*time.Millisecond {
			t.Errorf("1000 more took %v, want half a second", took)
		}
		s.Close(errors.New("over"))
		if err := s.Unknown(); err == nil || err.Error() != "over" || time.Since(begun) != 500*time.Millisecond {
			t.Errorf("after the end: error %v, %v after the begin", err, time.Since(begun))
		}
	})
}

// What an agent says of itself is shown, but neither at any length nor as it came.
func TestWhatAnAgentSaysOfItself(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_790_000_000, 0)
	store := &slowStore{}
	a := receive.New(receive.Options{Store: store, Show: new(count), Now: func() time.Time { return now }})
	s, err := a.OpenKept(t.Context(), "web", wake.New())
	must(t, err)
	_, err = s.Hello(receive.Hello{Protocol: receive.Protocol, Version: strings.Repeat("v", 65) + "\x1b"})
	must(t, err)
	if version := a.Status()[0].Version; version != strings.Repeat("v", 64) {
		t.Errorf("the version is %q", version)
	}
	s.Runs("v2\x1b[2J")
	if version := a.Status()[0].Version; version != `v2\x1b[2J` {
		t.Errorf("the version is %q", version)
	}
	s.Runs(strings.Repeat("w", 65))
	if version := a.Status()[0].Version; version != strings.Repeat("w", 64) {
		t.Errorf("the version is %q", version)
	}

	logs := slices.Repeat([]receive.Log{{Name: strings.Repeat("n", attack.MaxName+1), Error: "\x07" + strings.Repeat("e", 200)}}, 65)
	must(t, s.Heartbeat(receive.Beat{Dropped: receive.Dropped{Events: 1, Attempts: 2}, Waiting: 3, Logs: logs}))
	web := a.Status()[0]
	if web.Dropped != (receive.Dropped{Events: 1, Attempts: 2}) || web.Waiting != 3 || !store.heard["web"].Equal(now) {
		t.Errorf("%+v, heard %v", web, store.heard)
	}
	if len(web.Logs) != 64 || web.Logs[0].Name != strings.Repeat("n", attack.MaxName) || web.Logs[63].Error != `\a`+strings.Repeat("e", 199) {
		t.Errorf("%d logs, such as %+v", len(web.Logs), web.Logs[63])
	}
}

func TestStatusIsByName(t *testing.T) {
	t.Parallel()
	a := receive.New(receive.Options{Store: &slowStore{}, Show: new(count)})
	if got := a.Status(); len(got) != 0 {
		t.Errorf("of nobody: %v", got)
	}
	var want, got []string
	for i := range 20 {
		want = append(want, fmt.Sprintf("agent-%02d", i))
		_, err := a.Open(t.Context(), fmt.Sprintf("agent-%02d", (i*7)%20))
		must(t, err)
	}
	for _, status := range a.Status() {
		got = append(got, status.Agent)
		if status.Connected {
			t.Errorf("%s said no hello, and is connected", status.Agent)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// Names cost memory for the life of the process, so there are at most 16384 of them.
func TestAgentsAreBounded(t *testing.T) {
	t.Parallel()
	a := receive.New(receive.Options{Store: &slowStore{}, Show: new(count)})
	for i := range 1 << 14 {
		s, err := a.Open(t.Context(), fmt.Sprint(i))
		must(t, err)
		s.Close(nil)
	}
	var later *receive.Later
	if _, err := a.Open(t.Context(), "one more"); !errors.As(err, &later) || err.Error() != "too many agents" {
		t.Errorf("the error is %v", err)
	}
	if _, err := a.Open(t.Context(), "7"); err != nil {
		t.Errorf("one that is known: %v", err)
	}
}

// Who waits for progress is woken by what was committed, and by nothing else.
func TestOnlyCommitsRing(t *testing.T) {
	t.Parallel()
	store := &slowStore{}
	s := open(t, receive.New(receive.Options{Store: store, Show: new(count)}), 1)
	rang := func() bool {
		select {
		case <-s.Progress():
			return true
		default:
			return false
		}
	}
	for first := range uint64(2) {
		if must(t, s.Batch(1, numbers(first+1))); rang() {
			t.Error("it rings for what only came")
		}
		done := store.commit
		if done(store.first, nil); !rang() {
			t.Error("it does not ring for what was committed")
		}
		if done(store.first, nil); rang() {
			t.Error("it rings again for the same")
		}
		if got, ok := s.Acknowledgement(); got != store.first || !ok {
			t.Errorf("%d is acknowledged, %v; want %d", got, ok, store.first)
		}
	}
}

// A store whose file was damaged and replaced may know less than the agent was told. What the agent still has
// is taken again, but not what this process has handed over itself.
func TestAStoreThatForgets(t *testing.T) {
	t.Parallel()
	store, shown := &slowStore{committed: 7}, new(count)
	a := receive.New(receive.Options{Store: store, Show: shown})
	open(t, a, 1).Close(nil)
	store.committed = 3
	s := open(t, a, 1)
	must(t, s.Batch(4, numbers(4)))
	if *shown != 4 || store.first != 4 || store.count != 4 {
		t.Errorf("%d were shown, %d from %d on stored; want 4, and 4 from 4 on", *shown, store.count, store.first)
	}
	store.commit(7, nil)
	s.Close(nil)
	store.committed = 0
	s = open(t, a, 1)
	if must(t, s.Batch(7, numbers(1))); *shown != 4 {
		t.Errorf("%d were shown", *shown)
	}
	if got, ok := s.Acknowledgement(); got != 7 || !ok {
		t.Errorf("%d is acknowledged, %v; want 7", got, ok)
	}
}

// What was said to be lost is counted as lost: if it comes after all, it is neither shown nor stored.
func TestWhatWasLostComesAfterAll(t *testing.T) {
	t.Parallel()
	store, shown := &slowStore{}, new(count)
	a := receive.New(receive.Options{Store: store, Show: shown})
	s := open(t, a, 1)
	must(t, s.Gap(3, 9))
	s.Close(nil)
	if must(t, open(t, a, 1).Batch(4, numbers(1))); *shown != 1 || store.first != 4 || store.count != 1 {
		t.Errorf("%d were shown, %d from %d on stored; want 1, and 1 from 4 on", *shown, store.count, store.first)
	}
}

// An agent may bring a hundred thousand million attempts at once, less than a thousand of which more are not noticed.
func TestAttemptsAreLimited(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_790_000_000, 0)
	s := open(t, receive.New(receive.Options{Store: &slowStore{}, Show: new(count), Now: func() time.Time { return now }}), 1)
	stands := func(first uint64, events int, each uint64) error {
		return s.Batch(events, func(i int) (uint64, attack.Event, error) {
			return first + uint64(i), attack.Event{Kind: attack.SSHLogin, Severity: attack.Medium, Count: each}, nil
		})
	}
	must(t, stands(1, 100, attack.MaxCount))
	must(t, stands(101, 1, 999))
	wantRefusal(t, stands(102, 1, 1000), receive.TooMuch, "more attempts than servers can suffer")
	now = now.Add(time.Second) // which refills twenty million
	must(t, stands(102, 1, 20_000_999))
	wantRefusal(t, stands(103, 1, 1000), receive.TooMuch, "more attempts than servers can suffer")
}
