package history_test

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/display/internal/history"
	"github.com/pialert/pialert/pkg/attack"
)

func zoneOf(t testing.TB, name string) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// arrival is an event as the test remembers it.
type arrival struct {
	at    time.Time
	agent string
	event attack.Event
}

// story commits random events of two agents over some time and returns them all.
func story(h *running, now *time.Time, long time.Duration, seed uint64) (all []arrival) {
	h.t.Helper()
	random := rand.New(rand.NewPCG(seed, 1))
	kinds := []attack.Kind{attack.SSHLogin, attack.SSHProbe, attack.HTTPProbe, attack.Ban, attack.UnknownKind(400, attack.FamilySSH, true)}
	next := map[string]uint64{"a": 1, "b": 1}
	const steps = 150
	for range steps {
		*now = now.Add(time.Duration(random.Int64N(int64(2 * long / steps))))
		agent := []string{"a", "b"}[random.IntN(2)]
		list := events(1 + random.IntN(30))
		for i := range list {
			e := &list[i]
			e.Kind, e.Detail = kinds[random.IntN(len(kinds))], nil
			e.Count, e.Test = uint64(random.IntN(5)), random.IntN(9) == 0
			e.User = []string{"root", "admin", ""}[random.IntN(3)]
			e.SourceIP = netip.AddrFrom4([4]byte{198, 51, byte(random.IntN(3)), byte(random.IntN(4))})
			if random.IntN(3) == 0 {
				e.SourceIP = netip.MustParseAddr(fmt.Sprintf("2001:db8:%x::%x", random.IntN(3), random.IntN(4)))
			}
			all = append(all, arrival{*now, agent, *e})
		}
		h.commit(batch{agent: agent, epoch: 1, first: next[agent], events: list})
		next[agent] += uint64(len(list))
	}
	return all
}

// counted is a row of counts without its number.
type counted struct {
	bar   int
	agent string
	kind  attack.Kind
}

// expected counts what is remembered, in the plainest way.
func expected(all []arrival, bounds []time.Time, chosen func(*arrival) bool) map[counted]history.Sum {
	want := map[counted]history.Sum{}
	for i := range all {
		a := &all[i]
		bar := sort.Search(len(bounds), func(i int) bool { return bounds[i].After(a.at) }) - 1
		if bar >= 0 && bar < len(bounds)-1 && !a.event.Test && chosen(a) {
			at := counted{bar, a.agent, a.event.Kind}
			want[at] = history.Sum{Events: want[at].Events + 1, Attempts: want[at].Attempts + a.event.Count}
		}
	}
	return want
}

func (r *running) counts(bounds []time.Time, filter history.Filter) map[counted]history.Sum {
	r.t.Helper()
	list, err := r.Counts(r.t.Context(), bounds, filter, history.Naming{Of: func(of history.Counted) string { return of.Agent + " " + of.Kind.String() }})
	if err != nil {
		r.t.Fatal(err)
	}
	got := map[counted]history.Sum{}
	for _, c := range list {
		agent, word, _ := strings.Cut(c.Name, " ")
		kind, err := attack.ParseKind(word)
		if err != nil {
			r.t.Fatal(err)
		}
		got[counted{c.Bar, agent, kind}] = c.Sum
	}
	return got
}

// halfName is what networks are called, those of them that have a name.
func halfName(network netip.Prefix) string {
	switch {
	case network.Addr().Is6():
		return "six"
	case network == netip.MustParsePrefix("198.51.1.0/24"):
		return "one"
	}
	return ""
}

// named is a bar's part that has a name.
type named struct {
	bar  int
	name string
}

// expectedBy counts attempts by what their networks are called, in the plainest way.
func expectedBy(all []arrival, bounds []time.Time, name func(netip.Prefix) string) map[named]uint64 {
	want := map[named]uint64{}
	for i := range all {
		bits := 64
		if all[i].event.SourceIP.Is4() {
			bits = 24
		}
		network, _ := all[i].event.SourceIP.Prefix(bits)
		for at, sum := range expected(all[i:i+1], bounds, func(a *arrival) bool { return a.event.Kind.Attempt() }) {
			want[named{at.bar, name(network)}] += sum.Attempts
		}
	}
	maps.DeleteFunc(want, func(_ named, n uint64) bool { return n == 0 })
	return want
}

