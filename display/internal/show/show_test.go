package show_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pialert/pialert/display/internal/show"
	"github.com/pialert/pialert/pkg/attack"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// lamps has one lamp, which collects everything but visits and successes, and sweeps from high on.
type lamps struct{ total uint64 }

func (l *lamps) Add(_ string, e *attack.Event, _ time.Time) (int, bool, uint64) {
	if e.Kind == attack.Visit || e.Kind == attack.SSHAccepted || e.Kind == attack.LoginAccepted {
		return -1, false, 0
	}
	l.total += e.Count
	return 0, e.Severity >= attack.High, l.total
}

// panel notes what it is told.
type panel struct{ told []string }

func (p *panel) Add(lamp int, severity attack.Severity, sweep bool) {
	p.told = append(p.told, fmt.Sprint(lamp, " ", severity, " ", sweep))
}

func (p *panel) Warn() { p.told = append(p.told, "warn") }

func (p *panel) Refresh() { p.told = append(p.told, "refresh") }

func feed() (*show.Feed, *panel) {
	p := &panel{}
	return show.New(&lamps{}, p, func() time.Time { return noon }), p
}

func login(count uint64) attack.Event {
	return attack.Event{Kind: attack.SSHLogin, Severity: attack.Medium, Count: count}
}

func TestAnEventIsCountedDrawnAndSeen(t *testing.T) {
	t.Parallel()
	feed, panel := feed()
	seen := feed.Subscribe()
	exploit, visit := login(5), login(1)
	exploit.Severity, visit.Kind = attack.High, attack.Visit
	feed.Show("vps", []attack.Event{login(2), exploit, visit})

	if want := []string{"0 medium false", "0 high true", "refresh"}; !reflect.DeepEqual(panel.told, want) {
		t.Errorf("the panel was told %q, want %q", panel.told, want)
	}
	got, missed, err := seen.Next(t.Context())
	want := []show.Shown{
		{noon, "vps", login(2), 0, 2},
		{noon, "vps", exploit, 0, 7},
		{noon, "vps", visit, -1, 0},
	}
	if err != nil || missed != 0 || !reflect.DeepEqual(got, want) {
		t.Errorf("seen %+v, missed %d, error %v; want %+v", got, missed, err, want)
	}
}

// Who subscribes late sees what comes after.
// Somebody who gets in after failures is seen though no lamp collects successes; daily life is not.
func TestABreakInIsSeenWithoutALamp(t *testing.T) {
	t.Parallel()
	feed, panel := feed()
	daily, breakIn := login(1), login(1)
	daily.Kind, breakIn.Kind, breakIn.Severity = attack.SSHAccepted, attack.SSHAccepted, attack.High
	sudo := breakIn
	sudo.Kind = attack.LoginAccepted
	feed.Show("vps", []attack.Event{daily, breakIn, sudo})
	if want := []string{"warn", "warn", "refresh"}; !reflect.DeepEqual(panel.told, want) {
		t.Errorf("the panel was told %q, want %q", panel.told, want)
	}
}

func TestSubscriptionsBeginNow(t *testing.T) {
	t.Parallel()
	feed, _ := feed()
	feed.Show("vps", []attack.Event{login(1)})
	late := feed.Subscribe()
	feed.Show("vps", []attack.Event{login(1)})
	if got, _, _ := late.Next(t.Context()); len(got) != 1 || got[0].Total != 2 {
		t.Errorf("seen %+v, want the second event alone", got)
	}
}

// A subscriber that reads nothing costs the others nothing: they miss nothing, and it is told what
// it missed.
func TestASlowSubscriberIsToldWhatItMissed(t *testing.T) {
	t.Parallel()
	feed, _ := feed()
	slow, quick := feed.Subscribe(), feed.Subscribe()
	const batches, size = 30, 100
	for n := range uint64(batches) {
		feed.Show("vps", make([]attack.Event, size))
		got, missed, err := quick.Next(t.Context())
		if err != nil || missed != 0 || len(got) != size {
			t.Fatalf("batch %d: the quick one saw %d and missed %d, error %v", n, len(got), missed, err)
		}
	}
	feed.Show("vps", []attack.Event{login(9)})
	got, missed, err := slow.Next(t.Context())
	if err != nil || len(got) != show.Keep || missed != batches*size+1-show.Keep {
		t.Errorf("the slow one saw %d and missed %d, error %v; want %d and %d", len(got), missed, err, show.Keep, batches*size+1-show.Keep)
	}
	if last := got[len(got)-1]; last.Event.Count != 9 {
		t.Errorf("the last event seen is %+v, want the newest", last)
	}
	feed.Show("vps", []attack.Event{login(1)})
	if got, missed, _ := slow.Next(t.Context()); len(got) != 1 || missed != 0 {
		t.Errorf("afterwards it saw %d and missed %d, want 1 and 0", len(got), missed)
	}
}

func TestNextWaitsForEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		feed, _ := feed()
		var seen [2]int
		for i := range seen {
			go func(s *show.Subscription) {
				got, _, _ := s.Next(t.Context())
				seen[i] = len(got)
			}(feed.Subscribe())
		}
		synctest.Wait()
		if seen != [2]int{} {
			t.Fatalf("seen %v before anything was shown", seen)
		}
		feed.Show("vps", []attack.Event{login(1)})
		synctest.Wait()
		if seen != [2]int{1, 1} {
			t.Errorf("seen %v, want one event each", seen)
		}
	})
}

// What was shown before the end is read after it.
func TestNextDrainsAtTheEnd(t *testing.T) {
	t.Parallel()
	feed, _ := feed()
	s := feed.Subscribe()
	feed.Show("vps", []attack.Event{login(1)})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, _, err := s.Next(ctx); err != nil || len(got) != 1 {
		t.Errorf("seen %+v, error %v; want one event", got, err)
	}
	if got, _, err := s.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("seen %+v, error %v; want the context's", got, err)
	}
}
