package episode_test

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/pialert/pialert/agent/internal/detect/episode"
	"github.com/pialert/pialert/pkg/attack"
)

var start = time.Unix(1_790_000_000, 0).UTC() // on a step of 2 s, which a window of 30 s has

// record collects events as text: phase, network, method, requests, count, seconds from start.
type record struct{ events []string }

func (r *record) emit(e episode.Event) {
	phase := map[attack.Phase]string{attack.PhaseStart: "start", attack.PhaseUpdate: "update", attack.PhaseEnd: "end"}[e.Phase]
	r.events = append(r.events, fmt.Sprintf("%s %s %s %d +%d @%d", phase, e.Network, e.Method, e.Requests, e.Count, int(e.At.Sub(start).Seconds())))
}

func (r *record) want(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(r.events, want) {
		t.Errorf("\n got %q\nwant %q", r.events, want)
	}
}

var limits = episode.Limits{MaxRequests: 10, Window: 30 * time.Second, MaxSources: 1000}

func add(d *episode.Detector, addr, method string, second, n int) {
	for range n {
		d.Add(netip.MustParseAddr(addr), []byte(method), start.Add(time.Duration(second)*time.Second))
	}
}

func TestEpisode(t *testing.T) {
	t.Parallel()
	var r record
	d := episode.New(limits, r.emit)
	add(d, "192.0.2.7", "POST", 0, 9)
	r.want(t)
	add(d, "192.0.2.7", "POST", 20, 1) // the tenth within the window
	add(d, "192.0.2.7", "POST", 21, 10)
	add(d, "192.0.2.7", "POST", 22, 3)
	d.Tick(start.Add(51 * time.Second)) // 23 s were the last step: its window ends after 52
	d.Tick(start.Add(52 * time.Second))
	r.want(t, "start 192.0.2.7/32 POST 10 +10 @20", "update 192.0.2.7/32 POST 20 +10 @21", "end 192.0.2.7/32 POST 23 +3 @52")
}

func TestSlowRequestsAreNoFlood(t *testing.T) {
	t.Parallel()
	var r record
	d := episode.New(limits, r.emit)
	for second := range 1000 {
		if second%4 == 0 {
			add(d, "192.0.2.7", "GET", second, 1) // 7.5 in a window
		}
	}
	d.Finish()
	r.want(t)
}

// No window is shorter than the second that logs have.
func TestTheShortestWindow(t *testing.T) {
	t.Parallel()
	for _, window := range []time.Duration{time.Millisecond, time.Second} {
		var r record
		d := episode.New(episode.Limits{MaxRequests: 10, Window: window}, r.emit)
		add(d, "192.0.2.7", "GET", 0, 9)
		add(d, "192.0.2.7", "GET", 1, 9)
		r.want(t)
		add(d, "192.0.2.7", "GET", 1, 1)
		r.want(t, "start 192.0.2.7/32 GET 10 +10 @1")
	}
}

func TestLongFloodIsToldOnceAWindow(t *testing.T) {
	t.Parallel()
	var r record
	d := episode.New(limits, r.emit)
	for second := range 101 {
		add(d, "2001:db8::7", "GET", second, 10)
	}
	add(d, "2001:db8::7", "GET", 128, 1) // the rate fell below half of what is allowed
	r.want(t,
		"start 2001:db8::7/128 GET 10 +10 @0", "update 2001:db8::7/128 GET 20 +10 @1", "update 2001:db8::7/128 GET 40 +20 @3",
		"update 2001:db8::7/128 GET 80 +40 @7", "update 2001:db8::7/128 GET 160 +80 @15", "update 2001:db8::7/128 GET 320 +160 @31",
		"update 2001:db8::7/128 GET 601 +281 @60", "update 2001:db8::7/128 GET 901 +300 @90",
		"update 2001:db8::7/128 GET 1011 +110 @128")
	add(d, "2001:db8::7", "GET", 157, 1)
	if last := r.events[len(r.events)-1]; last != "end 2001:db8::7/128 GET 1011 +0 @157" {
		t.Errorf("the last event is %q", last)
	}
}

// The guard against GET of the story: the flood came as POST, from many addresses of one block.
func TestNetworksAndMethodsAreCountedApart(t *testing.T) {
	t.Parallel()
	var r record
	d := episode.New(limits, r.emit)
	for i := range 12 {
		add(d, fmt.Sprintf("192.0.2.%d", i), "POST", 0, 1)
		add(d, fmt.Sprintf("198.51.%d.1", i), "POST", 0, 1)
		add(d, fmt.Sprintf("2001:db8:0:1::%d", i), "BREW", 0, 1)
		add(d, "203.0.113.1", []string{"GET", "HEAD", "PUT"}[i%3], 0, 1)
	}
	d.Finish()
	r.want(t, "start 192.0.2.0/24 POST 10 +10 @0", "start 2001:db8:0:1::/64 other 10 +10 @0",
		"end 192.0.2.0/24 POST 12 +2 @0", "end 2001:db8:0:1::/64 other 12 +2 @0")
}

