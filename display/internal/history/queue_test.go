package history_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pialert/pialert/display/internal/history"
	"github.com/pialert/pialert/pkg/attack"
)

func TestAppendRefuses(t *testing.T) {
	t.Parallel()
	h := start(t, options(file(t)))
	for name, b := range map[string]batch{
		"no name":        {epoch: 1, first: 1, events: events(1)},
		"a long name":    {agent: strings.Repeat("a", 256), epoch: 1, first: 1, events: events(1)},
		"no number":      {agent: "a", epoch: 1, events: events(1)},
		"a high number":  {agent: "a", epoch: 1, first: 1 << 62, events: events(1)},
		"a wrapping one": {agent: "a", epoch: 1, first: 1<<64 - 1, events: events(3)},
		"a high gap":     {agent: "a", epoch: 1, through: 1 << 63},
	} {
		if err := b.appendTo(t.Context(), h.History, func(uint64, error) { t.Errorf("%s: done was called", name) }); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// An agent whose share of the queue is full waits; another one does not.
func TestQueueIsBoundedAndFair(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := options(file(t))
		o.MaxQueue = 2 * history.SizeOf(events(100))
		h, err := history.Open(o) // nobody runs it, so nothing leaves the queue
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		ignore := func(uint64, error) {}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		// try appends events and returns what came of it, nil while it waits.
		try := func(agent string, first uint64, size int) *error {
			var outcome *error
			go func() {
				err := h.Append(ctx, agent, 1, first, events(size), ignore)
				outcome = &err
			}()
			synctest.Wait()
			return outcome
		}
		steps := []struct {
			say   string
			agent string
			first uint64
			size  int
			waits bool
		}{
			{"a part of the flooder's share", "flooder", 1, 60, false},
			{"more than is left of it", "flooder", 61, 41, true},
			{"what is left of it", "flooder", 61, 39, false},
			{"one beyond it", "flooder", 100, 1, true},
			{"another agent's share, while the flooder waits", "good", 1, 100, false},
			{"a third agent, when the queue is full", "third", 1, 1, true},
		}
		for _, s := range steps {
			switch outcome := try(s.agent, s.first, s.size); {
			case outcome == nil != s.waits:
				t.Fatalf("%s: waits %v, want %v", s.say, outcome == nil, s.waits)
			case outcome != nil && *outcome != nil:
				t.Fatalf("%s: %v", s.say, *outcome)
			}
		}
	})
}

// The queue is bounded in bytes: events with long texts fill it sooner.
func TestLongEventsTakeMoreRoom(t *testing.T) {
	t.Parallel()
	short, long := events(10), events(10)
	for i := range long {
		long[i].User = strings.Repeat("u", attack.MaxUser)
		long[i].Detail = attack.HTTP{Target: strings.Repeat("t", attack.MaxText)}
	}
	most := 10 * (attack.MaxUser + attack.MaxText)
	if more := history.SizeOf(long) - history.SizeOf(short); more < most-100 || history.SizeOf(short) < 10*400 {
		t.Errorf("ten short events take %d bytes, ten long ones %d more; want about %d more", history.SizeOf(short), more, most)
	}
}

// A wait for room ends with its context, and nothing of it is stored.
func TestWaitingForRoomEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := options(file(t))
		o.MaxQueue = history.SizeOf(events(10))
		h, err := history.Open(o)
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		never := func(uint64, error) { t.Error("done was called") }
		if err := h.Append(t.Context(), "a", 1, 1, events(10), never); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := h.Append(ctx, "a", 1, 11, events(1), never); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want the context's", err)
		}
	})
}

// What does not fit waits for room, not for the interval: what is in its way is committed at once.
func TestAWaitForRoomWaitsForNoInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := options(file(t))
		o.Interval, o.MaxQueue = time.Hour, history.SizeOf(events(100))
		h := start(t, o)
		defer h.stop()
		h.commit(batch{agent: "a", epoch: 1, first: 1, events: events(1)}) // the first does not wait
		begun := time.Now()
		ignore := func(uint64, error) {}
		for _, b := range []batch{
			{agent: "a", epoch: 1, first: 2, events: events(10)}, // less than a quarter: it waits for the interval
			{agent: "b", epoch: 1, first: 1, events: events(91)}, // more than is left
		} {
			if err := b.appendTo(t.Context(), h.History, ignore); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(begun); took != 0 {
			t.Errorf("room was made after %v", took)
		}
		synctest.Wait()                                                      // until those are committed, which are more than a quarter
		h.commit(batch{agent: "a", epoch: 1, first: 12, events: events(10)}) // what fits waits
		if took := time.Since(begun); took != time.Hour {
			t.Errorf("the next commit was after %v, want an hour", took)
		}
	})
}

// A queue that is a quarter full waits for no interval either: its memory is for what comes during the commit.
func TestAQuarterOfTheQueueWaitsForNoInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := options(file(t))
		o.Interval, o.MaxQueue = time.Hour, history.SizeOf(events(100))
		h := start(t, o)
		defer h.stop()
		h.commit(batch{agent: "a", epoch: 1, first: 1, events: events(1)}) // the first does not wait
		begun := time.Now()
		h.commit(batch{agent: "a", epoch: 1, first: 2, events: events(26)})
		if took := time.Since(begun); took != 0 {
			t.Errorf("it was committed after %v", took)
		}
	})
}

func TestStopCommitsWhatWaits(t *testing.T) {
	t.Parallel()
	path := file(t)
	o := options(path)
	o.Interval = time.Hour
	h := start(t, o)
	h.commit(batch{agent: "a", epoch: 1, first: 1, events: events(1)}) // the first does not wait
	done := make(chan uint64, 1)
	if err := h.Append(t.Context(), "a", 1, 2, events(1),
		func(committed uint64, err error) { done <- committed }); err != nil {
		t.Fatal(err)
	}
	h.stop()
	if got := <-done; got != 2 {
		t.Errorf("committed %d at the end, want 2", got)
	}
	if got, _ := start(t, o).Committed(t.Context(), "a", 1); got != 2 {
		t.Errorf("committed %d after a restart, want 2", got)
	}
}

// The queue's bound is one of bytes, so every text of an event counts in full.
func TestEveryTextTakesRoom(t *testing.T) {
	text := strings.Repeat("x", 100)
	size := func(change func(*attack.Event)) int {
		e := event(0)
		change(&e)
		return history.SizeOf([]attack.Event{e})
	}
	plain := event(0)
	empty := size(func(*attack.Event) {})
	for name, test := range map[string]struct {
		change func(*attack.Event)
		more   int
	}{
		"rule":   {func(e *attack.Event) { e.Rule = text }, 100 - len(plain.Rule)},
		"source": {func(e *attack.Event) { e.SourceHost = text }, 100 - len(plain.SourceHost)},
		"user":   {func(e *attack.Event) { e.User = text }, 100 - len(plain.User)},
		"log":    {func(e *attack.Event) { e.Log = text }, 100 - len(plain.Log)},
		"host":   {func(e *attack.Event) { e.Host = text }, 100 - len(plain.Host)},
	} {
		if got := size(test.change) - empty; got != test.more {
			t.Errorf("a %s of 100 bytes takes %d more, want %d", name, got, test.more)
		}
	}
	long := size(func(e *attack.Event) { e.Detail = attack.HTTP{Target: text} }) - size(func(e *attack.Event) { e.Detail = attack.HTTP{} })
	if long < 100 || long > 110 {
		t.Errorf("a target of 100 bytes takes %d more", long)
	}
}
