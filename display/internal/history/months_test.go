package history_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/pialert/pialert/display/internal/history"
	"github.com/pialert/pialert/pkg/attack"
)

// rankedBy ranks what is remembered, in the plainest way.
func rankedBy(all []arrival, span history.Span, by history.Dimension) map[string]uint64 {
	want := map[string]uint64{}
	for i := range all {
		a := &all[i]
		e := &a.event
		if e.Test || !e.Kind.Attempt() || e.Count == 0 || a.at.Before(span.Since) || !span.Until.IsZero() && !a.at.Before(span.Until) {
			continue
		}
		name := map[history.Dimension]string{
			history.Sources: e.SourceIP.String(), history.Users: e.User, history.Kinds: e.Kind.String(), history.Agents: a.agent,
		}[by]
		if by == history.Networks {
			bits := 64
			if e.SourceIP.Is4() {
				bits = 24
			}
			name = netip.PrefixFrom(e.SourceIP, bits).Masked().String()
		}
		if name != "" {
			want[name] += e.Count
		}
	}
	return want
}

// What lists of months say is what those of their days say, and what the events were: at first, after events came late into
// a month that is over, after the zone changed, after minutes, events and the rest were deleted for their age, and after a restart.
func TestMonthsAreTheirDays(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(seed, 9))
			zones := []*time.Location{time.UTC, zoneOf(t, "America/New_York"), zoneOf(t, "Asia/Tokyo"), zoneOf(t, "Europe/Berlin")}
			zone := zones[seed%4]
			now := time.Date(2026, 7, 20, 15, 0, 0, 0, time.UTC)
			begin := now
			o := options(file(t))
			o.MaxAge = 20 * 24 * time.Hour
			o.Now, o.Zone = func() time.Time { return now }, func() *time.Location { return zone }
			h := start(t, o)
			h.RememberAll()
			all := story(h, &now, 80*24*time.Hour, seed)
			by := []history.Dimension{history.Sources, history.Networks, history.Users, history.Kinds, history.Agents}
			lamps := history.Naming{As: "by kind", Of: func(of history.Counted) string { return of.Kind.String() }}
			check := func(say string) {
				t.Helper()
				first := time.Date(2026, 8, 1, 0, 0, 0, 0, zone)
				spans := map[string]history.Span{
					"all": {}, "a month": {Since: first, Until: first.AddDate(0, 1, 0)}, "two months": {Since: first, Until: first.AddDate(0, 2, 0)},
				}
				since := first.AddDate(0, 0, random.IntN(20)-10)
				spans[fmt.Sprint("since ", since)] = history.Span{Since: since}
				spans[fmt.Sprint("70 days since ", since)] = history.Span{Since: since, Until: since.AddDate(0, 0, 70)}
				for name, span := range spans {
					for _, by := range by {
						want := rankedBy(all, span, by)
						if got := h.ranked(by, history.Filter{Span: span}); !maps.Equal(got, want) {
							t.Errorf("%s, the %s of %s are %v\nwant %v", say, by, name, got, want)
						}
						if got := h.ranked(by, history.Filter{Span: span}); !maps.Equal(got, want) { // by what was kept
							t.Errorf("%s, the %s of %s are now %v\nwant %v", say, by, name, got, want)
						}
					}
				}
				months := spans["two months"]
				sums := map[string]uint64{}
				for _, day := range days(months.Since, months.Until.Add(-time.Hour), zone) {
					if !day.Before(months.Until) {
						continue
					}
					for name, n := range h.ranked(history.Sources, history.Filter{Span: history.Span{Since: day, Until: day.AddDate(0, 0, 1)}}) {
						sums[name] += n
					}
				}
				if got := h.ranked(history.Sources, history.Filter{Span: months}); !maps.Equal(got, sums) {
					t.Errorf("%s, two months are %v, and their days %v", say, got, sums)
				}
				bounds := days(begin, now, zone)
				for range 2 {
					named, err := h.Counts(t.Context(), bounds, history.Filter{}, lamps)
					plain, err2 := h.Counts(t.Context(), bounds, history.Filter{}, history.Naming{Of: lamps.Of})
					got, want := byName(named), byName(plain)
					if err != nil || err2 != nil || !maps.Equal(got, want) || len(want) == 0 {
						t.Errorf("%s, kept under names are %v\nwant %v, errors %v %v", say, got, want, err, err2)
					}
				}
			}
			check("at first")
			h.Upkeep()
			check("after upkeep")
			if n := number(t, h, "SELECT count(*) FROM lists WHERE step = 2678400 AND what = 2"); n != 3 {
				t.Fatalf("there are %d lists of months, want 3", n)
			}
			// The clock is set back into a month that is over.
			back := now
			now = time.Date(2026, 8, 17, 4, 30, 0, 0, time.UTC)
			late := events(7)
			for i := range late {
				late[i].Observed = now
				all = append(all, arrival{now, "c", late[i]})
			}
			h.commit(batch{agent: "c", epoch: 1, first: 1, events: late})
			now = back
			check("after late events")
			h.Upkeep()
			check("after upkeep with late events")
			zone = zones[(seed+1)%4]
			h.Upkeep()
			check("in another zone")
			recent := event(1)
			recent.Observed, recent.Kind = now, attack.Ban // a clock that agrees, or nothing is deleted
			now = now.AddDate(0, 0, 30)
			recent.Observed = now
			h.commit(batch{agent: "c", epoch: 1, first: 8, events: []attack.Event{recent}})
			h.Upkeep()
			if n := number(t, h, "SELECT count(*) FROM events"); n >= int64(len(all)) {
				t.Errorf("%d events are there, none was deleted", n)
			}
			check("after events were deleted")
			h.stop()
			h = start(t, o)
			h.RememberAll()
			check("after a restart")
		})
	}
}

// byName adds up counts by bar and name.
func byName(counts []history.Count) map[string]history.Sum {
	sums := map[string]history.Sum{}
	for _, c := range counts {
		sums[fmt.Sprint(c.Bar, " ", c.Name)] = c.Sum
	}
	return sums
}

// A file of before months gets them of its days, and says how far that is.
func TestAnUpgradeMakesMonths(t *testing.T) {
	t.Parallel()
	now := noon
	o := optionsAt(t, &now)
	h := start(t, o)
	all := story(h, &now, 70*24*time.Hour, 3)
	h.Upkeep()
	const months = "SELECT count(*) FROM lists WHERE step = 2678400"
	want := number(t, h, months)
	h.stop()
	edit(t, o.Path, `DELETE FROM lists WHERE step = 2678400; PRAGMA user_version = 8`)
	told := int64(0)
	o.Progress = func(of string, part, parts int64) {
		if told++; of != "months" || part != told || parts != 5 {
			t.Errorf("it tells %d of %d %s", part, parts, of)
		}
	}
	h = start(t, o)
	if n := number(t, h, months); n != want || n == 0 || told != 5 {
		t.Errorf("there are %d lists of months, want %d, and %d times it was told how far it is", n, want, told)
	}
	if got, want := h.ranked(history.Sources, history.Filter{}), rankedBy(all, history.Span{}, history.Sources); !maps.Equal(got, want) {
		t.Errorf("the sources are %v, want %v", got, want)
	}
}
