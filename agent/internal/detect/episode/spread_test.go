package episode_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/agent/internal/detect/episode"
	"github.com/pialert/pialert/pkg/attack"
)

// Four things within ten seconds, which must be half of what is done. Windows of counts begin with start.
var spreadLimits = episode.SpreadLimits{Distinct: 4, Window: 10 * time.Second, Share: 50, Linked: 3, MaxSubjects: 3}

// spread is a Spread that keeps its events as text: phase, subject, address if it is a single one,
// things, attempts, count, seconds from start.
type spread struct {
	*episode.Spread
	limits episode.SpreadLimits
	events []string
	saved  map[string][]byte
}

func newSpread(limits episode.SpreadLimits) *spread {
	s := &spread{limits: limits, saved: map[string][]byte{}}
	s.Spread = episode.NewSpread(limits, s.emit)
	return s
}

func (s *spread) emit(e episode.SpreadEvent) {
	phase := map[attack.Phase]string{attack.PhaseStart: "start", attack.PhaseUpdate: "update", attack.PhaseEnd: "end"}[e.Phase]
	subject := e.User
	if e.Subject.Network.IsValid() {
		subject = e.Subject.Network.String()
	}
	if e.Addr.IsValid() {
		subject += " " + e.Addr.String()
	}
	s.events = append(s.events, fmt.Sprintf("%s %s: %d in %d +%d @%d", phase, subject, e.Distinct, e.Attempts, e.Count, int(e.At.Sub(start).Seconds())))
}

