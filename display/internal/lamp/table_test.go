package lamp_test

import (
	"maps"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/display/internal/lamp"
	"github.com/pialert/pialert/pkg/attack"
)

var noon = time.Date(2026, time.November, 20, 12, 0, 0, 0, time.UTC)

func newTable(t testing.TB, lamps []lamp.Config) *lamp.Table {
	t.Helper()
	table, err := lamp.New(lamps, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	table.SetFirst("alpha")
	return table
}

func event(kind attack.Kind, count uint64) *attack.Event {
	return &attack.Event{Kind: kind, Severity: kind.Severity(), Count: count}
}

// totals returns the lamps' totals and, last, the grand total.
func totals(table *lamp.Table, lamps int, now time.Time) []uint64 {
	all := make([]uint64, lamps+1)
	all[lamps] = table.Totals(all[:lamps], now)
	return all
}

func expect(t *testing.T, what string, got []uint64, want ...uint64) {
	t.Helper()
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%s: got %d, want %d", what, got, want)
			return
		}
	}
}

func TestDefaultRoutes(t *testing.T) {
	const red, blue, purple, green = 0, 1, 2, 3
	tests := []struct {
		agent string
		kind  attack.Kind
		want  int
	}{
		{"alpha", attack.SSHLogin, red},
		{"alpha", attack.SSHProbe, red},
		{"beta", attack.SSHLogin, purple},
		{"gamma", attack.SSHProbe, purple},
		{"alpha", attack.WordPressLogin, blue},
		{"beta", attack.XMLRPC, blue},
		{"alpha", attack.HTTPProbe, green},
		{"beta", attack.HTTPFlood, green},
		{"beta", attack.MailLogin, green},
		{"alpha", attack.Ban, green},
		{"alpha", attack.Test, green},
	}
	table := newTable(t, lamp.Defaults())
	for _, test := range tests {
		hit, ok := table.Add(test.agent, event(test.kind, 1), noon)
		if !ok || hit.Lamp != test.want || !hit.Sweep {
			t.Errorf("%s from %s: %+v, %v; want lamp %d", test.kind, test.agent, hit, ok, test.want)
		}
		if got, _ := table.Route(test.agent, test.kind); got != test.want {
			t.Errorf("%s from %s goes to %d, want %d", test.kind, test.agent, got, test.want)
		}
	}
	if hit, ok := table.Add("alpha", event(attack.Visit, 1), noon); ok {
		t.Errorf("a visit swept lamp %d though no lamp lists visits", hit.Lamp)
	}
}

func TestBeforeTheFirstPairingEveryAgentIsAnother(t *testing.T) {
	table := newTable(t, lamp.Defaults())
	table.SetFirst("")
	if hit, _ := table.Add("", event(attack.SSHLogin, 1), noon); hit.Lamp != 2 {
		t.Errorf("went to lamp %d", hit.Lamp)
	}
}

func TestTotalsAreAttemptsFromHistoryAndEvents(t *testing.T) {
	table := newTable(t, lamp.Defaults())
	table.Load([]lamp.Tally{
		{Agent: "alpha", Kind: attack.SSHLogin, Count: 100}, {Agent: "alpha", Kind: attack.SSHProbe, Count: 20}, {Agent: "beta", Kind: attack.SSHLogin, Count: 7},
		{Agent: "alpha", Kind: attack.HTTPFlood, Count: 5000}, {Agent: "beta", Kind: attack.Ban, Count: 3},
	}, nil, noon)
	expect(t, "loaded", totals(table, 4, noon), 120, 0, 7, 0, 127)

	hit, _ := table.Add("alpha", event(attack.SSHLogin, 5), noon)
	if hit.Total != 125 {
		t.Errorf("the event's total is %d", hit.Total)
	}
	table.Add("beta", event(attack.WordPressLogin, 1), noon)
	expect(t, "added", totals(table, 4, noon), 125, 1, 7, 0, 133)
}

