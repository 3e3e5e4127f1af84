package detect

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pialert/pialert/agent/internal/detect/connection"
	"github.com/pialert/pialert/agent/internal/rule"
	"github.com/pialert/pialert/pkg/attack"
)

// now is when the tests' logs are read.
var now = time.Date(2025, 2, 1, 0, 0, 0, 0, time.UTC)

// restartable feeds lines to engines that are stopped and started again.
type restartable struct {
	t      testing.TB
	rules  *rule.Set
	saved  map[string][]byte
	engine *Engine
	source *Source
	events []attack.Event
}

func newRestartable(t testing.TB, rules *rule.Set) *restartable {
	r := &restartable{t: t, rules: rules, saved: map[string][]byte{}}
	r.restart()
	return r
}

// restart replaces the engine by one that knows what the last one saved.
func (r *restartable) restart() {
	r.t.Helper()
	engine, err := New(Options{
		Rules: r.rules, Location: time.UTC, Remember: true,
		Emit: func(ev *attack.Event, _ uint64) {
			if err := ev.Check(); err != nil {
				r.t.Errorf("%+v: %v", ev, err)
			}
			r.events = append(r.events, *ev)
		},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	if r.source, err = NewSource("auth.log", rule.TypeAuto, ""); err != nil {
		r.t.Fatal(err)
	}
	// In any order: a map's.
	for key, value := range r.saved {
		if ok, err := engine.Restore(key, value); !ok || err != nil {
			r.t.Fatalf("Restore(%q) = %v, %v", key, ok, err)
		}
	}
	r.engine = engine
}

func (r *restartable) save() {
	r.engine.Changes(func(key string, value []byte) {
		if value == nil {
			delete(r.saved, key)
		} else {
			r.saved[key] = slices.Clone(value)
		}
	})
}

func (r *restartable) feed(line string) { r.engine.Feed(r.source, []byte(line), now) }

// detectAll returns the events of lines that one engine reads.
func detectAll(t testing.TB, rules *rule.Set, lines []string) []attack.Event {
	r := newRestartable(t, rules)
	for _, line := range lines {
		r.feed(line)
	}
	r.engine.Finish()
	return r.events
}

var sameAddr = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

// A log of many connections, whose lines stand between each other's.
func mixedLog(seed uint64) []string {
	random := rand.New(rand.NewPCG(seed, 7))
	var connections [][]string
	for i := range 40 {
		peer := fmt.Sprintf("192.0.2.%d", 1+random.IntN(4))
		script := scripts[random.IntN(len(scripts))]
		var lines []string
		for _, line := range script.lines {
			line = strings.NewReplacer("PEER", peer, "PID", fmt.Sprint(1000+i%25), "PORT", fmt.Sprint(40000+i)).Replace(line)
			lines = append(lines, line)
		}
		connections = append(connections, lines)
	}
	var log []string
	clock := now.Add(-10 * time.Hour)
	for len(connections) > 0 {
		i := random.IntN(min(len(connections), 5))
		clock = clock.Add(time.Duration(random.IntN(20)) * time.Second)
		log = append(log, clock.Format(time.Stamp)+" host "+connections[i][0])
		if connections[i] = connections[i][1:]; len(connections[i]) == 0 {
			connections = slices.Delete(connections, i, i+1)
		}
	}
	return log
}

// An engine that goes on where another one was stopped, behind any line, finds what one that was
// never stopped finds.
func TestRestartsChangeNothing(t *testing.T) {
	t.Parallel()
	rules := builtinRules(t)
	seeds := uint64(6)
	if testing.Short() {
		seeds = 2
	}
	for seed := range seeds {
		lines := mixedLog(seed)
		want := detectAll(t, rules, lines)
		if len(want) < 10 {
			t.Fatalf("seed %d: only %d events", seed, len(want))
		}
		// Stopped once, at each line.
		before := newRestartable(t, rules)
		for i, line := range lines {
			before.feed(line)
			before.save()
			after := newRestartable(t, rules)
			after.saved, after.events = maps.Clone(before.saved), slices.Clone(before.events)
			after.restart()
			for _, line := range lines[i+1:] {
				after.feed(line)
			}
			after.engine.Finish()
			if diff := cmp.Diff(want, after.events, sameAddr); diff != "" {
				t.Fatalf("seed %d, stopped behind line %d, %q (-want +got):\n%s", seed, i+1, line, diff)
			}
		}
		// Stopped behind every line.
		always := newRestartable(t, rules)
		for _, line := range lines {
			always.feed(line)
			always.save()
			always.restart()
		}
		always.engine.Finish()
		if diff := cmp.Diff(want, always.events, sameAddr); diff != "" {
			t.Fatalf("seed %d, stopped behind every line (-want +got):\n%s", seed, diff)
		}
	}
}

// However many connections there are, what is remembered stays bounded, and what is forgotten is
// counted.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	r := newRestartable(t, builtinRules(t))
	stamp := now.Add(-time.Hour).Format(time.Stamp)
	for pid := range connection.MaxConnections + 500 {
		r.feed(fmt.Sprintf("%s host sshd[%d]: Failed publickey for root from 192.0.2.1 port 4711 ssh2", stamp, pid+1))
	}
	if used := r.engine.memories["auth.log"].conns.Len(); used != connection.MaxConnections {
		t.Errorf("%d connections are remembered, want %d", used, connection.MaxConnections)
	}
	if evicted := r.engine.Stats().Evicted; evicted != 500 {
		t.Errorf("%d evicted, want 500", evicted)
	}
	if len(r.events) != 500 {
		t.Errorf("%d events of what was evicted, want 500: nothing is lost", len(r.events))
	}
	r.engine.Tick(now.Add(time.Hour))
	if used := r.engine.memories["auth.log"].conns.Len(); used != 0 {
		t.Errorf("%d connections are remembered an hour later", used)
	}
	if len(r.events) != connection.MaxConnections+500 {
		t.Errorf("%d events, want %d", len(r.events), connection.MaxConnections+500)
	}
}

// What is remembered of all logs together is bounded, too, however many they are: those with most of it make
// room for the others, which lose nothing to them. What is forgotten leaves nothing behind.
func TestMemoryOfManyLogsIsBounded(t *testing.T) {
	t.Parallel()
	r := newRestartable(t, builtinRules(t))
	const logs, each = 100, 400
	stamp := now.Add(-time.Hour).Format(time.Stamp)
	held := func() (connections int) {
		for _, mem := range r.engine.memories {
			connections += mem.conns.Len()
		}
		return connections
	}
	var sources []*Source
	for i := range logs {
		source, err := NewSource(fmt.Sprintf("log%d", i), rule.TypeAuto, "")
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, source)
	}
	feed := func(log int, format string, args ...any) {
		r.engine.Feed(sources[log], fmt.Appendf([]byte(stamp+" host "), format, args...), now)
	}
	feed(logs-1, "sshd[1]: Failed password for root from 192.0.2.1 port 4711 ssh2")
	attempts := 1
	for log := range logs - 1 {
		for pid := range each {
			feed(log, "sshd[%d]: Failed password for root from 192.0.2.1 port %d ssh2", pid+1, 1024+pid)
			attempts++
		}
		if n := held(); n > connection.MaxAllConnections {
			t.Fatalf("%d connections of %d logs are remembered, want %d at most", n, log+1, connection.MaxAllConnections)
		}
		r.save()
	}
	if n := held(); n < connection.MaxAllConnections*3/4 {
		t.Errorf("%d connections are remembered: more is forgotten than has to be", n)
	}
	if got := r.engine.memories[sources[logs-1].Name()].conns.Len(); got != 1 {
		t.Errorf("the log with one connection has %d: others took its room", got)
	}
	if most := connection.MaxAllConnections + connection.MaxEvicted + 2*logs; len(r.saved) > most {
		t.Errorf("%d values are saved, want %d at most", len(r.saved), most)
	}
	for pid := range each { // of the last of those, which gave up some
		feed(logs-2, "sshd[%d]: Connection closed by authenticating user root 192.0.2.1 port %d [preauth]", pid+1, 1024+pid)
	}
	r.engine.Finish()
	if len(r.events) != attempts {
		t.Errorf("%d attempts are counted, want %d", len(r.events), attempts)
	}
	r.save()
	for key := range r.saved {
		if strings.HasPrefix(key, keyConnection) && !strings.HasSuffix(key, "clock") {
			t.Fatalf("%q is still saved", key)
		}
	}
}