func (r *running) countsBy(bounds []time.Time, filter history.Filter, name func(netip.Prefix) string) map[named]uint64 {
	r.t.Helper()
	list, err := r.NetworkCounts(r.t.Context(), bounds, filter, name)
	if err != nil {
		r.t.Fatal(err)
	}
	got := map[named]uint64{}
	for _, c := range list {
		if c.Attempts > 0 {
			got[named{c.Bar, c.Name}] += c.Attempts
		}
	}
	return got
}

// every returns bounds at equal distances, the last after until.
func every(step time.Duration, from, until time.Time) (bounds []time.Time) {
	for at := from; ; at = at.Add(step) {
		if bounds = append(bounds, at); at.After(until) {
			return bounds
		}
	}
}

// days returns the midnights of a zone, the last after until.
func days(from, until time.Time, zone *time.Location) (bounds []time.Time) {
	year, month, day := from.In(zone).Date()
	for n := 0; ; n++ {
		at := time.Date(year, month, day+n, 0, 0, 0, 0, zone)
		if bounds = append(bounds, at); at.After(until) {
			return bounds
		}
	}
}

// Charts are exact, whatever their bars and filters, in zones of half hours and across days of 23
// and 25 hours; after a restart, and after an upgrade of a file without roll-ups.
func TestChartsAreExact(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ zone, begin string }{
		{"UTC", "2026-11-18T00:00:00Z"},
		{"Europe/Berlin", "2026-10-24T20:00:00Z"}, // the night has an hour more
		{"Europe/Berlin", "2026-03-28T20:00:00Z"}, // an hour less
		{"Asia/Kolkata", "2026-11-18T00:00:00Z"},  // half an hour off
		{"America/St_Johns", "2026-10-31T20:00:00Z"},
	} {
		t.Run(test.zone+test.begin[5:7], func(t *testing.T) {
			t.Parallel()
			zone := zoneOf(t, test.zone)
			begin, err := time.Parse(time.RFC3339, test.begin)
			if err != nil {
				t.Fatal(err)
			}
			now := begin
			o := options(file(t))
			o.Now, o.Zone = func() time.Time { return now }, func() *time.Location { return zone }
			h := start(t, o)
			all := story(h, &now, 40*time.Hour, 7)
			check := func(say string) {
				t.Helper()
				_, ahead := begin.In(zone).Zone()
				full := begin.Add(-time.Duration(ahead) * time.Second).Truncate(time.Hour).Add(time.Duration(ahead) * time.Second).Add(-time.Hour)
				for name, bounds := range map[string][]time.Time{
					"minutes":     every(time.Minute, begin, now),
					"ten minutes": every(10*time.Minute, begin, now),
					"hours":       every(time.Hour, full, now),
					"days":        days(begin, now, zone),
				} {
					network := netip.MustParsePrefix("198.51.1.0/24")
					narrow, address := netip.MustParsePrefix("2001:db8:1::/48"), netip.MustParsePrefix("198.51.2.3/32")
					for filterName, f := range map[string]struct {
						filter history.Filter
						chosen func(*arrival) bool
					}{
						"all":       {history.Filter{}, func(*arrival) bool { return true }},
						"an agent":  {history.Filter{Agent: "b"}, func(a *arrival) bool { return a.agent == "b" }},
						"a kind":    {history.Filter{Kind: attack.SSHProbe}, func(a *arrival) bool { return a.event.Kind == attack.SSHProbe }},
						"a network": {history.Filter{Source: network}, func(a *arrival) bool { return network.Contains(a.event.SourceIP) }},
						"networks":  {history.Filter{Source: narrow, Agent: "a"}, func(a *arrival) bool { return a.agent == "a" && narrow.Contains(a.event.SourceIP) }},
						"a source":  {history.Filter{Source: address}, func(a *arrival) bool { return address.Contains(a.event.SourceIP) }},
					} {
						if got, want := h.counts(bounds, f.filter), expected(all, bounds, f.chosen); !maps.Equal(got, want) {
							t.Errorf("%s, %s of %s: %d counts, want %d", say, name, filterName, len(got), len(want))
						}
					}
					if got, want := h.countsBy(bounds, history.Filter{}, halfName), expectedBy(all, bounds, halfName); !maps.Equal(got, want) {
						t.Errorf("%s, %s by name: %v, want %v", say, name, got, want)
					}
				}
			}
			check("at first")
			h.Upkeep()
			check("after upkeep")
			h.stop()
			h = start(t, o)
			check("after a restart")
			h.stop()
			edit(t, o.Path, "DROP TABLE lists; DROP TABLE stored; PRAGMA user_version=3")
			h = start(t, o)
			check("after an upgrade")
			h.stop()
			edit(t, o.Path, rowsOfRollups(begin.In(zone), now.In(zone))+"PRAGMA user_version=7")
			h = start(t, o)
			check("after an upgrade of rows")
			if n := number(t, h, "SELECT count(*) FROM sqlite_schema WHERE name = 'rollups'"); n != 0 {
				t.Error("the rows are still there")
			}
		})
	}
}

