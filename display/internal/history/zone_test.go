package history_test

import (
	"maps"
	"net/netip"
	"testing"
	"time"

	"github.com/pialert/pialert/display/internal/history"
)

// After a change of the zone days begin at its midnights, also those of before: at once, after upkeep and after a restart.
func TestDaysFollowTheZone(t *testing.T) {
	t.Parallel()
	for _, change := range [][2]string{{"Europe/Berlin", "UTC"}, {"UTC", "Europe/Berlin"}, {"America/New_York", "Asia/Tokyo"}, {"Asia/Tokyo", "America/New_York"}} {
		t.Run(change[0]+change[1], func(t *testing.T) {
			t.Parallel()
			before, after := zoneOf(t, change[0]), zoneOf(t, change[1])
			begin := time.Date(2026, 10, 20, 15, 0, 0, 0, time.UTC) // Berlin's clock changes on the 25th
			now, zone := begin, before
			o := options(file(t))
			o.Now, o.Zone = func() time.Time { return now }, func() *time.Location { return zone }
			h := start(t, o)
			all := story(h, &now, 9*24*time.Hour, 11)
			h.Upkeep()
			check := func(say string) {
				t.Helper()
				for name, bounds := range map[string][]time.Time{"days": days(begin, now, zone), "all days": {begin.AddDate(0, 0, -2), now.AddDate(0, 0, 2)}} {
					got, want := h.counts(bounds, history.Filter{}), expected(all, bounds, func(*arrival) bool { return true })
					if !maps.Equal(got, want) {
						t.Errorf("%s, %s: %v, want %v", say, name, got, want)
					}
					network := netip.MustParsePrefix("198.51.1.0/24")
					got, want = h.counts(bounds, history.Filter{Source: network}), expected(all, bounds, func(a *arrival) bool { return network.Contains(a.event.SourceIP) })
					if !maps.Equal(got, want) {
						t.Errorf("%s, %s of a network: %v, want %v", say, name, got, want)
					}
				}
			}
			check("at first")
			zone = after
			check("after the change")
			h.Upkeep()
			check("after upkeep")
			h.stop()
			h = start(t, o)
			check("after a restart")
			now = now.AddDate(0, 0, 1)
			h.Upkeep()
			h.stop()
			zone = before
			h = start(t, o)
			check("after a restart with the zone of before")
		})
	}
}