// Attempts that were counted on a connection are not counted again by its last line, however many
// connections stood between them, whether the agent was restarted in between or not.
func TestManyConnectionsAtOnceCountOnce(t *testing.T) {
	t.Parallel()
	rules := builtinRules(t)
	const attempts = 3 * connection.MaxConnections
	stamp := now.Add(-time.Hour).Format(time.Stamp)
	for _, restarts := range []bool{false, true} {
		r := newRestartable(t, rules)
		for pid := range attempts {
			r.feed(fmt.Sprintf("%s host sshd[%d]: Failed password for root from 192.0.2.1 port %d ssh2", stamp, pid+1, 1024+pid))
			if restarts && pid%5000 == 4999 {
				r.save()
				r.restart()
			}
		}
		for pid := range attempts {
			r.feed(fmt.Sprintf("%s host sshd[%d]: Connection closed by authenticating user root 192.0.2.1 port %d [preauth]", stamp, pid+1, 1024+pid))
			if restarts && pid%5000 == 4999 {
				r.save()
				r.restart()
			}
		}
		r.engine.Finish()
		if len(r.events) != attempts {
			t.Errorf("restarts %v: %d attempts are counted, want %d", restarts, len(r.events), attempts)
		}
		r.save()
		for key := range r.saved {
			if strings.HasPrefix(key, keyConnection) && !strings.HasSuffix(key, "clock") {
				t.Fatalf("%q is still saved", key)
			}
		}
	}
}

