package history_test

import (
	"database/sql"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pialert/pialert/display/internal/history"
	"github.com/pialert/pialert/pkg/attack"
)

func TestEventsComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*attack.Event){
		"as it is":     func(e *attack.Event) {},
		"hostile text": func(e *attack.Event) { e.User, e.Log = "\xff\x00'; DROP TABLE events; --", "\x00" },
		"IPv6":         func(e *attack.Event) { e.SourceIP = netip.MustParseAddr("2001:db8::7") },
		"a name":       func(e *attack.Event) { e.SourceIP, e.SourceHost = netip.Addr{}, "scanner.example" },
		"the least": func(e *attack.Event) {
			*e = attack.Event{Kind: attack.Test, Severity: attack.Info, Observed: noon, Count: 1}
		},
		"test":              func(e *attack.Event) { e.Test = true },
		"the most attempts": func(e *attack.Event) { e.Count = attack.MaxCount },
		"probe":             func(e *attack.Event) { e.Detail = attack.SSH{Reason: "bad banner", InvalidUser: true} },
		"web": func(e *attack.Event) {
			e.Kind = attack.HTTPExploit
			e.Detail = attack.HTTP{Method: "GET", Target: "/\xc0\xae/", Status: 404, UserAgent: "${jndi:", Host: "blog"}
		},
		"flood": func(e *attack.Event) {
			e.Kind, e.Count = attack.HTTPFlood, 0
			e.Detail = attack.Flood{Phase: attack.PhaseEnd, Network: netip.MustParsePrefix("2001:db8::/64"), Method: "POST", Requests: 700, Window: 30 * time.Second}
		},
		"another machine": func(e *attack.Event) { e.Host = "router\xff" },
		"a scan": func(e *attack.Event) {
			e.Kind, e.Count = attack.HTTPScan, 0
			e.Detail = attack.Episode{Phase: attack.PhaseEnd, Network: netip.MustParsePrefix("2001:db8::/64"), Distinct: 90, Attempts: 1 << 40, Window: time.Hour}
		},
		"from many networks": func(e *attack.Event) {
			e.Kind, e.Detail = attack.SSHDistributed, attack.Episode{Phase: attack.PhaseStart, Distinct: 40}
		},
		"accepted": func(e *attack.Event) {
			e.Kind = attack.SSHAccepted
			e.Detail = attack.Accepted{Service: "sshd", Method: "publickey", Fingerprint: "SHA256:abc", Reason: "new network"}
		},
		"counted elsewhere": func(e *attack.Event) { e.Kind, e.Detail = attack.Counter, attack.Count{Key: "mails", Value: 12} },
		"a newer program's": func(e *attack.Event) { e.Kind = attack.UnknownKind(4711, attack.FamilyWordPress, true) },
		"ban":               func(e *attack.Event) { e.Kind, e.Detail = attack.Ban, attack.BanInfo{Jail: "sshd"} },
		"local":             func(e *attack.Event) { e.Detail = attack.Local{Service: "sudo", Target: "root", TTY: "pts/0"} },
		"mail": func(e *attack.Event) {
			e.Detail = attack.Service{Name: "dovecot", Reason: strings.Repeat("r", attack.MaxText)}
		},
	}
	h := start(t, options(file(t)))
	next := uint64(1)
	for name, change := range tests {
		want := event(1)
		change(&want)
		if err := want.Check(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		h.commit(batch{agent: "vps", epoch: 1<<64 - 1, first: next, events: []attack.Event{want}})
		records, err := h.Recent(t.Context(), 1, history.Filter{})
		if err != nil || len(records) != 1 {
			t.Fatalf("%s: %d records, error %v", name, len(records), err)
		}
		got := records[0]
		if !reflect.DeepEqual(got.Event, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got.Event, want)
		}
		if got.Agent != "vps" || got.Epoch != 1<<64-1 || got.Sequence != next || !got.Arrived.Equal(noon) {
			t.Errorf("%s: stored as %s %d %d at %s", name, got.Agent, got.Epoch, got.Sequence, got.Arrived)
		}
		next++
	}
}

