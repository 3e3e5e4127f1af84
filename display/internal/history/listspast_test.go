package history_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/pialert/pialert/display/internal/history"
	"github.com/pialert/pialert/pkg/attack"
)

// What is kept of hours and days that are over is what their lists add up to, also after events came late into them,
// after they were summed up to days, and after an agent was forgotten.
func TestWhatIsKeptOfThePast(t *testing.T) {
	t.Parallel()
	now := noon
	h := start(t, optionsAt(t, &now))
	h.RememberAll()
	random, first := rand.New(rand.NewPCG(1, 2)), map[string]uint64{}
	commit := func() {
		agent := fmt.Sprint("agent", random.IntN(3))
		some := make([]attack.Event, 1+random.IntN(5))
		for i := range some {
			some[i] = event(random.IntN(20))
			some[i].User, some[i].Count = fmt.Sprint("a rather long name ", random.IntN(9)), uint64(1+random.IntN(3))
			if random.IntN(2) == 0 {
				some[i].User = fmt.Sprint(random.IntN(9))
			}
			if random.IntN(4) == 0 {
				some[i].SourceIP = netip.MustParseAddr(fmt.Sprintf("2001:db8::%d", random.IntN(5)))
			}
		}
		h.commit(batch{agent: agent, epoch: 1, first: first[agent] + 1, events: some})
		first[agent] += uint64(len(some))
	}
	by := []history.Dimension{history.Sources, history.Networks, history.Users, history.Targets}
	kept := false
	same := func(step string) {
		t.Helper()
		for _, span := range []history.Span{{}, {Since: now.Add(-24 * time.Hour)}, {Since: now.Add(-80 * time.Hour)}} {
			filter := history.Filter{Span: span}
			ranks := func() map[history.Dimension]history.Ranking {
				all, err := h.Ranks(t.Context(), by, filter, 100)
				if err != nil {
					t.Fatal(err)
				}
				return all
			}
			ranks()
			again := ranks() // by what the first has left
			kept = kept || h.Remembered() > 0
			h.Forgetful()
			if fresh := ranks(); !reflect.DeepEqual(again, fresh) {
				t.Fatalf("%s, since %v:\n%v\nwhere lists say\n%v", step, span.Since, again, fresh)
			}
		}
	}
	for i := range 25 {
		commit()
		same(fmt.Sprintf("commit %d", i))
		now = now.Add(time.Duration(random.IntN(180)) * time.Minute)
		if random.IntN(3) == 0 {
			h.Upkeep()
		}
		if _, err := h.Ranks(t.Context(), by, history.Filter{}, 1); err != nil { // keeps what is over now
			t.Fatal(err)
		}
		if random.IntN(4) == 0 { // the clock is set back: into hours, and days, that are over
			back := time.Duration(random.IntN(30)) * time.Hour
			now = now.Add(-back)
			commit()
			now = now.Add(back)
			same(fmt.Sprintf("a late commit %d", i))
		}
	}
	if !kept {
		t.Error("nothing is ever kept")
	}
	if _, err := h.Ranks(t.Context(), by, history.Filter{}, 1); err != nil {
		t.Fatal(err)
	}
	if err := h.Forget(t.Context(), "agent1"); err != nil {
		t.Fatal(err)
	}
	same("after an agent was forgotten")
	if use := h.Past(); use.Evicted > 0 || use.Bytes == 0 {
		t.Errorf("of what is kept %+v is said", use)
	}
	h.Forgetful()
	h.RememberAtMost(2000)
	same("in little room")
	if use := h.Past(); use.Evicted == 0 || use.Bytes > 2000 {
		t.Errorf("of what is kept in little room %+v is said", use)
	}
}