func TestWhatLightsWithoutCounting(t *testing.T) {
	table := newTable(t, lamp.Defaults())
	for name, e := range map[string]*attack.Event{
		"fired as a test":  {Kind: attack.SSHLogin, Severity: attack.Medium, Count: 3, Test: true},
		"the kind test":    event(attack.Test, 1),
		"a ban":            event(attack.Ban, 1),
		"an unban":         event(attack.Unban, 1),
		"a flood":          event(attack.HTTPFlood, 600),
		"a flood's update": event(attack.HTTPFlood, 0),
	} {
		if _, ok := table.Add("alpha", e, noon); !ok {
			t.Errorf("%s lights nothing", name)
		}
	}
	expect(t, "after them", totals(table, 4, noon), 0, 0, 0, 0, 0)
}

func TestAListedKindIsCounted(t *testing.T) {
	table := newTable(t, []lamp.Config{
		{Name: "web", Kinds: []string{"other"}, Color: "green", LED: 6},
		{Name: "visits", Kinds: []string{"visit"}, Color: "white", LED: 7},
	})
	hit, ok := table.Add("alpha", event(attack.Visit, 2), noon)
	if !ok || hit.Lamp != 1 || hit.Total != 2 {
		t.Errorf("a visit gave %+v, %v", hit, ok)
	}
	table.Add("alpha", &attack.Event{Kind: attack.Visit, Severity: attack.Info, Count: 1, Test: true}, noon)
	expect(t, "visits are in no grand total", totals(table, 2, noon), 0, 2, 0)
}

func TestTheFirstLampThatCollectsWins(t *testing.T) {
	table := newTable(t, []lamp.Config{
		{Name: "mail", Kinds: []string{"mail_login"}, Color: "orange", LED: 1},
		{Name: "all", Color: "green", LED: 6},
	})
	table.Add("alpha", event(attack.MailLogin, 1), noon)
	table.Add("alpha", event(attack.FTPLogin, 1), noon)
	expect(t, "one each", totals(table, 2, noon), 1, 1, 2)
}

func TestWhatNoLampCollectsIsStillInTheGrandTotal(t *testing.T) {
	table := newTable(t, []lamp.Config{{Name: "ssh", Kinds: []string{"ssh"}, Color: "red", LED: 0}})
	if _, ok := table.Add("alpha", event(attack.HTTPProbe, 4), noon); ok {
		t.Error("it lit a lamp")
	}
	expect(t, "grand only", totals(table, 1, noon), 0, 4)
}

func TestSeverityBelowSweepFromOnlyCounts(t *testing.T) {
	table := newTable(t, []lamp.Config{{Name: "ssh", Color: "red", LED: 0, SweepFrom: "medium"}})
	probe, _ := table.Add("alpha", event(attack.SSHProbe, 1), noon)
	login, _ := table.Add("alpha", event(attack.SSHLogin, 1), noon)
	if probe.Sweep || !login.Sweep || login.Total != 2 {
		t.Errorf("probe %+v, login %+v", probe, login)
	}
}

func TestTodayStartsAnewAtMidnightOfTheZone(t *testing.T) {
	zone := time.FixedZone("UTC+2", 2*60*60)
	lamps := []lamp.Config{
		{Name: "today", Kinds: []string{"ssh"}, Color: "red", LED: 0, Count: "today"},
		{Name: "all", Color: "green", LED: 1},
	}
	table, err := lamp.New(lamps, zone)
	if err != nil {
		t.Fatal(err)
	}
	late := time.Date(2026, time.November, 20, 21, 59, 59, 0, time.UTC) // 23:59:59 in the zone
	table.Load(
		[]lamp.Tally{{Agent: "alpha", Kind: attack.SSHLogin, Count: 100}, {Agent: "alpha", Kind: attack.FTPLogin, Count: 10}},
		[]lamp.Tally{{Agent: "alpha", Kind: attack.SSHLogin, Count: 8}, {Agent: "alpha", Kind: attack.FTPLogin, Count: 9}}, late)
	expect(t, "loaded", totals(table, 2, late), 8, 10, 110)
	table.Add("alpha", event(attack.SSHLogin, 1), late)
	expect(t, "before midnight", totals(table, 2, late), 9, 10, 111)
	expect(t, "at midnight", totals(table, 2, late.Add(time.Second)), 0, 10, 111)
	table.Add("alpha", event(attack.SSHLogin, 2), late.Add(time.Second))
	expect(t, "after midnight", totals(table, 2, late.Add(2*time.Second)), 2, 10, 113)
}