// rowsOfRollups makes of the events of a file what versions 4 to 7 kept in place of lists of machines: a row for each
// step, agent and kind, of a zone whose clock changes once at most, at a full hour.
func rowsOfRollups(begin, now time.Time) string {
	_, before := begin.Zone()
	_, behind := now.Zone()
	change := begin.Unix()
	for at := begin; !at.After(now); at = at.Add(time.Hour).Truncate(time.Hour) {
		if _, ahead := at.Zone(); ahead == before {
			change = at.Add(time.Hour).Truncate(time.Hour).Unix()
		}
	}
	statements := `DELETE FROM lists WHERE what = 5; CREATE TABLE rollups (step INTEGER NOT NULL, start INTEGER NOT NULL, agent INTEGER NOT NULL,
		kind INTEGER NOT NULL, test INTEGER NOT NULL, key BLOB NOT NULL, events INTEGER NOT NULL, attempts INTEGER NOT NULL,
		PRIMARY KEY (step, start, agent, kind, test, key)) STRICT, WITHOUT ROWID;`
	for _, step := range []int{60, 600, 3600} {
		statements += fmt.Sprintf(`INSERT INTO rollups SELECT %[1]d, at, agent, kind, test, coalesce(machine, x''), count(*), sum(count) FROM
			(SELECT *, (second + ahead) / %[1]d * %[1]d - ahead AS at FROM
			(SELECT *, arrived/1000000000 AS second, CASE WHEN arrived/1000000000 < %[2]d THEN %[3]d ELSE %[4]d END AS ahead FROM events))
			GROUP BY at, agent, kind, test, machine;`, step, change, before, behind)
	}
	return statements
}

