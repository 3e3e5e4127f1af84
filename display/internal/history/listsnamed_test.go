package history_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/pialert/pialert/display/internal/history"
	"github.com/pialert/pialert/pkg/attack"
)

// Of a source that days left out, and some hours too, all events are found: at first, by what was kept of other sources and of
// itself, after events came late into a day that is over, in another zone, and after a restart.
func TestWhatIsKeptOfNames(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 9, 24, 9, 0, 0, 0, time.UTC)
	zone := time.UTC
	o := optionsAt(t, &now)
	o.Zone = func() *time.Location { return zone }
	o.MaxBytes = 32 << 20 // hours keep about 140 addresses, days twice as many
	h := start(t, o)
	h.RememberAll()
	random, next := rand.New(rand.NewPCG(3, 4)), uint64(1)
	address := func(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, byte(n % 7), byte(n >> 8), byte(n)}) }
	all := make(map[netip.Addr][]arrival)
	commit := func(n int) {
		some := make([]attack.Event, n)
		for i := range some {
			some[i] = event(0)
			who := random.IntN(3000)
			if random.IntN(8) == 0 {
				who = random.IntN(5)
			}
			if some[i].SourceIP, some[i].Observed = address(who), now; who < 5 {
				some[i].Count = 9 // no list leaves these out
			}
			all[some[i].SourceIP] = append(all[some[i].SourceIP], arrival{now, "a", some[i]})
		}
		h.commit(batch{agent: "a", epoch: 1, first: next, events: some})
		next += uint64(n)
	}
	for range 6 * 24 {
		many := 1 + 4*(random.IntN(4)/3) // an hour of many sources
		for range 8 {
			now = now.Add(time.Hour / 8)
			commit(many * (1 + random.IntN(10)))
		}
	}
	restart := func() { // it may still be making room after the last commit
		h.stop()
		h = start(t, o)
		h.RememberAll()
	}
	restart()
	h.Upkeep()
	outs := number(t, h, `SELECT count(*) FROM lists WHERE what = 2 AND step = 3600 AND length(list) > 850`)
	if days := number(t, h, `SELECT count(*) FROM lists WHERE what = 2 AND step = 86400 AND length(list) > 1500`); days < 3 || outs == 0 || outs > 100 {
		t.Fatalf("%d days and %d hours are long", days, outs)
	}
	look := func(say string, forget bool) (said []string) {
		t.Helper()
		for _, n := range []int{0, 4, 52, 153, 1054, 2907, 3050} {
			if forget {
				h.Forgetful()
			}
			filter, mine := history.Filter{Source: netip.PrefixFrom(address(n), 32)}, all[address(n)]
			records, err := h.Recent(t.Context(), 1000, filter)
			if err != nil || len(records) != len(mine) {
				t.Fatalf("%s, of %v there are %d events, want %d, error %v", say, address(n), len(records), len(mine), err)
			}
			for _, since := range []time.Time{{}, now.AddDate(0, 0, -3)} {
				filter.Since = since
				want := rankedBy(mine, filter.Span, history.Kinds)
				if got := h.ranked(history.Kinds, filter); n < 5 && !maps.Equal(got, want) {
					t.Fatalf("%s, %v since %v has %v, want %v", say, address(n), since, got, want)
				}
				said = append(said, say, address(n).String(), seenOf(t, h, filter))
			}
		}
		return said
	}
	check := func(say string) {
		t.Helper()
		look(say, false)
		kept := look(say, false) // by what the first has left
		if fresh := look(say, true); !slices.Equal(kept, fresh) {
			t.Fatalf("what is kept is\n%q\nand lists say\n%q", kept, fresh)
		}
		look(say, false)
	}
	check("at first")
	back := now
	now = now.AddDate(0, 0, -4)
	commit(40)
	now = back
	check("after late events")
	zone = zoneOf(t, "Asia/Tokyo")
	restart()
	h.Upkeep()
	check("in another zone")
	restart()
	check("after a restart")
}

// seenOf says what lists have of a source.
func seenOf(t *testing.T, h *running, filter history.Filter) string {
	t.Helper()
	source, err := h.Source(t.Context(), filter)
	if err != nil {
		t.Fatal(err)
	}
	if filter.Since.IsZero() {
		filter.Since = time.Date(2026, 9, 20, 0, 0, 0, 0, time.UTC)
	}
	counts, err := h.Counts(t.Context(), days(filter.Since, time.Date(2026, 10, 4, 0, 0, 0, 0, time.UTC), time.UTC), filter, history.Attempts)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(source, counts, h.ranked(history.Agents, filter))
}
