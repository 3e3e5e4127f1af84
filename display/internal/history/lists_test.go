package history_test

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/pialert/pialert/display/internal/history"
	"github.com/pialert/pialert/pkg/attack"
)

// ranked returns the most frequent by name, and fails unless all are told.
func (r *running) ranked(by history.Dimension, filter history.Filter) map[string]uint64 {
	r.t.Helper()
	ranking, err := r.Rank(r.t.Context(), by, filter, 10_000)
	if err != nil || ranking.Others != 0 || ranking.Newest {
		r.t.Errorf("%s: %+v, error %v", by, ranking, err)
	}
	got := map[string]uint64{}
	for _, tally := range ranking.Names {
		got[tally.Name] = tally.Attempts
	}
	return got
}

// What arrives by a clock that was set back, into hours and days that are summed up already, counts in
// them.
func TestListsOfAClockThatWasSetBack(t *testing.T) {
	t.Parallel()
	now := noon
	o := optionsAt(t, &now)
	h := start(t, o)
	h.commit(batch{agent: "a", epoch: 1, first: 1, events: events(1)})
	now = noon.AddDate(0, 0, 2)
	h.Upkeep()
	now = noon.Add(10 * time.Minute)
	h.commit(batch{agent: "a", epoch: 1, first: 2, events: events(2)})
	want := map[string]uint64{"192.0.2.0": 2, "192.0.2.1": 1}
	for _, say := range []string{"at once", "after upkeep"} {
		for name, span := range map[string]history.Span{
			"all":       {},
			"the hour":  {Since: noon.Truncate(time.Hour), Until: noon.Truncate(time.Hour).Add(time.Hour)},
			"the hours": {Since: noon.Add(-2 * time.Hour), Until: noon.Add(2 * time.Hour)},
			"the days":  {Since: noon.Truncate(24 * time.Hour), Until: noon.Truncate(24*time.Hour).AddDate(0, 0, 1)},
		} {
			if got := h.ranked(history.Sources, history.Filter{Span: span}); !maps.Equal(got, want) {
				t.Errorf("%s, the sources of %s are %v, want %v", say, name, got, want)
			}
		}
		now = noon.AddDate(0, 0, 2).Add(time.Hour)
		h.Upkeep()
	}
}

