package history_test

import (
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pialert/pialert/display/internal/history"
	"github.com/pialert/pialert/pkg/attack"
)

// A correction changes a total by as much as it says, and says so among the events: after a restart,
// a repair and when all events are gone. Followers of events do not take it for one.
func TestCorrect(t *testing.T) {
	t.Parallel()
	path := file(t)
	now := noon
	o := options(path)
	o.Now = func() time.Time { return now }
	h := start(t, o)
	h.commit(batch{agent: "a", epoch: 7, first: 1, events: events(500)})
	now = now.AddDate(0, 0, 1)
	h.commit(batch{agent: "a", epoch: 7, first: 501, events: events(10)})
	correction := history.Correction{Agent: "a", Kind: attack.SSHLogin, By: -123, Reason: "a test ran against it"}
	if err := h.Correct(t.Context(), correction); err != nil {
		t.Fatal(err)
	}
	want := []history.Total{{Agent: "a", Kind: attack.SSHLogin, Sum: history.Sum{Events: 510, Attempts: 387}}}
	check := func(say string, rows int) {
		t.Helper()
		if got := h.totals(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s the totals are %+v, want %+v", say, got, want)
		}
		if got := h.sums(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s the hours add up to %+v, want %+v", say, got, want)
		}
		records, err := h.Recent(t.Context(), 1000, history.Filter{})
		if err != nil || len(records) != rows || records[0].By != -123 || records[0].Note != correction.Reason || records[0].Event.Kind != attack.SSHLogin {
			t.Errorf("%s: %d records, error %v", say, len(records), err)
		}
		followed, err := h.After(t.Context(), 0, 1000)
		if err != nil || len(followed) != rows-1 {
			t.Errorf("%s: followers get %d, error %v; want %d", say, len(followed), err, rows-1)
		}
	}
	check("at first", 511)
	h.stop()
	h = start(t, o)
	check("after a restart", 511)
	h.stop()
	content := read(t, path)
	clear(content[4096*20 : 4096*21])
	write(t, path, content)
	h = start(t, o)
	if len(damagedFiles(t, path)) != 1 {
		t.Fatal("the damage was not found")
	}
	if got := h.totals(); !reflect.DeepEqual(got, want) {
		t.Errorf("after a repair the totals are %+v, want %+v", got, want)
	}
	if records, err := h.Recent(t.Context(), 1, history.Filter{}); err != nil || len(records) != 1 || records[0].By != -123 {
		t.Errorf("after a repair: %+v, error %v", records, err)
	}

	for reason, c := range map[string]history.Correction{
		"give a reason":        {Agent: "a", Kind: attack.SSHLogin, By: -1},
		"nothing was counted":  {Agent: "a", Kind: attack.XMLRPC, By: 5, Reason: "r"},
		"from \"b\"":           {Agent: "b", Kind: attack.SSHLogin, By: 5, Reason: "r"},
		"387 were counted":     {Agent: "a", Kind: attack.SSHLogin, By: -388, Reason: "r"},
		"correct a total by 0": {Agent: "a", Kind: attack.SSHLogin, Reason: "r"},
	} {
		if err := h.Correct(t.Context(), c); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("error %v, want one with %q", err, reason)
		}
	}
	if err := h.Correct(t.Context(), history.Correction{Agent: "a", Kind: attack.SSHLogin, By: 13, Reason: "more"}); err != nil {
		t.Fatal(err)
	}
	if got := h.totals(); got[0].Attempts != 400 {
		t.Errorf("the total is %d, want 400", got[0].Attempts)
	}
}

// Corrections that are checked before either is committed take no more than there is.
func TestCorrectionsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := options(file(t))
		o.Interval = time.Hour
		h := start(t, o)
		defer h.stop()
		h.commit(batch{agent: "a", epoch: 7, first: 1, events: events(10)}) // the first does not wait
		before := h.totals()[0].Attempts
		var asked sync.WaitGroup
		for range 2 {
			asked.Go(func() {
				if err := h.Correct(t.Context(), history.Correction{Agent: "a", Kind: attack.SSHLogin, By: 1 - int64(before), Reason: "r"}); err != nil {
					t.Error(err)
				}
			})
		}
		asked.Wait()
		if got := h.totals()[0].Attempts; before < 3 || got != 0 {
			t.Errorf("of %d attempts %d are left, want none", before, got)
		}
	})
}

// What a correction takes away of one agent's kind leaves the attempts of the others, also on a day that had less.
func TestACorrectionTakesFromItsOwn(t *testing.T) {
	t.Parallel()
	now := noon
	o := optionsAt(t, &now)
	h := start(t, o)
	h.commit(batch{agent: "a", epoch: 7, first: 1, events: events(50)})
	now = now.AddDate(0, 0, 1)
	h.commit(batch{agent: "a", epoch: 7, first: 51, events: events(10)})
	h.commit(batch{agent: "b", epoch: 7, first: 1, events: events(3)})
	if err := h.Correct(t.Context(), history.Correction{Agent: "a", Kind: attack.SSHLogin, By: -40, Reason: "a test"}); err != nil {
		t.Fatal(err)
	}
	counts, err := h.Counts(t.Context(), []time.Time{noon.AddDate(0, 0, 1).Truncate(24 * time.Hour), noon.AddDate(0, 0, 2).Truncate(24 * time.Hour)}, history.Filter{}, history.Attempts)
	var sum uint64
	for _, c := range counts {
		sum += c.Attempts
	}
	if err != nil || sum != 3 {
		t.Errorf("%d attempts on the day of the correction, want 3, error %v", sum, err)
	}
	kinds, err := h.Top(t.Context(), history.Kinds, history.Filter{Span: history.Span{Since: noon.AddDate(0, 0, 1).Truncate(24 * time.Hour)}}, 10)
	if err != nil || len(kinds) != 1 || kinds[0].Attempts != 3 {
		t.Errorf("the kinds on the day of the correction are %v, want 3 attempts, error %v", kinds, err)
	}
}