// restart goes on with what was saved.
func (s *spread) restart(t *testing.T) {
	t.Helper()
	s.Changes(func(name string, value []byte) {
		if s.saved[name] = value; value == nil {
			delete(s.saved, name)
		}
	})
	s.Spread = episode.NewSpread(s.limits, s.emit)
	for name, value := range s.saved {
		if err := s.Restore(name, value); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *spread) want(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(s.events, want) {
		t.Errorf("\n got %q\nwant %q", s.events, want)
	}
}

func at(second int) time.Time { return start.Add(time.Duration(second) * time.Second) }

var (
	network = episode.Subject{Network: netip.MustParsePrefix("192.0.2.0/24")}
	someone = netip.MustParseAddr("192.0.2.7")
)

// do does what a script says: words of what is done (hit, linked, other or tick), a thing, and the second.
func (s *spread) do(script string) {
	for _, word := range strings.Fields(script) {
		var what string
		var thing uint32
		var second int
		word = strings.NewReplacer(":", " ", "@", " ").Replace(word)
		if n, _ := fmt.Sscan(word, &what, &thing, &second); n != 3 {
			panic(word)
		}
		switch what {
		case "hit":
			s.Hit(&network, thing, someone, at(second))
		case "linked":
			s.Linked(&network, thing, someone, at(second))
		case "other":
			s.Other(&network, at(second))
		case "tick":
			s.Tick(at(second))
		default:
			panic(what)
		}
	}
}

func TestWhatMakesASpread(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, script string
		start        string // "" if none starts
	}{
		{"four things within the window", "hit:1@0 hit:2@3 hit:3@6 hit:4@9", "4 in 4 +4 @9"},
		{"the first is a window old", "hit:1@0 hit:2@3 hit:3@6 hit:4@10", ""},
		{"three things", "hit:1@0 hit:2@1 hit:3@2 hit:1@3 hit:2@4 hit:3@5", ""},
		{"what is hit again is within the window again", "hit:1@0 hit:2@2 hit:3@3 hit:1@9 hit:4@11", "4 in 5 +5 @11"},
		{"and what is not is none", "hit:1@0 hit:2@1 hit:3@3 hit:1@9 hit:4@11", ""},
		{"only something new starts one", "hit:1@0 hit:2@0 hit:3@0 other:0@0 other:0@0 other:0@0 other:0@0 other:0@0 hit:4@0 hit:4@1 hit:4@2", ""},
		{"hits of this window and the one before are its attempts", "hit:1@0 hit:1@9 hit:1@10 hit:2@19 hit:1@20 hit:3@21 hit:4@22", "4 in 5 +5 @22"},

		{"half of what is done", "hit:1@0 other:0@0 other:0@1 other:0@1 other:0@1 hit:2@2 hit:3@3 hit:4@4", "4 in 4 +4 @4"},
		{"less than half", "hit:1@0 other:0@0 other:0@1 other:0@1 other:0@1 other:0@1 hit:2@2 hit:3@3 hit:4@4", ""},
		{"less than half, in the window before", "hit:1@9 other:0@9 other:0@9 other:0@9 other:0@9 other:0@9 hit:2@10 hit:3@11 hit:4@12", ""},
		{"less than half, two windows before", "hit:1@9 other:0@9 other:0@9 other:0@9 other:0@9 other:0@9 hit:2@19 hit:1@20 hit:3@21 hit:4@22", "4 in 4 +4 @22"},
		{"less than half, when an hour had nothing", "hit:1@0 other:0@1 other:0@1 other:0@1 other:0@1 other:0@1 hit:1@3600 hit:2@3600 hit:3@3600 hit:4@3600", "4 in 4 +4 @3600"},
		{"of somebody who hit nothing, others do not count", "other:0@0 other:0@0 other:0@0 other:0@0 other:0@0 hit:1@1 hit:2@1 hit:3@1 hit:4@1", "4 in 4 +4 @1"},

		{"three in two windows are excused", "linked:1@0 linked:2@1 linked:3@2 hit:4@3 hit:5@4 hit:6@5", ""},
		{"so are three in the window and the one before", "linked:1@8 linked:2@9 linked:3@10 hit:4@11 hit:5@12 hit:6@13", ""},
		{"a fourth is not", "linked:1@0 linked:2@1 linked:3@2 linked:4@3 hit:5@4 hit:6@5 hit:7@6", "4 in 4 +4 @6"},
		{"nor in the next window", "linked:1@9 linked:2@9 linked:3@9 linked:4@10 hit:5@11 hit:6@12 hit:7@13", "4 in 4 +4 @13"},
		{"a window later it is", "linked:1@9 linked:2@9 linked:3@9 hit:8@10 linked:4@20 hit:5@21 hit:6@22 hit:7@23", ""},
		{"one that was excused is excused again", "linked:1@0 linked:1@1 linked:1@2 linked:1@3 linked:2@4 linked:3@4 linked:1@11 hit:5@11 hit:6@12 hit:7@13", ""},
		{"but nothing else", "linked:1@0 linked:1@1 linked:2@4 linked:3@4 linked:1@11 linked:4@11 hit:5@11 hit:6@12 hit:7@13", "4 in 4 +4 @13"},
		{"excused hits do not hide others", "linked:1@0 linked:1@0 linked:1@0 hit:1@0 hit:2@0 hit:3@0 hit:4@0", "4 in 4 +4 @0"},

		{"another log, that is read from a window earlier on", "hit:1@100 hit:2@100 hit:3@100 hit:4@90", ""},
		{"lines that are a little out of order", "hit:1@100 hit:2@100 hit:3@100 hit:4@91", "4 in 4 +4 @91"},
	} {
		s := newSpread(spreadLimits)
		s.do(test.script)
		if test.start == "" {
			s.events = append(s.events, "none")
		}
		want := "none"
		if test.start != "" {
			want = "start 192.0.2.0/24 192.0.2.7: " + test.start
		}
		if s.events[0] != want || len(s.events) != 1 {
			t.Errorf("%s: %s gives %q, want %q", test.name, test.script, s.events, want)
		}
	}
}

// Where one thing is too many, the first one makes an episode.
func TestASpreadOfOneThing(t *testing.T) {
	t.Parallel()
	limits := spreadLimits
	limits.Distinct = 1
	s := newSpread(limits)
	s.do("hit:1@0 hit:1@1 hit:1@2 hit:1@3 tick:0@23")
	s.want(t, "start 192.0.2.0/24 192.0.2.7: 1 in 1 +1 @0", "update 192.0.2.0/24 192.0.2.7: 1 in 2 +1 @1",
		"update 192.0.2.0/24 192.0.2.7: 1 in 4 +2 @3", "end 192.0.2.0/24 192.0.2.7: 1 in 4 +0 @3")
}

