package history_test

import (
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/pialert/pialert/display/internal/history"
	"github.com/pialert/pialert/pkg/attack"
)

// The most frequent are those that counting by hand finds.
func TestTop(t *testing.T) {
	t.Parallel()
	now := noon
	o := optionsAt(t, &now)
	h := start(t, o)
	all := story(h, &now, 30*time.Hour, 11)
	names := map[history.Dimension]func(a *arrival) string{
		history.Agents:  func(a *arrival) string { return a.agent },
		history.Kinds:   func(a *arrival) string { return a.event.Kind.String() },
		history.Sources: func(a *arrival) string { return a.event.SourceIP.String() },
		history.Users:   func(a *arrival) string { return a.event.User },
		history.Networks: func(a *arrival) string {
			bits := 64
			if a.event.SourceIP.Is4() {
				bits = 24
			}
			prefix, _ := a.event.SourceIP.Prefix(bits)
			return prefix.String()
		},
	}
	network, since := netip.MustParsePrefix("198.51.1.0/24"), noon.Add(5*time.Hour).Truncate(time.Hour)
	filters := map[string]struct {
		filter history.Filter
		chosen func(*arrival) bool
	}{
		"all":       {history.Filter{}, func(*arrival) bool { return true }},
		"a network": {history.Filter{Source: network}, func(a *arrival) bool { return network.Contains(a.event.SourceIP) }},
		"an agent":  {history.Filter{Agent: "a"}, func(a *arrival) bool { return a.agent == "a" }},
		"a user":    {history.Filter{User: "admin"}, func(a *arrival) bool { return a.event.User == "admin" }},
		"a span":    {history.Filter{Span: history.Span{Since: since}}, func(a *arrival) bool { return !a.at.Before(since) }},
	}
	check := func(when string) {
		t.Helper()
		for by, name := range names {
			for say, f := range filters {
				sums := map[string]uint64{}
				for i := range all {
					if a := &all[i]; !a.event.Test && a.event.Kind.Attempt() && f.chosen(a) && a.event.Count > 0 {
						sums[name(a)] += a.event.Count
					}
				}
				delete(sums, "")
				got, err := h.Top(t.Context(), by, f.filter, 1000)
				if err != nil {
					t.Fatal(err)
				}
				list := map[string]uint64{}
				for _, tally := range got {
					list[tally.Name] = tally.Attempts
				}
				if !maps.Equal(list, sums) {
					t.Errorf("%s, %s of %s: %v\nwant %v", when, by, say, list, sums)
				}
				if !slices.IsSortedFunc(got, func(a, b history.Tally) int { return int(b.Attempts) - int(a.Attempts) }) {
					t.Errorf("%s, %s of %s: the most frequent are not first: %v", when, by, say, got)
				}
			}
		}
	}
	check("at first")
	h.Upkeep()
	check("after upkeep")
	h.stop()
	edit(t, o.Path, "DROP TABLE lists; PRAGMA user_version=3")
	h = start(t, o)
	check("after an upgrade")
	top, err := h.Top(t.Context(), history.Sources, history.Filter{}, 2)
	if err != nil || len(top) != 2 {
		t.Errorf("two sources: %v, error %v", top, err)
	}
	sources, err := h.TopSources(t.Context(), history.Filter{}, 2)
	if err != nil || len(sources) != 2 || sources[0].Attempts != top[0].Attempts || sources[1].Prefix.Addr().String() != top[1].Name || len(sources[0].Users) != 2 {
		t.Errorf("two sources: %+v, error %v", sources, err)
	}
	found, err := h.Find(t.Context(), history.Users, "OO", 5)
	if err != nil || len(found) != 1 || found[0].Name != "root" {
		t.Errorf("users with OO: %v, error %v", found, err)
	}
}

// A source's portrait says when it came, what it tried, and whether it is banned.
func TestSource(t *testing.T) {
	t.Parallel()
	now := noon
	o := optionsAt(t, &now)
	h := start(t, o)
	first, other := event(7), event(8)
	h.commit(batch{agent: "a", epoch: 1, first: 1, events: []attack.Event{first, other}})
	now = now.Add(time.Hour)
	probe := event(7)
	probe.Kind, probe.Count, probe.Detail = attack.HTTPProbe, 4, attack.HTTP{Method: "GET", Target: "/.env"}
	ban := event(7)
	ban.Kind, ban.Detail = attack.Ban, attack.BanInfo{Jail: "sshd"}
	h.commit(batch{agent: "b", epoch: 1, first: 1, events: []attack.Event{probe, ban}})
	got, err := h.Source(t.Context(), history.Filter{Source: netip.MustParsePrefix("192.0.2.7/32")})
	want := history.Source{
		Prefix: netip.MustParsePrefix("192.0.2.7/32"), Attempts: 5, First: noon, Last: now,
		Kinds:   []history.Tally{{Name: "http_probe", Attempts: 4}, {Name: "ssh_login", Attempts: 1}},
		Users:   []history.Tally{{Name: "root", Attempts: 5}},
		Targets: []history.Tally{{Name: "/.env", Attempts: 4}},
		Ban:     history.Ban{At: now, Jail: "sshd"},
	}
	if err != nil || !got.First.Equal(want.First) || !got.Last.Equal(want.Last) || !got.Ban.At.Equal(now) {
		t.Errorf("got %+v, error %v", got, err)
	}
	got.First, got.Last, got.Ban.At = want.First, want.Last, want.Ban.At
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}