func TestTotalsFollowTheLamps(t *testing.T) {
	table := newTable(t, lamp.Defaults())
	table.Add("alpha", event(attack.SSHLogin, 3), noon)
	table.Add("beta", event(attack.SSHLogin, 4), noon)

	table.SetFirst("beta")
	expect(t, "beta is the first now", totals(table, 4, noon), 4, 0, 3, 0, 7)

	if err := table.Configure([]lamp.Config{{Name: "all", Color: "red", LED: 0}}, time.UTC); err != nil {
		t.Fatal(err)
	}
	expect(t, "one lamp", totals(table, 1, noon), 7, 7)

	if err := table.Configure(nil, time.UTC); err == nil {
		t.Error("no lamps were accepted")
	}
	expect(t, "as before", totals(table, 1, noon), 7, 7)
}

func TestTheLampOfAnAgent(t *testing.T) {
	table := newTable(t, lamp.Defaults())
	for agent, want := range map[string]int{"alpha": 0, "beta": 2, "gamma": 2} {
		if got := table.OfAgent(agent); got != want {
			t.Errorf("%s has lamp %d, want %d", agent, got, want)
		}
	}
	one := newTable(t, []lamp.Config{{Name: "ssh", Agents: []string{"beta"}, Color: "red", LED: 0}})
	if got := one.OfAgent("alpha"); got != -1 {
		t.Errorf("alpha has lamp %d though no lamp collects from it", got)
	}
}

func TestFind(t *testing.T) {
	table := newTable(t, lamp.Defaults())
	for name, want := range map[string]int{"ssh-a": 0, "web": 3, "purple": 2} {
		if got, err := table.Find(name); err != nil || got != want {
			t.Errorf("%q is %d, error %v", name, got, err)
		}
	}
	if _, err := table.Find("pink"); err == nil || !strings.Contains(err.Error(), "ssh-a, wordpress, ssh-b, web") {
		t.Errorf("the error does not list the lamps: %v", err)
	}
}

func TestATotalDoesNotWrap(t *testing.T) {
	table := newTable(t, lamp.Defaults())
	table.Load([]lamp.Tally{{Agent: "alpha", Kind: attack.SSHLogin, Count: math.MaxUint64}}, nil, noon)
	table.Add("alpha", event(attack.SSHLogin, 2), noon)
	expect(t, "full", totals(table, 4, noon), math.MaxUint64)
}

// TestNothingIsCountedTwiceOrLost holds for any events that the lamps' totals are those of a
// table loaded with their tallies, and that the default lamps' totals add up to the grand one.
func TestNothingIsCountedTwiceOrLost(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	agents := []string{"alpha", "beta", "gamma"}
	kinds := attack.Kinds()
	live := newTable(t, lamp.Defaults())
	truth := map[lamp.Tally]uint64{}
	for range 10_000 {
		agent, kind := agents[random.IntN(len(agents))], kinds[random.IntN(len(kinds))]
		e := event(kind, random.Uint64N(1000))
		e.Test = random.IntN(10) == 0
		live.Add(agent, e, noon)
		if !e.Test {
			truth[lamp.Tally{Agent: agent, Kind: kind}] += e.Count
		}
	}
	var tallies []lamp.Tally
	for tally := range maps.Keys(truth) {
		tallies = append(tallies, lamp.Tally{Agent: tally.Agent, Kind: tally.Kind, Count: truth[tally]})
	}
	loaded := newTable(t, lamp.Defaults())
	loaded.Load(tallies, nil, noon)
	got := totals(live, 4, noon)
	expect(t, "live and loaded", got, totals(loaded, 4, noon)...)
	if sum := got[0] + got[1] + got[2] + got[3]; sum != got[4] || sum == 0 {
		t.Errorf("the lamps add up to %d, the grand total is %d", sum, got[4])
	}
}

