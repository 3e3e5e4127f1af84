package history_test

import (
	"cmp"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/pialert/pialert/display/internal/history"
	"github.com/pialert/pialert/pkg/attack"
)

// What lines of other machines and counters say is counted by their names, too, across a restart, and
// within a day.
func TestNamed(t *testing.T) {
	t.Parallel()
	path := file(t)
	h := start(t, options(path))
	router, counter := event(1), event(2)
	router.Host, router.Count = "router", 3
	counter.Kind, counter.Severity, counter.Count, counter.Detail = attack.Counter, attack.Info, 5, attack.Count{Key: "prints", Value: 5}
	fired := router
	fired.Test = true
	h.commit(batch{agent: "vps", epoch: 1, first: 1, events: []attack.Event{router, counter, event(3), fired, router}})
	h.stop()
	h = start(t, options(path))
	want := []history.Named{
		{Agent: "vps", Kind: router.Kind, Host: "router", Sum: history.Sum{Events: 2, Attempts: 6}},
		{Agent: "vps", Kind: attack.Counter, Key: "prints", Sum: history.Sum{Events: 1, Attempts: 5}},
	}
	if got, err := h.Named(t.Context()); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("of all time: %+v, %v, want %+v", got, err, want)
	}
	if got, err := h.NamedOn(t.Context(), noon); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("of the day: %+v, %v, want %+v", got, err, want)
	}
	if got, err := h.NamedOn(t.Context(), noon.Add(24*time.Hour)); err != nil || len(got) != 0 {
		t.Errorf("of the next day: %+v, %v", got, err)
	}
	records, err := h.Recent(t.Context(), 10, history.Filter{Host: "router"})
	if err != nil || len(records) != 3 {
		t.Errorf("%d events of the machine, %v, want 3", len(records), err)
	}
	if err := h.Forget(t.Context(), "vps"); err != nil {
		t.Fatal(err)
	}
	if got, err := h.Named(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("of an agent that was forgotten: %+v, %v", got, err)
	}
}

// Charts and rankings tell machines apart, by hours and by minutes, across a restart; and a correction of what
// one of them counted is its own.
func TestCountsOfMachines(t *testing.T) {
	t.Parallel()
	path := file(t)
	h := start(t, options(path))
	router, nas := event(1), event(2)
	router.Host, router.Count, nas.Host = "router", 7, "nas"
	h.commit(batch{agent: "vps", epoch: 1, first: 1, events: []attack.Event{router, nas, event(3), event(4)}})
	bounds := map[string][]time.Time{
		"an hour":   {noon.Truncate(time.Hour), noon.Truncate(time.Hour).Add(time.Hour)},
		"two hours": {noon.Truncate(time.Hour).Add(-time.Minute), noon.Truncate(time.Hour).Add(2 * time.Hour)},
	}
	expect := func(router, nas, own uint64) {
		t.Helper()
		for name, b := range bounds {
			got := map[string]uint64{}
			counts, err := h.Counts(t.Context(), b, history.Filter{}, history.Naming{Of: func(of history.Counted) string { return cmp.Or(of.Host, "own") }})
			for _, c := range counts {
				got[c.Name] += c.Attempts
			}
			if want := map[string]uint64{"router": router, "nas": nas, "own": own}; err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %v, %v, want %v", name, got, err, want)
			}
		}
		top, err := h.Top(t.Context(), history.Hosts, history.Filter{}, 10)
		if want := []history.Tally{{Name: "router", Attempts: router}, {Name: "nas", Attempts: nas}}; err != nil || !reflect.DeepEqual(top, want) {
			t.Errorf("ranked: %v, %v, want %v", top, err, want)
		}
	}
	expect(7, 1, 2)
	if err := h.Correct(t.Context(), history.Correction{Agent: "vps", Kind: router.Kind, Host: "router", By: -3, Reason: "a test"}); err != nil {
		t.Fatal(err)
	}
	for host, by := range map[string]int64{"router": -5, "switch": 1} {
		if err := h.Correct(t.Context(), history.Correction{Agent: "vps", Kind: router.Kind, Host: host, By: by, Reason: "a test"}); err == nil {
			t.Errorf("%s is corrected by %d", host, by)
		}
	}
	h.stop()
	h = start(t, options(path))
	expect(4, 1, 2)
	named, err := h.Named(t.Context())
	if want := (history.Named{Agent: "vps", Kind: router.Kind, Host: "router", Sum: history.Sum{Events: 1, Attempts: 4}}); err != nil || len(named) != 2 || named[1] != want {
		t.Errorf("by name: %+v, %v, want %+v", named, err, want)
	}
	records, err := h.Recent(t.Context(), 1, history.Filter{})
	if err != nil || len(records) != 1 || records[0].By != -3 || records[0].Event.Host != "router" {
		t.Errorf("the correction is %+v, %v", records, err)
	}
	if top, err := h.Top(t.Context(), history.Hosts, history.Filter{User: router.User}, 10); err != nil || len(top) == 0 || top[0].Name != "router" {
		t.Errorf("of a user: %v, %v", top, err)
	}
}

// A file that was made before anything was counted by names is taken over; ever new names do not make
// it grow.
func TestNamesAreBounded(t *testing.T) {
	t.Parallel()
	path := file(t)
	start(t, options(path)).stop()
	edit(t, path, `DROP TABLE named; PRAGMA user_version = 5`)
	h := start(t, options(path))
	const most = 1 << 12
	for first := 0; first < most+1000; first += 1000 {
		events := events(1000)
		for i := range events {
			events[i].Host = fmt.Sprint("host", first+i)
		}
		h.commit(batch{agent: "vps", epoch: 1, first: uint64(first) + 1, events: events})
	}
	if got, err := h.Named(t.Context()); err != nil || len(got) != most {
		t.Errorf("%d names are counted, %v, want %d", len(got), err, most)
	}
	if totals := h.totals(); len(totals) == 0 || totals[0].Events < most {
		t.Errorf("the totals are %+v", totals)
	}
}

// A day begins and ends at midnight of the history's zone, and holds its first and its last hour.
func TestNamedOnADay(t *testing.T) {
	t.Parallel()
	kathmandu := time.FixedZone("NPT", 5*3600+45*60)
	now := time.Date(2026, 11, 19, 23, 30, 0, 0, kathmandu)
	o := optionsAt(t, &now)
	o.Zone = func() *time.Location { return kathmandu }
	h := start(t, o)
	counts := []uint64{1, 2, 4, 8} // on the day before, at the day's begin and end, on the day after
	hours := []time.Duration{0, time.Hour, 24 * time.Hour, 25 * time.Hour}
	for i, count := range counts {
		now = time.Date(2026, 11, 19, 23, 30, 0, 0, kathmandu).Add(hours[i])
		router := event(i + 1)
		router.Host, router.Count = "router", count
		h.commit(batch{agent: "vps", epoch: 1, first: uint64(i + 1), events: []attack.Event{router}})
	}
	got, err := h.NamedOn(t.Context(), time.Date(2026, 11, 20, 18, 0, 0, 0, kathmandu))
	if want := (history.Sum{Events: 2, Attempts: 6}); err != nil || len(got) != 1 || got[0].Sum != want {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
}