// What one address does is not held against its neighbours, nor counted twice.
func TestFloodOfAnAddressIsNotItsNetworks(t *testing.T) {
	t.Parallel()
	var r record
	d := episode.New(limits, r.emit)
	add(d, "192.0.2.7", "GET", 0, 50)
	add(d, "192.0.2.8", "GET", 1, 9)
	d.Finish()
	r.want(t, "start 192.0.2.7/32 GET 10 +10 @0", "update 192.0.2.7/32 GET 20 +10 @0", "update 192.0.2.7/32 GET 40 +20 @0",
		"end 192.0.2.7/32 GET 50 +10 @0")
}

func TestAnotherLogsTimeStartsAnew(t *testing.T) {
	t.Parallel()
	var r record
	d := episode.New(limits, r.emit)
	add(d, "192.0.2.7", "GET", 1000, 9)
	add(d, "192.0.2.7", "GET", 995, 0)
	add(d, "192.0.2.7", "GET", 0, 9)
	add(d, "192.0.2.7", "GET", 1000, 9)
	r.want(t)
	add(d, "192.0.2.7", "GET", 972, 1) // late, but within the window
	r.want(t, "start 192.0.2.7/32 GET 10 +10 @972")

	r = record{}
	d = episode.New(limits, r.emit)
	add(d, "192.0.2.7", "GET", 1000, 9)
	add(d, "192.0.2.7", "GET", 970, 9) // a window earlier
	r.want(t)
	add(d, "192.0.2.7", "GET", 971, 1)
	r.want(t, "start 192.0.2.7/32 GET 10 +10 @971")
}

// When nobody is known any more, it begins as it began.
func TestAFloodThatReturns(t *testing.T) {
	t.Parallel()
	var r record
	d := episode.New(limits, r.emit)
	add(d, "192.0.2.7", "GET", 0, 12)
	d.Tick(start.Add(time.Hour))
	add(d, "192.0.2.7", "GET", 3600, 9)
	add(d, "192.0.2.7", "GET", 3602, 2)
	d.Tick(start.Add(3700 * time.Second))
	add(d, "192.0.2.8", "GET", 4000, 11)
	d.Finish()
	r.want(t, "start 192.0.2.7/32 GET 10 +10 @0", "end 192.0.2.7/32 GET 12 +2 @3600",
		"start 192.0.2.7/32 GET 10 +10 @3602", "end 192.0.2.7/32 GET 11 +1 @3700",
		"start 192.0.2.8/32 GET 10 +10 @4000", "end 192.0.2.8/32 GET 11 +1 @4000")
}

// Who was quiet for longest makes room for a newcomer, and its episode ends. An address and its network
// are two sources.
func TestSourcesOfFloodsAreBounded(t *testing.T) {
	t.Parallel()
	var r record
	few := limits
	few.MaxSources = 6
	d := episode.New(few, r.emit)
	add(d, "192.0.2.7", "GET", 0, 10)
	add(d, "198.51.100.7", "GET", 1, 9)
	add(d, "203.0.113.7", "GET", 2, 9)
	add(d, "192.0.2.7", "GET", 3, 1)
	add(d, "198.51.100.7", "GET", 4, 1) // the ninth and tenth made this the newest
	r.want(t, "start 192.0.2.7/32 GET 10 +10 @0", "start 198.51.100.7/32 GET 10 +10 @4")
	if d.Evicted() != 0 {
		t.Errorf("%d were evicted of six", d.Evicted())
	}
	add(d, "233.252.0.7", "GET", 5, 1) // in place of 203.0.113.7
	add(d, "203.0.113.7", "GET", 6, 1) // in place of 192.0.2.7
	d.Finish()
	r.want(t, "start 192.0.2.7/32 GET 10 +10 @0", "start 198.51.100.7/32 GET 10 +10 @4", "end 192.0.2.7/32 GET 11 +1 @2",
		"end 198.51.100.7/32 GET 10 +0 @4")
	if d.Evicted() != 4 {
		t.Errorf("%d were evicted, want 4", d.Evicted())
	}
}

// model counts as the definition says, with every request remembered.
type model struct {
	requests map[string][]int64 // by source, the steps
	running  map[string]bool
}

func (m *model) count(source string, step int64) int {
	n := 0
	for _, s := range m.requests[source] {
		if s > step-15 && s <= step {
			n++
		}
	}
	return n
}

