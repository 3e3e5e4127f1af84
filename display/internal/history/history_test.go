package history_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pialert/pialert/display/internal/history"
	"github.com/pialert/pialert/pkg/attack"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 123456789, time.UTC)

// event returns an event as an agent sends it, the nth of its kind.
func event(n int) attack.Event {
	return attack.Event{
		Kind: attack.SSHLogin, Severity: attack.Medium, Rule: "sshd-failed-password",
		Logged: noon.Add(-time.Second), Observed: noon, SourceIP: netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}),
		SourcePort: 40022, User: "root", Count: 1, Log: "/var/log/auth.log", Detail: attack.SSH{Method: "password"},
	}
}

func events(n int) []attack.Event {
	list := make([]attack.Event, n)
	for i := range list {
		list[i] = event(i)
	}
	return list
}

// running is a history whose writer runs until the test ends or stop is called.
type running struct {
	*history.History
	t    testing.TB
	stop func()
	log  *logBook
}

func options(path string) history.Options {
	return history.Options{Path: path, Zone: func() *time.Location { return time.UTC }, Now: func() time.Time { return noon }}
}

func start(t testing.TB, o history.Options) *running {
	t.Helper()
	book := new(logBook)
	o.Logger = slog.New(slog.NewTextHandler(book, nil))
	h, err := history.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var runs sync.WaitGroup
	runs.Go(func() {
		if err := h.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	r := &running{History: h, t: t, log: book}
	r.stop = sync.OnceFunc(func() {
		cancel()
		runs.Wait()
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(r.stop)
	return r
}

// batch is what one call appends: events, or a gap.
type batch struct {
	agent             string
	epoch, first      uint64
	events            []attack.Event
	through, attempts uint64
}

func (b batch) appendTo(ctx context.Context, h *history.History, done func(committed uint64, err error)) error {
	if b.through > 0 {
		return h.Skip(ctx, b.agent, b.epoch, b.through, b.attempts, done)
	}
	return h.Append(ctx, b.agent, b.epoch, b.first, b.events, done)
}

// commit appends a batch, waits for its commit and returns the mark.
func (r *running) commit(b batch) uint64 {
	r.t.Helper()
	type outcome struct {
		committed uint64
		err       error
	}
	done := make(chan outcome, 1)
	if err := b.appendTo(r.t.Context(), r.History, func(committed uint64, err error) { done <- outcome{committed, err} }); err != nil {
		r.t.Fatal(err)
	}
	select {
	case o := <-done:
		if o.err != nil {
			r.t.Fatal(o.err)
		}
		return o.committed
	case <-r.t.Context().Done():
		r.t.Fatal("no commit")
		return 0
	}
}

func (r *running) totals() []history.Total {
	r.t.Helper()
	totals, err := r.Totals(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return totals
}

// logBook collects what is logged.
type logBook struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *logBook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBook) count(text string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Count(b.text.String(), text)
}

func file(t testing.TB) string { return filepath.Join(t.TempDir(), "history.db") }

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

func TestAppendRefuses(t *testing.T) {
	t.Parallel()
	h := start(t, options(file(t)))
	for name, b := range map[string]batch{
		"no name":        {epoch: 1, first: 1, events: events(1)},
		"a long name":    {agent: strings.Repeat("a", 256), epoch: 1, first: 1, events: events(1)},
		"no number":      {agent: "a", epoch: 1, events: events(1)},
		"a high number":  {agent: "a", epoch: 1, first: 1 << 62, events: events(1)},
		"a wrapping one": {agent: "a", epoch: 1, first: 1<<64 - 1, events: events(3)},
		"a high gap":     {agent: "a", epoch: 1, through: 1 << 63},
	} {
		if err := b.appendTo(t.Context(), h.History, func(uint64, error) { t.Errorf("%s: done was called", name) }); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// An agent whose share of the queue is full waits; another one does not.
func TestQueueIsBoundedAndFair(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := options(file(t))
		o.MaxQueue = 2 * history.SizeOf(events(100))
		h, err := history.Open(o) // nobody runs it, so nothing leaves the queue
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		ignore := func(uint64, error) {}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		// try appends events and returns what came of it, nil while it waits.
		try := func(agent string, first uint64, size int) *error {
			var outcome *error
			go func() {
				err := h.Append(ctx, agent, 1, first, events(size), ignore)
				outcome = &err
			}()
			synctest.Wait()
			return outcome
		}
		steps := []struct {
			say   string
			agent string
			first uint64
			size  int
			waits bool
		}{
			{"a part of the flooder's share", "flooder", 1, 60, false},
			{"more than is left of it", "flooder", 61, 41, true},
			{"what is left of it", "flooder", 61, 39, false},
			{"one beyond it", "flooder", 100, 1, true},
			{"another agent's share, while the flooder waits", "good", 1, 100, false},
			{"a third agent, when the queue is full", "third", 1, 1, true},
		}
		for _, s := range steps {
			switch outcome := try(s.agent, s.first, s.size); {
			case outcome == nil != s.waits:
				t.Fatalf("%s: waits %v, want %v", s.say, outcome == nil, s.waits)
			case outcome != nil && *outcome != nil:
				t.Fatalf("%s: %v", s.say, *outcome)
			}
		}
	})
}

// The queue is bounded in bytes: events with long texts fill it sooner.
func TestLongEventsTakeMoreRoom(t *testing.T) {
	t.Parallel()
	short, long := events(10), events(10)
	for i := range long {
		long[i].User = strings.Repeat("u", attack.MaxUser)
		long[i].Detail = attack.HTTP{Target: strings.Repeat("t", attack.MaxText)}
	}
	most := 10 * (attack.MaxUser + attack.MaxText)
	if more := history.SizeOf(long) - history.SizeOf(short); more < most-100 || history.SizeOf(short) < 10*400 {
		t.Errorf("ten short events take %d bytes, ten long ones %d more; want about %d more", history.SizeOf(short), more, most)
	}
}

// A wait for room ends with its context, and nothing of it is stored.
func TestWaitingForRoomEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := options(file(t))
		o.MaxQueue = history.SizeOf(events(10))
		h, err := history.Open(o)
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		never := func(uint64, error) { t.Error("done was called") }
		if err := h.Append(t.Context(), "a", 1, 1, events(10), never); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := h.Append(ctx, "a", 1, 11, events(1), never); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want the context's", err)
		}
	})
}

