// Package lamp routes events to lamps and counts them there.
//
// A lamp is a named route (route.go): the agents and kinds that it collects, a colour, a resting LED
// and a total of its own (table.go). An event goes to the first lamp in the list that collects it, so that no
// attempt is in two totals; the grand total has every attempt, collected or not.
//
// What is counted: the attempts of the kinds that are attempts. Floods, bans and visits light
// their lamp but add to its total only where the lamp lists that kind by its own name, and never
// to the grand total. Events that a person fired as tests light a lamp and are never added.
//
// The package keeps numbers only: it stores nothing, draws nothing and reads no clock.
package lamp

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// Hit says what an event did.
type Hit struct {
	Lamp  int    // index of the lamp that shows it
	Sweep bool   // whether it is severe enough to sweep
	Total uint64 // the lamp's total with this event
}

// Table routes events to lamps and keeps their totals. It is safe for concurrent use.
type Table struct {
	mu         sync.Mutex
	zone       *time.Location
	lamps      []route
	first      string
	routed     uint64 // how often routes have changed
	all, today map[source]uint64
	apart      int // tallies of all with names
	day        date
	totals     [Max]uint64 // what all and today add up to, per lamp
	grand      uint64
}

type date struct {
	year  int
	month time.Month
	day   int
}

// New returns a table for lamps that pass [Validate]; midnight is that of the zone.
func New(lamps []Config, zone *time.Location) (*Table, error) {
	t := &Table{all: map[source]uint64{}, today: map[source]uint64{}}
	if err := t.Configure(lamps, zone); err != nil {
		return nil, err
	}
	return t, nil
}

// Configure changes the lamps and the zone and keeps what was counted. After an error nothing
// has changed.
func (t *Table) Configure(lamps []Config, zone *time.Location) error {
	if err := Validate(lamps); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lamps, t.zone = routes(lamps), zone
	t.routed++
	t.sum()
	return nil
}

// SetFirst names the agent that was paired first, which the lamps call [FirstAgent]; empty if
// none is paired.
func (t *Table) SetFirst(agent string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.first != agent {
		t.first = agent
		t.routed++
	}
	t.sum()
}

// Routed rises whenever [Table.Route] may answer otherwise than before.
func (t *Table) Routed() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.routed
}

// Zone returns the zone whose midnight begins a day.
func (t *Table) Zone() *time.Location {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.zone
}

// SetToday replaces what was counted today, after the zone has changed. The history holds all of
// what was counted but for what arrived since, and the part of it that is of now's day.
func (t *Table) SetToday(all, today []Tally, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.today, t.day = map[source]uint64{}, t.date(now)
	for from, count := range t.all {
		add(t.today, from, count)
	}
	for _, tally := range all {
		from := tally.source()
		t.today[from] -= min(t.today[from], tally.Count)
	}
	for _, tally := range today {
		add(t.today, tally.source(), tally.Count)
	}
	t.sum()
}

// Load replaces everything counted by what the history holds: all of it, and the part of it
// that is of now's day in the table's zone.
func (t *Table) Load(all, today []Tally, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all, t.today, t.apart = map[source]uint64{}, map[source]uint64{}, 0
	for _, tally := range all {
		add(t.all, t.bounded(tally.source()), tally.Count)
	}
	for _, tally := range today {
		add(t.today, tally.source(), tally.Count)
	}
	t.day = t.date(now)
	t.sum()
}

// Add counts an event and says which lamp shows it; ok is false if none does. An event counts
// for the day on which it arrives.
func (t *Table) Add(agent string, event *attack.Event, now time.Time) (hit Hit, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.roll(now)
	from := sourceOf(agent, event)
	index := t.find(from)
	if !event.Test && event.Kind != attack.Test {
		from = t.bounded(from)
		add(t.all, from, event.Count)
		add(t.today, from, event.Count)
		if event.Kind.Attempt() {
			t.grand = plus(t.grand, event.Count)
		}
		if index >= 0 && t.lamps[index].counts(event.Kind) {
			t.totals[index] = plus(t.totals[index], event.Count)
		}
	}
	if index < 0 {
		return Hit{}, false
	}
	return Hit{Lamp: index, Sweep: event.Severity >= t.lamps[index].sweepFrom, Total: t.totals[index]}, true
}