// Only events of a time that came twice are looked at whatever the lists say, a minute more before them.
func TestWhatIsLookedAtOfAClockThatWasSetBack(t *testing.T) {
	t.Parallel()
	now := noon
	o := optionsAt(t, &now)
	h := start(t, o)
	const margin = 1 << 16 // behind the last event: more than a batch has
	for i, step := range []struct {
		at          time.Duration // behind noon
		first, last int64
	}{
		{0, 1, 0}, {time.Hour, 1, 0}, {time.Hour, 1, 0},
		{2 * time.Hour, 1, 0},
		{time.Hour + 59*time.Minute, 4, 4 + margin},              // a minute: only the event before is newer
		{time.Hour + 59*time.Minute, 4, 5 + margin},              // on from there
		{3 * time.Hour, 4, 5 + margin},                           // it is right again
		{3*time.Hour - 1, 4, 7 + margin},                         // another time, later
		{time.Hour + time.Minute, 2, 8 + margin},                 // another time, earlier
		{2*time.Hour + time.Minute + time.Second, 2, 9 + margin}, // on
	} {
		now = noon.Add(step.at)
		h.commit(batch{agent: "a", epoch: 1, first: uint64(i + 1), events: events(1)})
		first, last, err := h.SetBack(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if first != step.first || last != step.last {
			t.Errorf("event %d, %v behind noon: %d to %d are looked at, want %d to %d", i+1, step.at, first, last, step.first, step.last)
		}
	}
}

// Upkeep sums every step that is over up to the next: a year's chart reads days, not hours.
func TestEveryStepIsSummedUp(t *testing.T) {
	t.Parallel()
	now := noon
	o := optionsAt(t, &now)
	h := start(t, o)
	h.commit(batch{agent: "a", epoch: 1, first: 1, events: events(1)})
	now = noon.AddDate(0, 0, 1)
	h.Upkeep()
	for _, step := range []int64{60, 600, 3600, 86400} {
		if n := number(t, h, fmt.Sprintf("SELECT count(*) FROM lists WHERE what = 5 AND step = %d", step)); n != 1 {
			t.Errorf("%d lists of machines are of %d s, want 1", n, step)
		}
	}
}

// A commit adds a part to the lists of its minute, and of the hour if that is summed up already. Upkeep makes one part of
// them once the minute is over, with the same sums: a chart of today reads a list a minute, not one a commit.
func TestPartsAreMergedOnceTheirStepIsOver(t *testing.T) {
	t.Parallel()
	now := noon
	o := optionsAt(t, &now)
	h := start(t, o)
	want := map[string]uint64{}
	next := uint64(1)
	commit := func(n int) {
		list := events(n)
		for i := range list {
			want[list[i].SourceIP.String()] += list[i].Count
		}
		h.commit(batch{agent: "a", epoch: 1, first: next, events: list})
		next += uint64(n)
	}
	check := func(say string, step, parts int64) {
		t.Helper()
		got := number(t, h, fmt.Sprintf("SELECT max(parts) FROM (SELECT count(*) AS parts FROM lists WHERE step = %d GROUP BY what, start)", step))
		if got != parts {
			t.Errorf("%s: lists of %d s have %d parts, want %d", say, step, got, parts)
		}
		if got := h.ranked(history.Sources, history.Filter{}); !maps.Equal(got, want) {
			t.Errorf("%s: the sources are %v, want %v", say, got, want)
		}
	}
	for n := range 3 {
		commit(n + 1)
	}
	h.Upkeep()
	check("in the same minute", 60, 3)
	now = noon.Add(2 * time.Minute)
	h.Upkeep()
	check("when the minute is over", 60, 1)

	now = noon.Add(2 * time.Hour)
	h.Upkeep()
	now = noon // the clock was set back
	commit(2)
	commit(3)
	check("into an hour that is summed up", 3600, 3)
	now = noon.Add(2 * time.Hour)
	h.Upkeep()
	check("when the clock is right again", 3600, 1)
	check("when the clock is right again", 60, 1)
}

// Hours and days tell what minutes that are no longer kept did.
func TestListsOfLongAgo(t *testing.T) {
	t.Parallel()
	now := noon
	o := optionsAt(t, &now)
	h := start(t, o)
	all := story(h, &now, 72*time.Hour, 5)
	want := map[string]uint64{}
	for i := range all {
		if e := &all[i].event; !e.Test && e.Kind.Attempt() && e.Count > 0 {
			want[e.SourceIP.String()] += e.Count
		}
	}
	for range 3 {
		now = now.AddDate(0, 0, 50)
		recent := event(1)
		recent.Observed, recent.Kind = now, attack.Ban // a clock that agrees, or nothing is deleted
		h.commit(batch{agent: "c", epoch: 1, first: uint64(now.Unix()), events: []attack.Event{recent}})
		h.Upkeep()
		if got := h.ranked(history.Sources, history.Filter{}); !maps.Equal(got, want) {
			t.Errorf("%v later the sources are %v\nwant %v", now.Sub(noon), got, want)
		}
	}
}

// The networks that an earlier version kept by the hour are taken over, also of events that are gone;
// addresses and users are those of the events that are left.
func TestNetworksOfAnEarlierVersion(t *testing.T) {
	t.Parallel()
	now := noon
	o := optionsAt(t, &now)
	h := start(t, o)
	all := story(h, &now, 60*time.Hour, 9)
	h.stop()
	edit(t, o.Path, `CREATE TABLE networks (hour INTEGER NOT NULL, network BLOB NOT NULL, agent INTEGER NOT NULL, kind INTEGER NOT NULL,
			events INTEGER NOT NULL, attempts INTEGER NOT NULL, PRIMARY KEY (hour, network, agent, kind)) STRICT, WITHOUT ROWID;
		INSERT INTO networks SELECT arrived/1000000000/3600*3600, substr(source, 1, CASE length(source) WHEN 4 THEN 3 ELSE 8 END), agent, kind, count(*), sum(count)
			FROM events WHERE NOT test GROUP BY 1, 2, 3, 4;
		DELETE FROM events WHERE id <= 700; DROP TABLE lists; PRAGMA user_version = 3`)
	h = start(t, o)
	networks, users := map[string]uint64{}, map[string]uint64{}
	for i := range all {
		e := &all[i].event
		if e.Test || !e.Kind.Attempt() || e.Count == 0 {
			continue
		}
		bits := 64
		if e.SourceIP.Is4() {
			bits = 24
		}
		networks[netip.PrefixFrom(e.SourceIP, bits).Masked().String()] += e.Count
		if e.User != "" && i >= 700 {
			users[e.User] += e.Count
		}
	}
	for _, say := range []string{"at first", "after upkeep"} {
		if got := h.ranked(history.Networks, history.Filter{}); !maps.Equal(got, networks) {
			t.Errorf("%s the networks are %v\nwant %v", say, got, networks)
		}
		if got := h.ranked(history.Users, history.Filter{}); !maps.Equal(got, users) {
			t.Errorf("%s the users are %v\nwant %v", say, got, users)
		}
		h.Upkeep()
	}
}

// Events of a source or a user are found wherever they are: in minutes, hours and days that are summed
// up or not, before and after the clock was set back, tests among them; and what users a source tried is
// told of all of them.
func TestEventsOfASource(t *testing.T) {
	t.Parallel()
	now := noon
	o := optionsAt(t, &now)
	h := start(t, o)
	all := story(h, &now, 80*time.Hour, 13)
	h.Upkeep()
	now = now.Add(-7 * time.Hour)
	more := events(40)
	for i := range more {
		more[i].User = []string{"root", "rare"}[i%2]
		more[i].Test = i%3 == 0
		all = append(all, arrival{now, "c", more[i]})
	}
	h.commit(batch{agent: "c", epoch: 1, first: 1, events: more})
	for _, say := range []string{"at first", "after upkeep"} {
		for name, filter := range map[string]history.Filter{
			"an address":             {Source: netip.MustParsePrefix("198.51.2.3/32")},
			"one of the set-back":    {Source: netip.MustParsePrefix("192.0.2.7/32")},
			"a network":              {Source: netip.MustParsePrefix("2001:db8:1::/64")},
			"an address of IPv6":     {Source: netip.MustParsePrefix("2001:db8:1::2/128")},
			"a user":                 {User: "rare"},
			"a user and a network":   {User: "root", Source: netip.MustParsePrefix("192.0.2.0/24")},
			"an address and a span":  {Source: netip.MustParsePrefix("198.51.1.1/32"), Span: history.Span{Since: noon.Add(9 * time.Hour), Until: noon.Add(70*time.Hour + 90*time.Second)}},
			"an address of an agent": {Source: netip.MustParsePrefix("198.51.0.2/32"), Agent: "b"},
		} {
			var ids []int64
			users := map[string]uint64{}
			for i := range all {
				a := &all[i]
				e := &a.event
				if filter.User != "" && e.User != filter.User || filter.Source.IsValid() && !filter.Source.Contains(e.SourceIP) || filter.Agent != "" && a.agent != filter.Agent ||
					!filter.Since.IsZero() && (a.at.Before(filter.Since) || !a.at.Before(filter.Until)) {
					continue
				}
				ids = append(ids, int64(i+1))
				if !e.Test && e.Kind.Attempt() && e.User != "" && e.Count > 0 {
					users[e.User] += e.Count
				}
			}
			oldest, err := h.Select(t.Context(), 1000, filter)
			newest, err2 := h.Recent(t.Context(), 1000, filter)
			slices.Reverse(newest)
			for _, records := range [][]history.Record{oldest, newest} {
				if got := idsOf(records); !slices.Equal(got, ids) || err != nil || err2 != nil {
					t.Errorf("%s, of %s there are %v\nwant %v, errors %v %v", say, name, got, ids, err, err2)
				}
			}
			n, after, err := h.Newest(t.Context(), 5, filter)
			if want := ids[len(ids)-min(5, len(ids)):]; err != nil || n != len(want) || after != want[0]-1 {
				t.Errorf("%s, the newest five of %s are %d above %d, error %v, want %v", say, name, n, after, err, want)
			}
			if got := h.ranked(history.Users, filter); !maps.Equal(got, users) {
				t.Errorf("%s, the users of %s are %v, want %v", say, name, got, users)
			}
		}
		now = now.Add(30 * time.Hour)
		h.Upkeep()
	}
}

func idsOf(records []history.Record) (ids []int64) {
	for _, r := range records {
		ids = append(ids, r.ID)
	}
	return ids
}

// A flood from more addresses than lists have room for is counted as from others, and no less; who
// attacks more than the others is told by name however many they are.
func TestListsAreBounded(t *testing.T) {
	t.Parallel()
	now := noon
	o := optionsAt(t, &now)
	o.MaxBytes = 64 << 20
	h := start(t, o)
	const crowd, minutes = 2000, 70
	steady := netip.MustParseAddr("203.0.113.9")
	next := uint64(1)
	for range minutes {
		list := events(crowd)
		for i := range list {
			list[i].SourceIP = netip.AddrFrom4([4]byte{byte(next >> 16), byte(next >> 8), byte(next), byte(i)})
			list[i].User, next = fmt.Sprint("user", next), next+1
		}
		list[7].SourceIP, list[7].Count = steady, 3
		h.commit(batch{agent: "a", epoch: 1, first: next - crowd, events: list})
		now = now.Add(time.Minute)
	}
	h.stop() // it may still be making room after the last commit
	h = start(t, o)
	h.Upkeep()
	for _, by := range []history.Dimension{history.Sources, history.Networks, history.Users} {
		ranking, err := h.Rank(t.Context(), by, history.Filter{}, 100_000)
		if err != nil {
			t.Fatal(err)
		}
		sum := ranking.Others
		for _, tally := range ranking.Names {
			sum += tally.Attempts
		}
		if want := uint64(minutes * (crowd + 2)); sum != want || ranking.Others == 0 {
			t.Errorf("%s add up to %d, of which %d are others'; want %d", by, sum, ranking.Others, want)
		}
		if first := ranking.Names[0]; by == history.Sources && (first.Name != steady.String() || first.Attempts != 3*minutes) {
			t.Errorf("the first is %+v, want %s with %d", first, steady, 3*minutes)
		}
	}
	var longest, all int
	err := h.View(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, "SELECT max(length(list)), sum(length(list)) FROM lists").Scan(&longest, &all)
	})
	if most := 64 << 20 >> 15; err != nil || longest > most+100 || all > 4*(minutes+1)*(most/4+100)+4*most {
		t.Errorf("the longest list takes %d bytes, all take %d, error %v", longest, all, err)
	}
}