// add returns whose flood the request belongs to, "" if none.
func (m *model) add(address, network string, step int64) string {
	for source := range m.running {
		if last := m.requests[source][len(m.requests[source])-1]; step-last >= 15 {
			delete(m.running, source) // its window emptied
		}
	}
	for _, source := range []string{network, address} {
		if m.running[network] && source == address {
			break
		}
		if m.count(source, step) < 5 {
			delete(m.running, source) // a request finds its window half empty
		}
	}
	if m.running[network] {
		m.requests[network] = append(m.requests[network], step)
		return network
	}
	m.requests[address] = append(m.requests[address], step)
	if m.running[address] {
		return address
	}
	if m.count(address, step) >= 10 {
		m.running[address] = true
		for _, s := range m.requests[address][:len(m.requests[address])-1] { // no longer the network's
			if i := slices.Index(m.requests[network], s); i >= 0 && s > step-15 {
				m.requests[network] = slices.Delete(m.requests[network], i, i+1)
			}
		}
		return address
	}
	m.requests[network] = append(m.requests[network], step)
	if m.count(network, step) >= 10 {
		m.running[network] = true
		return network
	}
	return ""
}

// Under random requests: starts are those of the model, the counts of every episode add up, and a
// detector that is saved and restored at random says the same as one that is not.
func TestAgreesWithTheModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		var starts, wantStarts, events, restored []string
		sums := map[string]uint64{}
		check := func(e episode.Event) {
			events = append(events, fmt.Sprint(e))
			source := e.Network.String()
			switch sums[source] += e.Count; {
			case e.Phase == attack.PhaseStart:
				starts = append(starts, source)
				if sums[source] != e.Count {
					t.Errorf("%s starts while it runs", source)
				}
			case sums[source] != e.Requests:
				t.Errorf("%s: the counts add up to %d, not to %d", source, sums[source], e.Requests)
			}
			if e.Phase == attack.PhaseEnd {
				delete(sums, source)
			}
		}
		d := episode.New(limits, check)
		keep := func(e episode.Event) { restored = append(restored, fmt.Sprint(e)) }
		other := episode.New(limits, keep)
		saved := map[string][]byte{}
		m := model{requests: map[string][]int64{}, running: map[string]bool{}}
		now := start
		for range 3000 {
			if r.IntN(3) == 0 {
				now = now.Add(time.Duration(r.IntN(1+r.IntN(12))) * time.Second)
			}
			addr := netip.AddrFrom4([4]byte{192, 0, byte(r.IntN(2)), byte(r.IntN(1 + r.IntN(1+int(seed%4)*3)))})
			network, _ := addr.Prefix(24)
			single := netip.PrefixFrom(addr, 32).String()
			was := maps.Clone(m.running)
			if source := m.add(single, network.String(), now.Unix()/2); source != "" && !was[source] {
				wantStarts = append(wantStarts, source)
			} else if source != "" && len(wantStarts) > 0 && !m.running[source] {
				t.Fatal("the model is confused")
			}
			d.Add(addr, []byte("GET"), now)
			other.Add(addr, []byte("GET"), now)
			if r.IntN(20) == 0 {
				other.Changes(func(name string, value []byte) {
					if saved[name] = value; value == nil {
						delete(saved, name)
					}
				})
				other = episode.New(limits, keep)
				for name, value := range saved {
					if err := other.Restore(name, value); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		d.Finish()
		other.Finish()
		slices.Sort(events) // episodes that end at once end in any order
		slices.Sort(restored)
		if !slices.Equal(events, restored) {
			t.Errorf("seed %d: restored\n%q\nwant\n%q", seed, restored, events)
		}
		if !slices.Equal(starts, wantStarts) {
			t.Errorf("seed %d: starts\n%q\nwant\n%q", seed, starts, wantStarts)
		}
	}
}

// Where there is room for two addresses and their networks, the one goes that was quiet for longer, be it for less than
// a step, and whatever the addresses are.
func TestTheOneThatWasQuietForLongestIsForgotten(t *testing.T) {
	t.Parallel()
	var r record
	few := limits
	few.MaxSources = 4
	d := episode.New(few, r.emit)
	add(d, "203.0.113.9", "GET", 0, 9)
	add(d, "192.0.2.7", "GET", 0, 9)
	add(d, "198.51.100.1", "GET", 0, 1)
	add(d, "192.0.2.7", "GET", 1, 1)
	r.want(t, "start 192.0.2.7/32 GET 10 +10 @1")
}

func TestAMillionAddressesCostNoMore(t *testing.T) {
	d := episode.New(episode.Limits{}, func(e episode.Event) { t.Errorf("%v", e) })
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range uint32(1_000_000) {
		var addr [4]byte
		binary.BigEndian.PutUint32(addr[:], i*2654435761) // scattered, each once
		d.Add(netip.AddrFrom4(addr), []byte("GET"), start)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if used := int64(after.HeapAlloc) - int64(before.HeapAlloc); used > 10<<20 {
		t.Errorf("%d bytes are in use", used)
	}
	if d.Evicted() < 1_900_000 { // an address and, mostly, a network each
		t.Errorf("%d were evicted", d.Evicted())
	}
	runtime.KeepAlive(d)
}

func TestRestoreRefusesNonsense(t *testing.T) {
	t.Parallel()
	d := episode.New(limits, func(episode.Event) {})
	add(d, "192.0.2.7", "GET", 0, 1)
	saved := map[string][]byte{}
	d.Changes(func(name string, value []byte) { saved[name] = value })
	if len(saved) != 2 {
		t.Fatalf("%d sources were saved", len(saved))
	}
	for _, name := range []string{"", "192.0.2.7/32", "192.0.2.7/24 GET", "192.0.2.7/32 BREW", "x GET"} {
		if d.Restore(name, nil) == nil {
			t.Errorf("%q was restored", name)
		}
	}
	for name, value := range saved {
		other := episode.New(episode.Limits{Window: time.Minute}, func(episode.Event) {})
		if other.Restore(name, value) == nil {
			t.Errorf("%s of another window was restored", name)
		}
		if episode.New(limits, nil).Restore(name, value[:3]) == nil {
			t.Errorf("%s was restored from a part", name)
		}
		forgotten := false
		other.Changes(func(changed string, value []byte) { forgotten = forgotten || changed == name && value == nil })
		if !forgotten {
			t.Errorf("%s, which cannot be restored, stays saved", name)
		}
	}
}

// What is saved of a source is a window of 15 steps of 2 s, the last step, the requests of its flood,
// how many were reported and at which step, and the counts from the last step backwards.
func TestRestoreRefusesNonsenseOfASource(t *testing.T) {
	t.Parallel()
	full := slices.Repeat([]byte{1}, 15)
	for _, test := range []struct {
		value []byte
		ok    bool
	}{
		{[]byte{2, 15, 1, 0, 0, 0, 1, 1}, true},
		{[]byte{2, 15, 1, 0, 0, 0, 1, 1, 1}, false}, // a count before 1970
		{append([]byte{2, 15, 100, 0, 0, 0}, full...), true},
		{append([]byte{2, 15, 100, 0, 0, 0, 1}, full...), false}, // more counts than steps
		{[]byte{2, 15, 9, 7, 7, 9, 1}, true},
		{append(binary.AppendUvarint([]byte{2, 15, 9}, attack.MaxEpisode), 0, 0), true},
		{append(binary.AppendUvarint([]byte{2, 15, 9}, attack.MaxEpisode+1), 0, 0), false},
		{[]byte{2, 15, 9, 7, 8, 9, 1}, false},  // more is reported than there was
		{[]byte{2, 15, 9, 7, 7, 10, 1}, false}, // at a step that has not come
		{[]byte{1, 15, 9, 0, 0, 0, 1}, false},
		{[]byte{2, 14, 9, 0, 0, 0, 1}, false},
		{[]byte{2, 15, 9, 0, 0, 0, 0x80}, false}, // half a number
		{[]byte{2, 15, 9, 0, 0}, false},
	} {
		d := episode.New(limits, func(episode.Event) {})
		if err := d.Restore("192.0.2.7/32 GET", test.value); (err == nil) != test.ok {
			t.Errorf("%v is restored with error %v", test.value, err)
		}
	}
}

func FuzzRestore(f *testing.F) {
	f.Add("192.0.2.7/32 GET", []byte{2, 15, 9, 0, 0, 0, 1})
	f.Add("2001:db8::/64 other", []byte{2, 15, 200, 1, 20, 10, 7, 1, 2, 3})
	f.Fuzz(func(t *testing.T, name string, value []byte) {
		d := episode.New(limits, func(episode.Event) {})
		if d.Restore(name, value) != nil {
			return
		}
		d.Changes(func(string, []byte) { t.Error("what was restored is saved again") })
		for second := range 100 {
			add(d, "192.0.2.7", "GET", second, 1)
		}
		d.Finish()
	})
}

func BenchmarkAdd(b *testing.B) {
	addrs := make([]netip.Addr, 500)
	for i := range addrs {
		addrs[i] = netip.AddrFrom4([4]byte{198, 51, byte(i), byte(i * 7)})
	}
	d := episode.New(episode.Limits{}, func(episode.Event) {})
	get := []byte("GET")
	i := 0
	for b.Loop() {
		d.Add(addrs[i%len(addrs)], get, start.Add(time.Duration(i/50)*time.Second))
		i++
	}
}