// Correct adds to what was counted, or takes away, but never below nothing. The host is the machine whose lines
// were counted, if it is not the agent's own.
func (t *Table) Correct(agent string, kind attack.Kind, host string, by int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, tallies := range []map[source]uint64{t.all, t.today} {
		from := source{agent: agent, kind: kind, host: host}
		if by >= 0 {
			add(tallies, from, uint64(by))
			continue
		}
		left := uint64(-by)
		take := func(from source) {
			taken := min(tallies[from], left)
			tallies[from] -= taken
			left -= taken
		}
		take(from) // what has no name first
		for other := range tallies {
			if left > 0 && host == "" && other.agent == agent && other.kind == kind {
				take(other)
			}
		}
	}
	t.sum()
}

// Totals writes the lamps' totals to dst, in their order and as far as it reaches, zeros behind
// them, and returns the grand total.
func (t *Table) Totals(dst []uint64, now time.Time) (grand uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.roll(now)
	copy(dst, t.totals[:])
	return t.grand
}

// Snapshot is everything counted at one moment. Tests are not in it.
type Snapshot struct {
	Lamps   []uint64 // totals, in the order of the lamps
	Grand   uint64   // attempts, whether a lamp collects them or not
	Tallies []Tally  // in no order
}

// Snapshot returns everything that is counted now, without holding up lights for longer than a copy of it takes.
func (t *Table) Snapshot(now time.Time) Snapshot {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.roll(now)
	s := Snapshot{Lamps: slices.Clone(t.totals[:len(t.lamps)]), Grand: t.grand, Tallies: make([]Tally, 0, len(t.all))}
	for from, count := range t.all {
		s.Tallies = append(s.Tallies, Tally{Agent: from.agent, Kind: from.kind, Count: count, Host: from.host, Key: from.key})
	}
	return s
}

// Route returns the index of the lamp that collects a kind from an agent's own machine, or -1 if none
// does, and whether the lamp's total counts it.
func (t *Table) Route(agent string, kind attack.Kind) (lamp int, counts bool) {
	return t.RouteCount(agent, kind, "", "")
}

// RouteCount is [Table.Route] of what was counted of another machine, or of a counter.
func (t *Table) RouteCount(agent string, kind attack.Kind, host, key string) (lamp int, counts bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	lamp = t.find(source{agent: agent, kind: kind, host: host, key: key})
	return lamp, lamp >= 0 && t.lamps[lamp].counts(kind)
}

// RouteEvent is [Table.Route] of an event.
func (t *Table) RouteEvent(agent string, event *attack.Event) (lamp int, counts bool) {
	from := sourceOf(agent, event)
	return t.RouteCount(from.agent, from.kind, from.host, from.key)
}

// OfAgent returns the index of the lamp that stands for an agent: the first that names it or
// counts it among the first and the others, else the first that collects from every agent. It
// returns -1 if no lamp collects from the agent.
func (t *Table) OfAgent(agent string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.lamps {
		if len(t.lamps[i].agents) > 0 && len(t.lamps[i].hosts) == 0 && t.collects(i, agent) {
			return i
		}
	}
	return slices.IndexFunc(t.lamps, func(r route) bool { return len(r.agents) == 0 && len(r.hosts) == 0 })
}

// Find returns the index of the lamp with a name, or with a colour if only one lamp has it. Its
// error lists the lamps.
func (t *Table) Find(name string) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var names []string
	byColor, matches := -1, 0
	for i, r := range t.lamps {
		if r.name == name {
			return i, nil
		}
		if r.color == name {
			byColor, matches = i, matches+1
		}
		names = append(names, r.name)
	}
	if matches == 1 {
		return byColor, nil
	}
	return -1, fmt.Errorf("there is no lamp %q; the lamps are %s", name, strings.Join(names, ", "))
}

// roll starts today's tallies anew if now is of another day. The caller holds the lock.
func (t *Table) roll(now time.Time) {
	day := t.date(now)
	if day == t.day {
		return
	}
	t.day = day
	clear(t.today)
	t.sum()
}

func (t *Table) date(now time.Time) date {
	year, month, day := now.In(t.zone).Date()
	return date{year, month, day}
}

// sum adds the totals up from the tallies. The caller holds the lock.
func (t *Table) sum() {
	t.totals, t.grand = [Max]uint64{}, 0
	for from, count := range t.all {
		if from.kind.Attempt() {
			t.grand = plus(t.grand, count)
		}
		t.addTo(from, count, false)
	}
	for from, count := range t.today {
		t.addTo(from, count, true)
	}
}

func (t *Table) addTo(from source, count uint64, today bool) {
	index := t.find(from)
	if index >= 0 && t.lamps[index].today == today && t.lamps[index].counts(from.kind) {
		t.totals[index] = plus(t.totals[index], count)
	}
}