func TestEachEventIsStoredOnce(t *testing.T) {
	t.Parallel()
	h := start(t, options(file(t)))
	steps := []struct {
		say       string
		batch     batch
		committed uint64
		events    uint64 // of all steps so far
	}{
		{"first", batch{agent: "a", epoch: 7, first: 1, events: events(10)}, 10, 10},
		{"the same again", batch{agent: "a", epoch: 7, first: 1, events: events(10)}, 10, 10},
		{"half of it new", batch{agent: "a", epoch: 7, first: 6, events: events(10)}, 15, 15},
		{"a part of what was", batch{agent: "a", epoch: 7, first: 3, events: events(2)}, 15, 15},
		{"another epoch", batch{agent: "a", epoch: 8, first: 1, events: events(5)}, 5, 20},
		{"the old epoch goes on", batch{agent: "a", epoch: 7, first: 16, events: events(1)}, 16, 21},
		{"another agent", batch{agent: "b", epoch: 7, first: 1, events: events(3)}, 3, 24},
		{"a gap", batch{agent: "b", epoch: 7, through: 100, attempts: 500}, 100, 24},
		{"the gap again", batch{agent: "b", epoch: 7, through: 100, attempts: 500}, 100, 24},
		{"what the gap said is lost", batch{agent: "b", epoch: 7, first: 50, events: events(2)}, 100, 24},
		{"behind the gap", batch{agent: "b", epoch: 7, first: 101, events: events(2)}, 102, 26},
		{"a beginning that is no 1", batch{agent: "c", epoch: 1, first: 1000, events: events(1)}, 1000, 27},
	}
	for _, s := range steps {
		if got := h.commit(s.batch); got != s.committed {
			t.Errorf("%s: committed up to %d, want %d", s.say, got, s.committed)
		}
		var stored uint64
		for _, total := range h.totals() {
			stored += total.Events
		}
		if stored != s.events {
			t.Errorf("%s: %d events counted, want %d", s.say, stored, s.events)
		}
		if records, _ := h.Recent(t.Context(), 1000, history.Filter{}); uint64(len(records)) != s.events {
			t.Errorf("%s: %d events stored, want %d", s.say, len(records), s.events)
		}
	}
	if agents := h.Agents(); len(agents) != 3 || agents[1].Dropped != (history.Sum{Events: 97, Attempts: 500}) {
		t.Errorf("agents %+v: want 97 events and 500 attempts dropped by b", agents)
	}
}

func TestTotalsAreByAgentKindTestAndDay(t *testing.T) {
	t.Parallel()
	now := noon
	o := options(file(t))
	zone := time.FixedZone("UTC+5", 5*3600)
	o.Zone = func() *time.Location { return zone }
	o.Now = func() time.Time { return now }
	h := start(t, o)
	login, probe, fired := event(1), event(2), event(3)
	login.Count, probe.Kind, fired.Test = 5, attack.HTTPProbe, true
	h.commit(batch{agent: "b", epoch: 1, first: 1, events: []attack.Event{login, probe, fired, login}})
	h.commit(batch{agent: "a", epoch: 1, first: 1, events: []attack.Event{probe}})
	now = now.Add(8 * time.Hour) // 01:00 of the next day, five hours east
	h.commit(batch{agent: "b", epoch: 1, first: 5, events: []attack.Event{login}})

	sum := func(events, attempts uint64) history.Sum { return history.Sum{Events: events, Attempts: attempts} }
	all := []history.Total{
		{"a", attack.HTTPProbe, false, sum(1, 1)},
		{"b", attack.SSHLogin, false, sum(3, 15)},
		{"b", attack.SSHLogin, true, sum(1, 1)},
		{"b", attack.HTTPProbe, false, sum(1, 1)},
	}
	if got := h.totals(); !reflect.DeepEqual(got, all) {
		t.Errorf("totals %+v\nwant %+v", got, all)
	}
	days := map[string][]history.Total{
		"2026-11-19": {},
		"2026-11-20": {all[0], {"b", attack.SSHLogin, false, sum(2, 10)}, all[2], all[3]},
		"2026-11-21": {{"b", attack.SSHLogin, false, sum(1, 5)}},
	}
	for day, want := range days {
		at, _ := time.ParseInLocation(time.DateOnly, day, zone)
		if got, err := h.TotalsOn(t.Context(), at); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, error %v\nwant %+v", day, got, err, want)
		}
	}
	h.stop()
	if got := start(t, o).totals(); !reflect.DeepEqual(got, all) {
		t.Errorf("after a restart %+v\nwant %+v", got, all)
	}
}

// An agent that claims the most attempts in each event reaches a bound, wraps nothing and
// leaves the others' totals alone.
func TestTotalsDoNotWrap(t *testing.T) {
	t.Parallel()
	path := file(t)
	h := start(t, options(path))
	absurd := events(100)
	for i := range absurd {
		absurd[i].Count = attack.MaxCount
	}
	h.commit(batch{agent: "busy", epoch: 1, first: 1, events: events(7)})
	for n := range 8 {
		h.commit(batch{agent: "flooder", epoch: 1, first: uint64(n*100 + 1), events: absurd})
	}
	h.stop()
	totals := start(t, options(path)).totals()
	if len(totals) != 2 || totals[0].Attempts != 7 || totals[1].Events != 800 || totals[1].Attempts < 64*attack.MaxCount {
		t.Errorf("totals %+v", totals)
	}
}