func BenchmarkAdd(b *testing.B) {
	table := newTable(b, lamp.Defaults())
	e := event(attack.HTTPProbe, 1)
	b.ReportAllocs()
	for b.Loop() {
		table.Add("beta", e, noon)
	}
}

// What a snapshot says by lamp, by agent and by kind is the same, tests left out.
func TestSnapshot(t *testing.T) {
	table := newTable(t, lamp.Defaults())
	table.Load([]lamp.Tally{{Agent: "alpha", Kind: attack.SSHLogin, Count: 5}}, nil, noon)
	table.Add("beta", event(attack.XMLRPC, 2), noon)
	table.Add("alpha", event(attack.SSHLogin, 1), noon)
	fired := event(attack.SSHLogin, 9)
	fired.Test = true
	table.Add("alpha", fired, noon)
	want := lamp.Snapshot{
		Lamps: []uint64{6, 2, 0, 0}, Grand: 8,
		Tallies: []lamp.Tally{{Agent: "alpha", Kind: attack.SSHLogin, Count: 6}, {Agent: "beta", Kind: attack.XMLRPC, Count: 2}},
	}
	got := table.Snapshot(noon)
	slices.SortFunc(got.Tallies, func(a, b lamp.Tally) int { return strings.Compare(a.Agent, b.Agent) })
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// A kind that only a newer agent knows lights the lamp of its family, and no lamp that lists other
// kinds by name; what is no attack lights a lamp only where it is listed.
func TestUnknownAndApartKinds(t *testing.T) {
	table := newTable(t, []lamp.Config{
		{Name: "scans", Kinds: []string{"http_scan", "counter"}, Color: "white", LED: 1},
		{Name: "ssh", Kinds: []string{"ssh"}, Color: "red", LED: 0},
		{Name: "all", Color: "green", LED: 6},
	})
	for kind, want := range map[attack.Kind]int{
		attack.HTTPScan: 0, attack.Counter: 0, attack.SSHSpray: 1, attack.SSHAccepted: -1, attack.Visit: -1, attack.Fault: -1,
		attack.UnknownKind(300, attack.FamilySSH, true): 1, attack.UnknownKind(300, attack.FamilyOther, false): 2,
		attack.UnknownKind(24+64, attack.FamilyWordPress, true): 2, attack.PortProbe: 2,
	} {
		if got, _ := table.Route("alpha", kind); got != want {
			t.Errorf("%s lights lamp %d, want %d", kind, got, want)
		}
	}
	table.Add("alpha", event(attack.UnknownKind(300, attack.FamilySSH, true), 5), noon)
	table.Add("alpha", event(attack.UnknownKind(301, attack.FamilySSH, false), 5), noon)
	expect(t, "attempts alone", totals(table, 3, noon), 0, 5, 0, 5)
}

// A new zone has another midnight. What the history holds of the new day is counted today, and so is
// what arrived meanwhile.
func TestTheDayOfANewZone(t *testing.T) {
	lamps := []lamp.Config{{Name: "ssh", Kinds: []string{"ssh"}, Color: "red", Count: "today"}}
	table, err := lamp.New(lamps, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	table.Load([]lamp.Tally{{Agent: "alpha", Kind: attack.SSHLogin, Count: 100}}, []lamp.Tally{{Agent: "alpha", Kind: attack.SSHLogin, Count: 60}}, noon)
	table.Add("alpha", event(attack.SSHLogin, 3), noon) // is not stored yet
	zone := time.FixedZone("west", -10*3600)            // its day began ten hours later
	if err := table.Configure(lamps, zone); err != nil {
		t.Fatal(err)
	}
	if got := table.Zone(); got != zone {
		t.Errorf("the zone is %v", got)
	}
	table.SetToday([]lamp.Tally{{Agent: "alpha", Kind: attack.SSHLogin, Count: 100}}, []lamp.Tally{{Agent: "alpha", Kind: attack.SSHLogin, Count: 20}}, noon)
	expect(t, "of the new day", totals(table, 1, noon), 23, 103)
	expect(t, "after its midnight", totals(table, 1, noon.Add(22*time.Hour)), 0, 103)
}