// A process number that is used again at once is told by the port alone.
func TestReusedProcessOfOneClient(t *testing.T) {
	t.Parallel()
	events := detectAll(t, builtinRules(t), []string{
		"Jan 31 12:00:00 host sshd[7]: Failed password for root from 192.0.2.7 port 51112 ssh2",
		"Jan 31 12:00:05 host sshd[7]: Connection closed by authenticating user root 192.0.2.7 port 51113 [preauth]",
	})
	if len(events) != 2 {
		t.Errorf("%d attempts on two connections, want 2: %+v", len(events), events)
	}
}

// A line that only has the peer's name waits for the one that has the address.
func TestNamesWaitForAddresses(t *testing.T) {
	t.Parallel()
	rules := builtinRules(t)
	refused := "Jan 31 12:00:00 host sshd[7]: User root from host.example.com not allowed because not listed in AllowUsers"
	for _, test := range []struct {
		name  string
		lines []string
		want  string
	}{
		{"the next line has it", []string{refused, "Jan 31 12:00:02 host sshd[7]: Connection closed by invalid user root 192.0.2.7 port 51112 [preauth]"}, "1 192.0.2.7"},
		{"no line has it", []string{refused}, "1 host.example.com"},
		{"several attempts", []string{
			"Jan 31 12:00:00 host sshd[7]: error: PAM: Authentication failure for root from host.example.com",
			"Jan 31 12:00:02 host sshd[7]: error: PAM: Authentication failure for root from host.example.com",
			"Jan 31 12:00:04 host sshd[7]: error: PAM: Authentication failure for root from host.example.com",
			"Jan 31 12:00:05 host sshd[7]: Connection closed by authenticating user root 192.0.2.7 port 51112 [preauth]",
		}, "3 192.0.2.7"},
	} {
		var count uint64
		source := ""
		for _, ev := range detectAll(t, rules, test.lines) {
			count += ev.Count
			if source = ev.SourceHost; ev.SourceIP.IsValid() {
				source = ev.SourceIP.String()
			}
		}
		if got := fmt.Sprintf("%d %s", count, source); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

func TestDamagedMemoryIsRefused(t *testing.T) {
	t.Parallel()
	rules := builtinRules(t)
	r := newRestartable(t, rules)
	for _, line := range mixedLog(1) {
		r.feed(line)
	}
	r.save()
	if len(r.saved) < 3 {
		t.Fatalf("only %d values were saved", len(r.saved))
	}
	for key, value := range r.saved {
		for cut := range value {
			engine, err := New(Options{Rules: rules, Emit: func(*attack.Event, uint64) {}})
			if err != nil {
				t.Fatal(err)
			}
			engine.Restore(key, value[:cut]) // must not panic; a cut text can be a shorter text
			engine.Finish()
		}
	}
}