func TestNamesAndEpochsAreBounded(t *testing.T) {
	t.Parallel()
	path := file(t)
	h := start(t, options(path))
	for _, agent := range []string{"agent0", "agent1"} {
		h.commit(batch{agent: agent, epoch: 1, first: 1, events: events(1)})
	}
	h.stop()
	edit(t, path, fmt.Sprintf(`INSERT INTO agents (name, dropped_events, dropped_attempts)
		WITH RECURSIVE others(n) AS (SELECT 2 UNION ALL SELECT n+1 FROM others WHERE n < %d-2) SELECT 'agent' || n, 0, 0 FROM others`, history.MaxAgents))
	h = start(t, options(path))
	h.commit(batch{agent: "the last one", epoch: 1, first: 1, events: events(1)})
	err := h.Append(t.Context(), "one more", 1, 1, events(1), nil)
	if err == nil {
		t.Error("one more agent than the most was taken")
	}
	const epochs = 20
	for epoch := range uint64(epochs) {
		h.commit(batch{agent: "agent0", epoch: 100 + epoch, first: 1, events: events(1)})
	}
	for epoch, want := range map[uint64]uint64{1: 0, 100: 0, 100 + epochs - 1: 1, 100 + epochs - 16: 1} {
		if got, _ := h.Committed(t.Context(), "agent0", epoch); got != want {
			t.Errorf("epoch %d: committed %d, want %d", epoch, got, want)
		}
	}
	if got, _ := h.Committed(t.Context(), "agent1", 1); got != 1 {
		t.Errorf("another agent's mark is %d, want 1", got)
	}
}

// A stream with a new epoch and one gap leaves a mark. However many an agent sends, within one commit
// or many, and however many an older program left, few are kept, in the file as well.
func TestMarksAreBounded(t *testing.T) {
	t.Parallel()
	path := file(t)
	o := options(path)
	o.Interval = time.Hour // until the queue is full: they come in groups
	o.MaxQueue = 1 << 19
	h := start(t, o)
	h.commit(batch{agent: "conforming", epoch: 7, first: 1, events: events(3)})
	const epochs = 5000
	var last sync.WaitGroup
	for epoch := range uint64(epochs) {
		last.Add(1)
		if err := h.Skip(t.Context(), "hostile", epoch, 1, 0, func(uint64, error) { last.Done() }); err != nil {
			t.Fatal(err)
		}
	}
	h.stop()
	last.Wait()
	rows := func() (n int) {
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if err := db.QueryRow("SELECT count(*) FROM marks").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if got := rows(); got != 17 {
		t.Errorf("the file has %d marks, want 16 of the hostile agent and 1", got)
	}
	edit(t, path, `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 60000)
		INSERT INTO marks SELECT agents.id, 1000000+i, 1, 1000000+i FROM n, agents WHERE name = 'hostile'`)
	h = start(t, options(path))
	if got, _ := h.Committed(t.Context(), "hostile", 1060000); got != 1 {
		t.Errorf("the newest epoch's mark is %d, want 1", got)
	}
	if got, _ := h.Committed(t.Context(), "conforming", 7); got != 3 {
		t.Errorf("another agent's mark is %d, want 3", got)
	}
	h.stop()
	if got := rows(); got != 17 {
		t.Errorf("after a restart the file has %d marks, want 17", got)
	}
}

func TestHeardSurvivesRestart(t *testing.T) {
	t.Parallel()
	path := file(t)
	h := start(t, options(path))
	h.Heard("quiet", noon.Add(time.Minute))
	h.stop()
	if agents := start(t, options(path)).Agents(); len(agents) != 1 || !agents[0].Heard.Equal(noon.Add(time.Minute)) {
		t.Errorf("agents %+v", agents)
	}
}

func TestRecentFilters(t *testing.T) {
	t.Parallel()
	h := start(t, options(file(t)))
	mixed := events(4)
	mixed[1].Kind = attack.HTTPProbe
	h.commit(batch{agent: "a", epoch: 1, first: 1, events: mixed})
	h.commit(batch{agent: "b", epoch: 1, first: 1, events: events(2)})
	tests := map[string]struct {
		limit  int
		filter history.Filter
		want   string
	}{
		"all":      {10, history.Filter{}, "b2 b1 a4 a3 a2 a1"},
		"newest":   {2, history.Filter{}, "b2 b1"},
		"an agent": {10, history.Filter{Agent: "a"}, "a4 a3 a2 a1"},
		"a kind":   {10, history.Filter{Kind: attack.HTTPProbe}, "a2"},
		"a page":   {2, history.Filter{Agent: "a", Before: 4}, "a3 a2"},
		"mapped":   {10, history.Filter{Source: netip.MustParsePrefix("::ffff:192.0.2.1/128")}, "b2 a2"},
		"all IPv4": {10, history.Filter{Source: netip.MustParsePrefix("::ffff:0.0.0.0/96")}, "b2 b1 a4 a3 a2 a1"},
		"none":     {-1, history.Filter{}, ""},
	}
	for name, test := range tests {
		records, err := h.Recent(t.Context(), test.limit, test.filter)
		var got []string
		for _, r := range records {
			got = append(got, fmt.Sprint(r.Agent, r.Sequence))
		}
		if err != nil || strings.Join(got, " ") != test.want {
			t.Errorf("%s: %v, error %v; want %s", name, got, err, test.want)
		}
	}
}