// Agents by the hundred leave room for names: lists tell who attacked, and events of which agent.
func TestListsOfAFleet(t *testing.T) {
	t.Parallel()
	now := noon
	o := optionsAt(t, &now)
	o.MaxBytes = 32 << 20
	h := start(t, o)
	const fleet, addresses = 300, 10
	sources, agents := map[string]uint64{}, map[string]uint64{} // and agents of one source
	mine := map[string]uint64{}                                 // sources of one agent
	for n := range fleet {
		agent := fmt.Sprintf("agent-%03d", n)
		list := events(2)
		for i := range list {
			list[i].SourceIP = netip.AddrFrom4([4]byte{198, 51, 100, byte((n + i) % addresses)})
			list[i].Count = uint64(1 + n%3)
			name := list[i].SourceIP.String()
			sources[name] += list[i].Count
			if name == "198.51.100.4" {
				agents[agent] += list[i].Count
			}
			if n == 150 {
				mine[name] += list[i].Count
			}
		}
		h.commit(batch{agent: agent, epoch: 1, first: 1, events: list})
		now = now.Add(10 * time.Second)
	}
	source := netip.MustParsePrefix("198.51.100.4/32")
	bounds := []time.Time{noon.Truncate(time.Hour), now.Truncate(time.Hour).Add(time.Hour)}
	for _, say := range []string{"at first", "after upkeep"} {
		if got := h.ranked(history.Sources, history.Filter{}); !maps.Equal(got, sources) {
			t.Errorf("%s the sources are %v, want %v", say, got, sources)
		}
		if got := h.ranked(history.Sources, history.Filter{Agent: "agent-150"}); !maps.Equal(got, mine) {
			t.Errorf("%s the sources of an agent are %v, want %v", say, got, mine)
		}
		if got := h.ranked(history.Agents, history.Filter{Source: source}); !maps.Equal(got, agents) {
			t.Errorf("%s the agents of a source are %v, want %v", say, got, agents)
		}
		for agent, want := range map[string]uint64{"": sources["198.51.100.4"], "agent-150": 0, "agent-134": agents["agent-134"]} {
			counts, err := h.Counts(t.Context(), bounds, history.Filter{Source: source, Agent: agent}, history.Attempts)
			var got uint64
			for _, c := range counts {
				got += c.Attempts
			}
			if err != nil || got != want {
				t.Errorf("%s the source tried %d times at %q, want %d, error %v", say, got, agent, want, err)
			}
		}
		now = noon.AddDate(0, 0, 2)
		h.Upkeep()
	}
	if longest := number(t, h, "SELECT max(length(list)) FROM lists WHERE what < 5"); longest > 2<<10+100 {
		t.Errorf("the longest list of names takes %d bytes", longest)
	}
}