func TestCourseOfASpread(t *testing.T) {
	t.Parallel()
	const begin = "hit:1@0 hit:2@0 hit:3@0 hit:4@0 "
	const started = "start 192.0.2.0/24 192.0.2.7: 4 in 4 +4 @0"
	event := func(text string) string {
		phase, rest, _ := strings.Cut(text, " ")
		return phase + " 192.0.2.0/24 192.0.2.7: " + rest
	}
	for _, test := range []struct {
		name, script string
		events       []string
	}{
		{"told again when its count doubled", "hit:4@1 hit:4@1 hit:4@1", nil},
		{"told again when its count doubled", "hit:4@1 hit:5@1 hit:6@1 hit:6@2", []string{"update 6 in 8 +4 @2"}},
		{"told again when a window passed", "hit:4@8 hit:5@9", nil},
		{"told again when a window passed", "hit:4@9 hit:5@10", []string{"update 5 in 6 +2 @10"}},
		{"the window begins with its last event", "hit:4@9 hit:5@10 hit:5@19 hit:6@20", []string{"update 5 in 6 +2 @10", "update 6 in 8 +2 @20"}},
		{"one that has half of its things left goes on", "hit:4@5 hit:5@14", []string{"update 5 in 6 +2 @14"}},
		{"one that has less ends", "hit:4@4 hit:5@14", []string{"end 5 in 6 +2 @14"}},
		{"it ends when nothing was hit for two windows", "tick:0@19", nil},
		{"it ends when nothing was hit for two windows", "tick:0@20", []string{"end 4 in 4 +0 @0"}},
		{"others do not hold it", "other:0@15 tick:0@20", []string{"end 4 in 4 +0 @0"}},
		{"hits do", "hit:4@1 tick:0@20", nil},
		{"it ends when another log is read", "tick:0@-9", nil},
		{"it ends when another log is read", "tick:0@-10", []string{"end 4 in 4 +0 @0"}},
		{"what was hit is forgotten with it", "tick:0@20 hit:5@20", []string{"end 4 in 4 +0 @0"}},
		{"no hit is of two", "hit:4@4 hit:5@14 hit:5@15 hit:6@16 hit:7@17", []string{"end 5 in 6 +2 @14"}},
		{"no hit is of two", "hit:4@4 hit:5@14 hit:5@15 hit:6@16 hit:7@17 hit:8@18", []string{"end 5 in 6 +2 @14", "start 4 in 4 +4 @18"}},
	} {
		s := newSpread(spreadLimits)
		s.do(begin + test.script)
		want := []string{started}
		for _, text := range test.events {
			want = append(want, event(text))
		}
		if !slices.Equal(s.events, want) {
			t.Errorf("%s: %s gives %q, want %q", test.name, test.script, s.events, want)
		}
	}
}

// Of one name from many addresses no address is named, and of a network only one that is alone.
func TestWhoASpreadIsBy(t *testing.T) {
	t.Parallel()
	neighbour := netip.MustParseAddr("192.0.2.8")
	admin := episode.Subject{User: "admin"}
	s := newSpread(spreadLimits)
	for thing := range uint32(4) {
		s.Hit(&network, thing, someone, at(0))
		s.Hit(&admin, thing, someone, at(0))
	}
	s.Hit(&network, 0, neighbour, at(1))
	s.Hit(&network, 0, someone, at(1))
	s.Finish()
	s.want(t, "start 192.0.2.0/24 192.0.2.7: 4 in 4 +4 @0", "start admin: 4 in 4 +4 @0",
		"end admin: 4 in 4 +0 @0", "end 192.0.2.0/24: 4 in 6 +2 @1")

	s = newSpread(spreadLimits) // a second episode is told by its own addresses
	s.Hit(&network, 0, neighbour, at(0))
	for thing := range uint32(4) {
		s.Hit(&network, thing, someone, at(0))
	}
	s.Hit(&network, 4, neighbour, at(10)) // in a window of few, which ends it
	for thing := range uint32(4) {
		s.Hit(&network, thing, someone, at(29))
	}
	s.want(t, "start 192.0.2.0/24: 4 in 5 +5 @0", "end 192.0.2.0/24: 5 in 6 +1 @10", "start 192.0.2.0/24 192.0.2.7: 4 in 4 +4 @29")
}