func TestStopCommitsWhatWaits(t *testing.T) {
	t.Parallel()
	path := file(t)
	o := options(path)
	o.Interval = time.Hour
	h := start(t, o)
	h.commit(batch{agent: "a", epoch: 1, first: 1, events: events(1)}) // the first does not wait
	done := make(chan uint64, 1)
	if err := h.Append(t.Context(), "a", 1, 2, events(1),
		func(committed uint64, err error) { done <- committed }); err != nil {
		t.Fatal(err)
	}
	h.stop()
	if got := <-done; got != 2 {
		t.Errorf("committed %d at the end, want 2", got)
	}
	if got, _ := start(t, o).Committed(t.Context(), "a", 1); got != 2 {
		t.Errorf("committed %d after a restart, want 2", got)
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

func TestOpenRefusesALaterFormat(t *testing.T) {
	t.Parallel()
	path := file(t)
	start(t, options(path)).stop()
	edit(t, path, "PRAGMA user_version=99")
	_, err := history.Open(options(path))
	if err == nil || !strings.Contains(err.Error(), "later version") {
		t.Errorf("error %v; want one that names a later version", err)
	}
	if found, _ := filepath.Glob(path + ".damaged*"); len(found) > 0 {
		t.Errorf("the file was set aside: %v", found)
	}
}

func TestOpenRefusesWhatItCannotWrite(t *testing.T) {
	t.Parallel()
	path := filepath.Join(file(t), "history.db")
	if err := os.WriteFile(filepath.Dir(path), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := history.Open(options(path)); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v; want one that names %s", err, path)
	}
}

func TestTwoProcessesCannotShare(t *testing.T) {
	t.Parallel()
	path := file(t)
	start(t, options(path))
	if _, err := history.Open(options(path)); err == nil || !strings.Contains(err.Error(), "other process") {
		t.Errorf("error %v; want one that names another process", err)
	}
}