// number returns what a query yields.
func number(t testing.TB, h *running, query string) (n int64) {
	t.Helper()
	err := h.View(t.Context(), func(ctx context.Context, tx *sql.Tx) error { return tx.QueryRowContext(ctx, query).Scan(&n) })
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Of a source, attempts are counted by their network's name, too, and all of them are there.
func TestSourcesByNetwork(t *testing.T) {
	t.Parallel()
	now := noon
	o := optionsAt(t, &now)
	h := start(t, o)
	all := story(h, &now, 40*time.Hour, 3)
	h.Upkeep()
	network, address := netip.MustParsePrefix("198.51.0.0/16"), netip.MustParsePrefix("198.51.2.3/32")
	begin := noon.Truncate(time.Hour)
	for step, bounds := range map[string][]time.Time{"minutes": every(time.Minute, begin, now), "hours": every(time.Hour, begin, now), "days": days(begin, now, time.UTC)} {
		for name, f := range map[string]struct {
			filter history.Filter
			chosen func(*arrival) bool
		}{
			"a network's agent": {history.Filter{Source: network, Agent: "a"}, func(a *arrival) bool { return a.agent == "a" && network.Contains(a.event.SourceIP) }},
			"an address":        {history.Filter{Source: address}, func(a *arrival) bool { return address.Contains(a.event.SourceIP) }},
		} {
			of := slices.DeleteFunc(slices.Clone(all), func(a arrival) bool { return !f.chosen(&a) })
			got, want := h.countsBy(bounds, f.filter, halfName), expectedBy(of, bounds, halfName)
			if !maps.Equal(got, want) || len(want) == 0 {
				t.Errorf("%s of %s: %v, want %v", step, name, got, want)
			}
		}
	}
}

// No list says from where a user's or a machine's attempts came.
func TestCountsByNetworkAreOfNoUser(t *testing.T) {
	t.Parallel()
	h := start(t, options(file(t)))
	for _, filter := range []history.Filter{{User: "root"}, {Host: "web1"}, {User: "root", Source: netip.MustParsePrefix("198.51.1.0/24")}} {
		if _, err := h.NetworkCounts(t.Context(), []time.Time{noon, noon.Add(time.Hour)}, filter, halfName); err == nil {
			t.Errorf("%+v is answered", filter)
		}
	}
}

// sums adds everything of all time up by agent, kind and test, as totals are.
func (r *running) sums() (list []history.Total) {
	r.t.Helper()
	list, err := r.Summed(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return list
}

// The hours add up to the totals: as they are written, after an upgrade of a file of which the
// oldest events are gone, and after a repair.
func TestHoursAddUpToTotals(t *testing.T) {
	t.Parallel()
	zone := zoneOf(t, "Europe/Berlin")
	now := time.Date(2026, 10, 20, 0, 0, 0, 0, time.UTC)
	o := options(file(t))
	o.Now, o.Zone = func() time.Time { return now }, func() *time.Location { return zone }
	h := start(t, o)
	story(h, &now, 9*24*time.Hour, 3)
	totals := h.totals()
	byDay := func() (list [][]history.Total) {
		for at := time.Date(2026, 10, 20, 12, 0, 0, 0, zone); at.Before(now); at = at.AddDate(0, 0, 1) {
			day, err := h.TotalsOn(t.Context(), at)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, day)
		}
		return list
	}
	daily := byDay()
	check := func(say string) {
		t.Helper()
		if got := h.sums(); !reflect.DeepEqual(got, totals) {
			t.Errorf("%s the hours add up to %+v\nwant %+v", say, got, totals)
		}
		if got := byDay(); !reflect.DeepEqual(got, daily) {
			t.Errorf("%s the days are %+v\nwant %+v", say, got, daily)
		}
	}
	check("at first")
	h.stop()
	edit(t, o.Path, "DROP TABLE lists; DROP TABLE stored; DELETE FROM events WHERE id < 1500; PRAGMA user_version=3")
	h = start(t, o)
	check("after an upgrade")
	h.stop()
	content := read(t, o.Path)
	clear(content[20*4096 : len(content)*3/4])
	write(t, o.Path, content)
	h = start(t, o)
	if len(damagedFiles(t, o.Path)) != 1 {
		t.Fatal("the damage was not found")
	}
	if got := h.sums(); !reflect.DeepEqual(got, totals) {
		t.Errorf("after a repair the hours add up to %+v\nwant %+v", got, totals)
	}
}

// Counters that an owner feeds have charts of their own, as far as they are few.
func TestCounters(t *testing.T) {
	t.Parallel()
	h := start(t, options(file(t)))
	var list []attack.Event
	for n := range 200 {
		list = append(list, attack.Event{Kind: attack.Counter, Severity: attack.Info, Observed: noon,
			Detail: attack.Count{Key: fmt.Sprint("key", n%100), Value: 10}})
	}
	h.commit(batch{agent: "a", epoch: 1, first: 1, events: list})
	counts, err := h.Counts(t.Context(), []time.Time{noon.Truncate(time.Hour), noon.Add(time.Hour).Truncate(time.Hour)}, history.Filter{Kind: attack.Counter}, history.Naming{Of: func(of history.Counted) string { return cmp.Or(of.Key, "none") }})
	keys, sum := map[string]uint64{}, uint64(0)
	for _, c := range counts {
		keys[c.Name] += c.Attempts
		sum += c.Attempts
	}
	if err != nil || len(keys) != 65 || keys["key7"] != 20 || sum != 2000 {
		t.Errorf("%d keys, %d in all, error %v: %v", len(keys), sum, err, keys)
	}
	if top, err := h.Top(t.Context(), history.Counters, history.Filter{}, 1); err != nil || len(top) != 1 || top[0].Attempts != 20 {
		t.Errorf("top %v, error %v", top, err)
	}
}