// A subject's last 32 things are remembered; of more, those that were hit longest ago are new again.
func TestThingsOfASpreadAreBounded(t *testing.T) {
	t.Parallel()
	limits := spreadLimits
	limits.Distinct, limits.Window = 1000, 1000*time.Second
	s := newSpread(limits)
	for thing := range uint32(31) {
		s.Hit(&network, thing, someone, at(int(thing)))
	}
	s.want(t)
	s.Hit(&network, 31, someone, at(31)) // no more than 32 can be asked for
	s.want(t, "start 192.0.2.0/24 192.0.2.7: 32 in 32 +32 @31")
	s.Hit(&network, 0, someone, at(32)) // which makes 1 the oldest
	s.Hit(&network, 32, someone, at(33))
	for _, known := range []uint32{0, 2, 15, 31, 32} {
		s.Hit(&network, known, someone, at(34))
	}
	s.Finish()
	s.want(t, "start 192.0.2.0/24 192.0.2.7: 32 in 32 +32 @31", "end 192.0.2.0/24 192.0.2.7: 33 in 39 +7 @34")

	s = newSpread(limits)
	for thing := range uint32(33) {
		s.Hit(&network, thing, someone, at(int(thing)))
	}
	s.Hit(&network, 0, someone, at(34)) // new again
	s.Finish()
	s.want(t, "start 192.0.2.0/24 192.0.2.7: 32 in 32 +32 @31", "end 192.0.2.0/24 192.0.2.7: 34 in 34 +2 @34")
}

// Who was quiet for longest makes room for a newcomer, and its episode ends.
func TestSubjectsOfASpreadAreBounded(t *testing.T) {
	t.Parallel()
	s := newSpread(spreadLimits) // three are remembered
	hit := func(user string, second int, things ...uint32) {
		for _, thing := range things {
			s.Hit(&episode.Subject{User: user}, thing, someone, at(second))
		}
	}
	hit("a", 0, 1, 2, 3, 4)
	hit("b", 1, 1, 2, 3)
	hit("c", 2, 1, 2, 3)
	hit("a", 3, 1)
	s.want(t, "start a: 4 in 4 +4 @0")
	hit("d", 4, 1, 2, 3) // in place of b
	hit("a", 4, 1)
	hit("c", 4, 4)
	s.want(t, "start a: 4 in 4 +4 @0", "start c: 4 in 4 +4 @4")
	hit("b", 5, 4) // in place of d; what b hit before is forgotten
	hit("e", 5, 1) // in place of a
	s.want(t, "start a: 4 in 4 +4 @0", "start c: 4 in 4 +4 @4", "end a: 4 in 6 +2 @4")
	saved := map[string]bool{}
	s.Changes(func(name string, value []byte) { saved[name] = value != nil })
	if !maps.Equal(saved, map[string]bool{":b": true, ":c": true, ":e": true}) {
		t.Errorf("saved are %v", saved)
	}
	hit("f", 6, 1)
	clear(saved)
	s.Changes(func(name string, value []byte) { saved[name] = value != nil })
	if !maps.Equal(saved, map[string]bool{":c": false, ":f": true}) { // its last hit is of second 4
		t.Errorf("what changed is %v", saved)
	}
	if s.Evicted() != 4 { // b, d, a and c
		t.Errorf("%d were evicted, want 4", s.Evicted())
	}
}

// spreadModel says which hits start an episode, with every hit remembered.
type spreadModel map[episode.Subject]*modelSubject

type modelSubject struct {
	things       map[uint32]int // the second of its last hit
	hits, others []int          // seconds
	last         int
	running      bool
}

// recent returns how many of the seconds are in the window at hand and the one before.
func recent(seconds []int, second int) (n int) {
	for _, s := range seconds {
		if s/10 >= second/10-1 {
			n++
		}
	}
	return n
}

func (m spreadModel) expire(second int) {
	maps.DeleteFunc(m, func(_ episode.Subject, s *modelSubject) bool { return second-s.last >= 20 })
}

func (m spreadModel) hit(subject episode.Subject, thing uint32, second int) (starts bool) {
	s := m[subject]
	if s == nil {
		s = &modelSubject{things: map[uint32]int{}}
		m[subject] = s
	}
	_, known := s.things[thing]
	s.hits, s.things[thing], s.last = append(s.hits, second), second, second
	distinct := 0
	for _, last := range s.things {
		if second-last < 10 {
			distinct++
		}
	}
	hits, others := recent(s.hits, second), recent(s.others, second)
	return !s.running && !known && distinct >= 4 && hits >= others
}

