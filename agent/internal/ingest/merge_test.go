package ingest

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

func burst(n int, change func(i int, e *attack.Event)) []attack.Event {
	events := make([]attack.Event, n)
	for i := range events {
		events[i] = attack.Event{
			Kind: attack.SSHLogin, Severity: attack.Medium, Rule: "sshd-failed-password", Observed: time.Unix(1_700_000_001, 0),
			SourceIP: netip.MustParseAddr("192.0.2.7"), User: "root", Count: 1,
		}
		change(i, &events[i])
	}
	return events
}

func TestMerge(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		events []attack.Event
		want   int
	}{
		{"none", nil, 0},
		{"alike", burst(100, func(int, *attack.Event) {}), 1},
		{"port differs", burst(100, func(i int, e *attack.Event) { e.SourcePort = uint16(i) }), 1},
		{"kind differs", burst(100, func(i int, e *attack.Event) { e.Kind = attack.Kind(1 + i%2) }), 2},
		{"rule differs", burst(100, func(i int, e *attack.Event) { e.Rule = fmt.Sprint(i % 3) }), 3},
		{"user differs", burst(100, func(i int, e *attack.Event) { e.User = fmt.Sprint(i % 3) }), 3},
		{"source differs", burst(100, func(i int, e *attack.Event) { e.SourceIP = netip.AddrFrom4([4]byte{192, 0, 2, byte(i % 3)}) }), 3},
		{"log differs", burst(100, func(i int, e *attack.Event) { e.Log = fmt.Sprint(i % 3) }), 3},
		{"severity differs", burst(100, func(i int, e *attack.Event) { e.Severity = attack.Severity(1 + i%3) }), 3},
		{"name of the source differs", burst(100, func(i int, e *attack.Event) { e.SourceHost = fmt.Sprint("host-", i%3) }), 3},
		{"machine differs", burst(100, func(i int, e *attack.Event) { e.Host = fmt.Sprint("web-", i%3) }), 3},
		{"method differs", burst(100, func(i int, e *attack.Event) { e.Detail = attack.SSH{Method: fmt.Sprint(i % 3)} }), 3},
		{"target differs", burst(100, func(i int, e *attack.Event) { e.Detail = attack.HTTP{Method: "GET", Target: fmt.Sprint("/", i)} }), 1},
		{"site differs", burst(100, func(i int, e *attack.Event) { e.Detail = attack.HTTP{Method: "GET", Host: fmt.Sprint("site-", i%3)} }), 3},
		{"one quarter of an hour", burst(100, func(i int, e *attack.Event) { e.Logged = time.Unix(1_700_000_100+int64(i)*9, 0) }), 1},
		{"quarter of an hour differs", burst(100, func(i int, e *attack.Event) { e.Logged = time.Unix(1_700_000_100+int64(i%2)*900, 0) }), 2},
		{"day differs", burst(100, func(i int, e *attack.Event) { e.Logged = time.Unix(1_700_000_000+int64(i%2)*86400, 0) }), 2},
		{"counts too large for one", burst(100, func(i int, e *attack.Event) { e.Count = mergeMost / 4 }), 25},
		{"counts that were too large before", burst(3, func(i int, e *attack.Event) { e.Count = attack.MaxCount }), 3},
		{"floods", burst(100, func(i int, e *attack.Event) { e.Kind = attack.HTTPFlood }), 100},
		{"bans", burst(100, func(i int, e *attack.Event) { e.Kind = attack.Ban + attack.Kind(i%2) }), 100},
		{"fired", burst(100, func(i int, e *attack.Event) { e.Test = true }), 100},
		{"visits", burst(100, func(i int, e *attack.Event) { e.Kind = attack.Visit }), 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var before, after uint64
			for _, e := range test.events {
				before += e.Count
			}
			merged := merge(test.events)
			for i, e := range merged {
				after += e.Count
				if err := e.Check(); err != nil {
					t.Errorf("event %d: %v", i, err)
				}
			}
			if len(merged) != test.want || before != after {
				t.Errorf("%d events with %d attempts, want %d with %d", len(merged), after, test.want, before)
			}
		})
	}
}

// However events are mixed, each likeness keeps its sum and the order of first occurrence.
func TestMergeKeepsSumsAndOrder(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 1))
		sums := map[string]uint64{}
		var order []string
		events := burst(random.IntN(500), func(i int, e *attack.Event) {
			e.User = fmt.Sprint(random.IntN(40))
			e.Count = 1 + random.Uint64N(100)
			if _, ok := sums[e.User]; !ok {
				order = append(order, e.User)
			}
			sums[e.User] += e.Count
		})
		merged := merge(events)
		if len(merged) != len(order) {
			t.Fatalf("seed %d: %d events, want %d", seed, len(merged), len(order))
		}
		for i, e := range merged {
			if e.User != order[i] || e.Count != sums[e.User] {
				t.Fatalf("seed %d: event %d is user %s with %d, want %s with %d", seed, i, e.User, e.Count, order[i], sums[order[i]])
			}
		}
	}
}
