package history_test

import (
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pialert/pialert/display/internal/history"
	"github.com/pialert/pialert/pkg/attack"
)

// from is an event from an address, and one from a name.
func from(t *testing.T, address string) []attack.Event {
	e := event(0)
	e.SourceIP, e.SourcePort = netip.MustParseAddr(address), 40022
	named := event(1)
	named.SourceIP, named.SourceHost, named.SourcePort = netip.Addr{}, "host.example", 0
	e.Observed, named.Observed = time.Now(), time.Now() // by a clock that agrees, or nothing is changed for its age
	return []attack.Event{e, named}
}

// sources are those of all events, the newest first.
func sources(t *testing.T, h *running) (found []string) {
	t.Helper()
	records, err := h.Recent(t.Context(), 100, history.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		text := r.Event.SourceHost
		if r.Event.SourceIP.IsValid() {
			text = r.Event.SourceIP.String()
		}
		if r.Event.SourcePort != 0 {
			text += " with a port"
		}
		found = append(found, text)
	}
	return found
}

func expect(t *testing.T, h *running, want ...string) {
	t.Helper()
	got := sources(t, h)
	if len(got) != len(want) {
		t.Fatalf("there are %q, want %q", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("there are %q, want %q", got, want)
		}
	}
}

func TestOnlyNetworksAreStored(t *testing.T) {
	t.Parallel()
	o := options(file(t))
	o.NetworksOnly = true
	h := start(t, o)
	h.commit(batch{agent: "a", epoch: 1, first: 1, events: from(t, "192.0.2.77")})
	h.commit(batch{agent: "a", epoch: 1, first: 3, events: from(t, "2001:db8:1:2:3:4:5:6")})
	expect(t, h, "", "2001:db8:1::", "", "192.0.2.0")
	h.stop()
}

// Addresses are forgotten once they are old enough, also those from before a restart; totals stay.
func TestAddressesAreKeptForATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := file(t)
		o := options(path)
		o.Now, o.AddressAge = time.Now, 24*time.Hour
		h := start(t, o)
		h.commit(batch{agent: "a", epoch: 1, first: 1, events: from(t, "192.0.2.77")})
		h.commit(batch{agent: "a", epoch: 1, first: 3, events: from(t, "2001:db8:1:2:3:4:5:6")})
		time.Sleep(23 * time.Hour)
		synctest.Wait()
		h.commit(batch{agent: "a", epoch: 1, first: 5, events: from(t, "198.51.100.9")})
		expect(t, h, "host.example", "198.51.100.9 with a port", "host.example", "2001:db8:1:2:3:4:5:6 with a port", "host.example", "192.0.2.77 with a port")
		h.stop()
		h = start(t, o)
		time.Sleep(2 * time.Hour)
		h.commit(batch{agent: "a", epoch: 1, first: 7, events: from(t, "198.51.100.9")[:1]})
		time.Sleep(time.Hour)
		synctest.Wait()
		expect(t, h, "198.51.100.9 with a port", "host.example", "198.51.100.9 with a port", "", "2001:db8:1::", "", "192.0.2.0")
		top, err := h.Top(t.Context(), history.Sources, history.Filter{}, 10)
		left := []string{"192.0.2.0", "198.51.100.0", "198.51.100.9", "2001:db8:1::"} // of a day that begins too long ago, too
		if err != nil || len(top) < 3 || slices.ContainsFunc(top, func(t history.Tally) bool { return !slices.Contains(left, t.Name) }) {
			t.Errorf("the most frequent are %v, error %v", top, err)
		}
		networks, err := h.Top(t.Context(), history.Networks, history.Filter{}, 10)
		if err != nil || len(networks) != 3 || !slices.Contains(networks, history.Tally{Name: "2001:db8:1::/64", Attempts: 1}) {
			t.Errorf("the networks are %v, error %v", networks, err)
		}
		if got := h.totals(); len(got) != 1 || got[0].Events != 7 {
			t.Errorf("totals %+v, want 7 events", got)
		}
		h.stop()
	})
}