// Under random hits: episodes start where the model says, the counts of every episode add up, and one
// that is saved and restored at random says the same as one that is not.
func TestSpreadsAgreeWithTheModel(t *testing.T) {
	t.Parallel()
	limits := spreadLimits
	limits.MaxSubjects = 10
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 2))
		m, restored := spreadModel{}, newSpread(limits)
		sums := map[episode.Subject]uint64{}
		events := newSpread(limits)
		started := false
		plain := episode.NewSpread(limits, func(e episode.SpreadEvent) {
			events.emit(e)
			if e.Phase == attack.PhaseStart {
				started = true
				sums[e.Subject] = 0
			}
			if sums[e.Subject] += e.Count; sums[e.Subject] != e.Attempts {
				t.Errorf("%v: the counts add up to %d, not to %d", e.Subject, sums[e.Subject], e.Attempts)
			}
			if s := m[e.Subject]; s != nil {
				if s.running = e.Phase != attack.PhaseEnd; !s.running { // no hit is of two episodes
					s.things, s.hits, s.others = map[uint32]int{}, nil, nil
				}
			}
		})
		second := 0
		for range 1000 {
			if r.IntN(2) == 0 {
				second += r.IntN(1 + r.IntN(8))
			}
			subject := episode.Subject{User: string(rune('a' + r.IntN(3)))}
			thing := uint32(r.IntN(2 + r.IntN(8)))
			m.expire(second)
			if r.IntN(3) == 0 {
				plain.Other(&subject, at(second))
				restored.Other(&subject, at(second))
				if s := m[subject]; s != nil {
					s.others = append(s.others, second)
				}
			} else {
				plain.Tick(at(second)) // an episode that is over ends before the hit
				want := m.hit(subject, thing, second)
				started = false
				plain.Hit(&subject, thing, someone, at(second))
				restored.Hit(&subject, thing, someone, at(second))
				if started != want {
					t.Fatalf("seed %d: a hit of %s starts an episode: %v, want %v; events %q", seed, subject.User, started, want, events.events)
				}
			}
			if r.IntN(10) == 0 {
				restored.restart(t)
			}
		}
		plain.Finish()
		restored.Finish()
		slices.Sort(events.events) // those that end at once end in any order
		slices.Sort(restored.events)
		if !slices.Equal(events.events, restored.events) {
			t.Errorf("seed %d: restored\n%q\nwant\n%q", seed, restored.events, events.events)
		}
		if len(events.events) < 10 {
			t.Errorf("seed %d: only %d events", seed, len(events.events))
		}
	}
}

func TestRestoreRefusesNonsenseOfASubject(t *testing.T) {
	t.Parallel()
	s := newSpread(spreadLimits)
	s.do("hit:1@0 hit:2@0 hit:3@0 hit:4@0")
	s.restart(t)
	value := s.saved["192.0.2.0/24"]
	if len(s.saved) != 1 || value == nil {
		t.Fatalf("saved are %v", s.saved)
	}
	for name, value := range map[string][]byte{"": value, "192.0.2.0": value, "192.0.2.0/24": value,
		"198.51.100.0/24": value[:len(value)-1], "203.0.113.0/24": append(slices.Clone(value), 0), ":admin": nil} {
		if s.Restore(name, value) == nil { // the third is restored already
			t.Errorf("%q is restored from %v", name, value)
		}
	}
	for _, name := range []string{":", ":admin"} {
		if err := s.Restore(name, value); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	if s.Restore(":root", value) == nil {
		t.Error("a fourth subject is restored, where three are allowed")
	}
}

// How much a subject was excused is remembered, by windows.
func TestExcusesOutliveARestart(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ before, after, start string }{
		{"linked:1@9 linked:2@9 linked:3@9", "linked:4@10 hit:5@11 hit:6@12 hit:7@13", "4 in 4 +4 @13"},
		{"linked:1@9 linked:2@10 linked:3@10", "linked:4@11 hit:5@12 hit:6@13 hit:7@14", "4 in 4 +4 @14"},
		{"linked:1@9 linked:2@9 linked:3@10", "linked:4@20 linked:5@20 hit:6@21 hit:7@22 hit:8@23", ""},
		{"linked:1@9 linked:2@10 linked:3@10", "linked:4@20 linked:5@20 hit:6@21 hit:7@22 hit:8@23", "4 in 4 +4 @23"},
	} {
		s := newSpread(spreadLimits)
		s.do(test.before)
		s.restart(t)
		s.do(test.after)
		var want []string
		if test.start != "" {
			want = []string{"start 192.0.2.0/24 192.0.2.7: " + test.start}
		}
		s.want(t, want...)
	}
}
