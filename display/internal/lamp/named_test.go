package lamp_test

import (
	"fmt"
	"testing"

	"github.com/pialert/pialert/display/internal/lamp"
	"github.com/pialert/pialert/pkg/attack"
)

// named is an event of a machine.
func named(host string, kind attack.Kind, count uint64) *attack.Event {
	e := event(kind, count)
	e.Host = host
	return e
}

// counter is an event of a counter.
func counter(key string, value uint64) *attack.Event {
	e := event(attack.Counter, value)
	e.Detail = attack.Count{Key: key, Value: value}
	return e
}

func TestLampsOfMachinesAndCounters(t *testing.T) {
	lamps := []lamp.Config{
		{Name: "router", Hosts: []string{"router", "beta"}, Color: "red", LED: 0},
		{Name: "prints", Kinds: []string{"counter"}, Counters: []string{"prints"}, Color: "blue", LED: 1},
		{Name: "counters", Kinds: []string{"counter"}, Color: "white", LED: 2},
		{Name: "rest", Color: "green", LED: 3},
	}
	table := newTable(t, lamps)
	for _, e := range []*attack.Event{
		named("router", attack.SSHLogin, 3), named("switch", attack.SSHLogin, 5), named("", attack.SSHLogin, 7),
		counter("prints", 11), counter("doors", 13),
	} {
		table.Add("alpha", e, noon)
	}
	table.Add("beta", named("", attack.SSHLogin, 17), noon)       // of the agent's own machine
	table.Add("beta", named("switch", attack.SSHLogin, 19), noon) // of another
	want := []uint64{20, 11, 13, 31, 51}
	expect(t, "as they arrive", totals(table, len(lamps), noon), want...)

	// The same from what a history holds, and with lamps that were configured later.
	all := table.Snapshot(noon).Tallies
	again := newTable(t, lamp.Defaults())
	again.Load(all, all, noon)
	if err := again.Configure(lamps, again.Zone()); err != nil {
		t.Fatal(err)
	}
	expect(t, "from the history", totals(again, len(lamps), noon), want...)

	// A correction takes from what has no name first, and never more than there is.
	again.Correct("alpha", attack.SSHLogin, "", -8)
	expect(t, "corrected", totals(again, len(lamps), noon)[4:], 43)
	again.Correct("alpha", attack.SSHLogin, "", -100)
	expect(t, "corrected by too much", totals(again, len(lamps), noon), 17, 11, 13, 19, 36)
}

// A correction of one machine's count leaves those of the others alone.
func TestCorrectingOneMachine(t *testing.T) {
	lamps := []lamp.Config{{Name: "router", Hosts: []string{"router"}, Color: "red", LED: 0}, {Name: "rest", Color: "green", LED: 1}}
	table := newTable(t, lamps)
	table.Add("alpha", named("router", attack.SSHLogin, 3), noon)
	table.Add("alpha", named("", attack.SSHLogin, 7), noon)
	for _, step := range []struct {
		by           int64
		router, rest uint64
	}{{-2, 1, 7}, {-100, 0, 7}, {4, 4, 7}} {
		table.Correct("alpha", attack.SSHLogin, "router", step.by)
		expect(t, fmt.Sprint("corrected by ", step.by), totals(table, 2, noon), step.router, step.rest, step.router+step.rest)
	}
}

// Whoever names machines cannot make the table grow, and every attempt counts.
func TestInventedMachines(t *testing.T) {
	lamps := []lamp.Config{{Name: "router", Hosts: []string{"router"}, Color: "red", LED: 0}, {Name: "rest", Color: "green", LED: 1}}
	table := newTable(t, lamps)
	for i := range 10_000 {
		table.Add("alpha", named(fmt.Sprint("invented", i), attack.SSHLogin, 1), noon)
	}
	if hit, ok := table.Add("alpha", named("router", attack.SSHLogin, 1), noon); !ok || hit.Lamp != 0 || hit.Total != 1 {
		t.Errorf("the lamp of a machine that is seen late: %+v, %v", hit, ok)
	}
	if n := len(table.Snapshot(noon).Tallies); n > 5000 {
		t.Errorf("%d tallies", n)
	}
	expect(t, "after too many machines", totals(table, 2, noon), 1, 10_000, 10_001)
}

func TestCountersNeedTheirKind(t *testing.T) {
	err := lamp.Validate([]lamp.Config{{Name: "prints", Counters: []string{"prints"}, Color: "blue"}})
	if err == nil {
		t.Error("a lamp of a counter that does not list the kind counter is accepted")
	}
	if err := lamp.Validate([]lamp.Config{{Name: "x", Hosts: []string{""}, Color: "blue"}}); err == nil {
		t.Error("a machine without a name is accepted")
	}
}
