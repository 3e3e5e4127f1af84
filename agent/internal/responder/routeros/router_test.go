package routeros_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pialert/pialert/agent/internal/responder/routeros"
	"github.com/pialert/pialert/agent/internal/responder/routeros/routerostest"
)

// clock is what both ends take for the time.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// desk is a router, a client of it, and their clock.
type desk struct {
	*clock
	t      *testing.T
	there  *routerostest.Router
	here   *routeros.Router
	config routeros.Options
}

func start(t *testing.T) *desk {
	t.Helper()
	d := &desk{clock: &clock{at: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}, t: t}
	var err error
	if d.there, err = routerostest.Start(d.now); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.there.Close)
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("correct horse\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.config = routeros.Options{
		Address: d.there.Address(), User: "pialert", PasswordFile: file, Certificate: d.there.Certificate(), List: "pialert",
		Comment: "pialert:web1", Now: d.now,
	}
	d.here = routeros.New(d.config)
	return d
}

// bans are sources and for how long each is banned from now on.
func (d *desk) bans(all map[string]time.Duration) (bans []routeros.Ban) {
	for target, span := range all {
		bans = append(bans, routeros.Ban{Target: netip.MustParsePrefix(target), Until: d.now().Add(span)})
	}
	return bans
}

func (d *desk) sync(want int, bans []routeros.Ban) {
	d.t.Helper()
	if changed, err := d.here.Sync(d.t.Context(), bans); err != nil || changed != want {
		d.t.Errorf("changed %d entries, %v; want %d", changed, err, want)
	}
}

// wants compares the router's entries, each as its address, whose it is and how long it lasts.
func (d *desk) wants(want ...string) {
	d.t.Helper()
	var got []string
	for _, e := range d.there.Entries() {
		left := "for ever"
		if !e.Ends.IsZero() {
			left = e.Ends.Sub(d.now()).String()
		}
		got = append(got, strings.Join(strings.Fields(e.Address+" "+e.Comment+" "+left), " "))
	}
	if !slices.Equal(got, want) {
		d.t.Errorf("the router has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestBansBecomeEntries(t *testing.T) {
	for name, change := range map[string]func(*routerostest.Router){
		"as since 7.18":  func(*routerostest.Router) {},
		"without !empty": func(r *routerostest.Router) { r.Empty = false },
		"other spans":    func(r *routerostest.Router) { r.Clock = true },
		"no set":         func(r *routerostest.Router) { r.RefuseSet = true },
	} {
		t.Run(name, func(t *testing.T) {
			d := start(t)
			change(d.there)
			bans := d.bans(map[string]time.Duration{"9.9.9.9/32": time.Hour, "9.9.8.0/24": 25 * time.Hour, "2a00:1:2:3::/64": 90 * time.Minute})
			d.sync(3, bans)
			d.wants("2a00:1:2:3::/64 pialert:web1 1h30m0s", "9.9.8.0/24 pialert:web1 24h0m0s", "9.9.9.9 pialert:web1 1h0m0s")
			d.add(20 * time.Minute)
			d.sync(0, bans)
			d.wants("2a00:1:2:3::/64 pialert:web1 1h10m0s", "9.9.8.0/24 pialert:web1 23h40m0s", "9.9.9.9 pialert:web1 40m0s")
			bans[slices.IndexFunc(bans, func(b routeros.Ban) bool { return b.Target.Bits() == 32 })].Until = d.now().Add(5 * time.Hour)
			if _, err := d.here.Sync(t.Context(), bans); err != nil {
				t.Error(err)
			}
			if _, err := d.here.Sync(t.Context(), bans); err != nil {
				t.Error(err)
			}
			d.wants("2a00:1:2:3::/64 pialert:web1 1h10m0s", "9.9.8.0/24 pialert:web1 23h40m0s", "9.9.9.9 pialert:web1 5h0m0s")
			d.sync(3, nil)
			d.wants()
		})
	}
}

// A ban of a week is an entry of a day, made longer while half of it is left.
func TestEntriesAreRefreshedBeforeTheyEnd(t *testing.T) {
	d := start(t)
	bans := d.bans(map[string]time.Duration{"9.9.9.9/32": 7 * 24 * time.Hour})
	d.sync(1, bans)
	end := d.now().Add(7 * 24 * time.Hour)
	for d.now().Before(end.Add(-time.Hour)) {
		d.add(time.Hour)
		d.sync(0, bans)
		entries := d.there.Entries()
		if len(entries) != 1 {
			t.Fatalf("%s before its end there are %v", end.Sub(d.now()), entries)
		}
		if left := entries[0].Ends.Sub(d.now()); left > 24*time.Hour || left < min(12*time.Hour, end.Sub(d.now()))-time.Minute || entries[0].Ends.After(end.Add(time.Minute)) {
			t.Fatalf("%s before its end the entry has %s", end.Sub(d.now()), left)
		}
	}
	d.add(time.Hour)
	d.wants()
	d.there.Commands()
	d.sync(0, bans)
	if told := d.there.Commands(); slices.Contains(told, "/ip/firewall/address-list/add") {
		t.Errorf("told %q", told)
	}
}

// What others made stays, in the same list and of the same address too, which needs no second entry.
func TestEntriesOfOthersStay(t *testing.T) {
	d := start(t)
	d.there.Put(routerostest.Entry{List: "pialert", Address: "9.9.9.7", Comment: "by hand"})
	d.there.Put(routerostest.Entry{List: "pialert", Address: "9.9.9.8", Comment: "pialert:web2", Ends: d.now().Add(time.Hour)})
	d.there.Put(routerostest.Entry{List: "other", Address: "9.9.9.9", Comment: "pialert:web1"})
	d.there.Put(routerostest.Entry{List: "pialert", Address: "example.org"})
	bans := d.bans(map[string]time.Duration{"9.9.9.7/32": time.Hour, "9.9.9.8/32": 3 * time.Hour})
	d.sync(0, bans)
	d.sync(0, nil)
	d.sync(0, bans)
	d.wants("9.9.9.7 by hand for ever", "9.9.9.8 pialert:web2 1h0m0s", "9.9.9.9 pialert:web1 for ever", "example.org for ever")
	d.add(2 * time.Hour) // web2's ban is over, this one is not
	d.sync(1, d.bans(map[string]time.Duration{"9.9.9.7/32": time.Hour, "9.9.9.8/32": time.Hour}))
	if err := d.here.Remove(t.Context()); err != nil {
		t.Error(err)
	}
	d.wants("9.9.9.7 by hand for ever", "9.9.9.9 pialert:web1 for ever", "example.org for ever")
}

// An entry that somebody makes between reading and adding is no failure.
func TestAlreadyThere(t *testing.T) {
	d := start(t)
	for i := range 200 { // reading takes so long that it is not done again at once
		d.there.Put(routerostest.Entry{List: "pialert", Address: fmt.Sprintf("9.9.9.%d", i), Comment: "by hand"})
	}
	d.there.PerEntry = 100 * time.Microsecond
	slow := d.config
	slow.Now = func() time.Time { d.add(time.Second); return d.now() }
	d.here = routeros.New(slow)
	d.sync(0, nil)
	d.there.Put(routerostest.Entry{List: "pialert", Address: "9.9.8.1", Comment: "by hand"})
	bans := d.bans(map[string]time.Duration{"9.9.8.1/32": time.Hour, "9.9.8.2/32": time.Hour})
	d.sync(1, bans)
	d.sync(0, bans)
	n := 0
	for _, e := range d.there.Entries() {
		if strings.HasPrefix(e.Address, "9.9.8.") {
			n++
		}
	}
	if n != 2 {
		t.Errorf("%d entries, want one of each", n)
	}
}

// After a reboot everything is put back, over a new connection.
func TestReboot(t *testing.T) {
	d := start(t)
	bans := d.bans(map[string]time.Duration{"9.9.9.9/32": time.Hour, "2a00:1:2:3::/64": time.Hour})
	d.sync(2, bans)
	d.there.Reboot()
	d.wants()
	if _, err := d.here.Sync(t.Context(), bans); err == nil {
		t.Error("a connection that was cut is no failure")
	}
	d.sync(2, bans)
	d.wants("2a00:1:2:3::/64 pialert:web1 1h0m0s", "9.9.9.9 pialert:web1 1h0m0s")
}

// A router that ends the connection with !fatal, whatever it was asked just then, says so once, and has all over
// the next one.
func TestFatal(t *testing.T) {
	for sentence := 1; sentence <= 6; sentence++ { // the login, two lists, three entries
		d := start(t)
		bans := d.bans(map[string]time.Duration{"9.9.9.8/32": time.Hour, "9.9.9.9/32": time.Hour, "2a00:1:2:3::/64": time.Hour})
		d.there.EndAfter(sentence)
		if _, err := d.here.Sync(t.Context(), bans); err == nil || !strings.Contains(err.Error(), "session terminated on request") {
			t.Errorf("!fatal in place of answer %d: %v", sentence, err)
		}
		if _, err := d.here.Sync(t.Context(), bans); err != nil {
			t.Errorf("after !fatal in place of answer %d: %v", sentence, err)
		}
		d.wants("2a00:1:2:3::/64 pialert:web1 1h0m0s", "9.9.9.8 pialert:web1 1h0m0s", "9.9.9.9 pialert:web1 1h0m0s")
	}
}

// What somebody takes away or changes by hand is put right at the next look.
func TestForeignChangesAreRepaired(t *testing.T) {
	d := start(t)
	bans := d.bans(map[string]time.Duration{"9.9.9.8/32": time.Hour, "9.9.9.9/32": time.Hour})
	d.sync(2, bans)
	d.there.Take("9.9.9.9")
	d.there.Put(routerostest.Entry{List: "pialert", Address: "9.9.9.7", Comment: "pialert:web1"})
	d.there.Take("9.9.9.8")
	d.there.Put(routerostest.Entry{List: "pialert", Address: "9.9.9.8", Comment: "pialert:web1", Disabled: true, Ends: d.now().Add(time.Hour)})
	d.add(10 * time.Second)
	d.sync(4, bans)
	d.wants("9.9.9.8 pialert:web1 59m50s", "9.9.9.9 pialert:web1 59m50s")
}

// A list of ten thousand takes a router long, and is not read again and again; what changes is told at
// once.
func TestSlowLists(t *testing.T) {
	d := start(t)
	d.config.Now = nil // this is about how long things take
	real := time.Now()
	d.add(real.Sub(d.now()))
	d.here = routeros.New(d.config)
	var bans []routeros.Ban
	for i := range 10_000 {
		addr := netip.AddrFrom4([4]byte{20, byte(i >> 8), byte(i), 1})
		bans = append(bans, routeros.Ban{Target: netip.PrefixFrom(addr, 32), Until: real.Add(20 * time.Hour)})
		if i < 9_990 {
			d.there.Put(routerostest.Entry{List: "pialert", Address: addr.String(), Comment: "pialert:web1", Ends: real.Add(20 * time.Hour)})
		}
	}
	d.there.PerEntry = 50 * time.Microsecond
	d.sync(10, bans)
	d.there.Commands()
	d.sync(0, bans)
	d.sync(5, bans[5:])
	if told := d.there.Commands(); len(told) != 5 {
		t.Errorf("told %d commands, want five: %q", len(told), told[:min(len(told), 10)])
	}
	if n := len(d.there.Entries()); n != 9_995 {
		t.Errorf("%d entries", n)
	}
}

// A router without IPv6 has IPv4 all the same, and says so only if somebody needs the other.
func TestNoIPv6(t *testing.T) {
	d := start(t)
	d.there.NoIPv6 = true
	d.sync(1, d.bans(map[string]time.Duration{"9.9.9.9/32": time.Hour}))
	changed, err := d.here.Sync(t.Context(), d.bans(map[string]time.Duration{"9.9.9.8/32": time.Hour, "2a00:1:2:3::/64": time.Hour}))
	if changed != 2 || err == nil || !strings.Contains(err.Error(), "no such command prefix") {
		t.Errorf("changed %d, %v", changed, err)
	}
	d.wants("9.9.9.8 pialert:web1 1h0m0s")
}

func TestWhoIsNotSpokenTo(t *testing.T) {
	for want, spoil := range map[string]func(d *desk){
		"the router's certificate is another one: it has the fingerprint sha256:": func(d *desk) { d.config.Certificate[3] ^= 1 },
		"cannot log in as pialert: the router says: invalid user name":            func(d *desk) { d.there.Password = "another" },
		"others can read": func(d *desk) {
			if err := os.Chmod(d.config.PasswordFile, 0o604); err != nil {
				t.Fatal(err)
			}
		},
		"cannot read the router's password": func(d *desk) { d.config.PasswordFile = "/nonexistent" },
		"connection refused":                func(d *desk) { d.there.Close() },
	} {
		d := start(t)
		spoil(d)
		d.here = routeros.New(d.config)
		if _, err := d.here.Sync(t.Context(), d.bans(map[string]time.Duration{"9.9.9.9/32": time.Hour})); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		d.wants()
	}
}

// A router that does not answer is left when the time is over.
func TestHang(t *testing.T) {
	d := start(t)
	d.there.Hang = true
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := d.here.Sync(ctx, nil); err == nil || !strings.Contains(err.Error(), "cannot log in") {
		t.Errorf("%v", err)
	}
}

// Whatever is wanted, whatever happens to the router, it holds in the end what is wanted, and what
// others put there.
func TestAnything(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	d := start(t)
	foreign := map[string]bool{}
	want := map[string]time.Time{}
	for step := range 400 {
		address := fmt.Sprintf("9.9.9.%d", random.IntN(12))
		switch random.IntN(9) {
		case 0:
			d.there.Reboot()
		case 1:
			if d.there.Take(address); foreign[address] {
				delete(foreign, address)
			}
		case 2:
			if !foreign[address] && want[address].IsZero() {
				d.there.Take(address)
				d.there.Put(routerostest.Entry{List: "pialert", Address: address})
				foreign[address] = true
			}
		case 3:
			d.add(time.Duration(random.IntN(int(5 * time.Hour))))
		case 4:
			delete(want, address)
		default:
			want[address] = d.now().Add(time.Duration(random.IntN(int(48*time.Hour))) + time.Second)
		}
		var bans []routeros.Ban
		for address, until := range want {
			bans = append(bans, routeros.Ban{Target: netip.MustParsePrefix(address + "/32"), Until: until})
		}
		var err error
		for range 3 { // a connection may have been cut; an entry may have been made meanwhile
			d.add(time.Second)
			_, err = d.here.Sync(t.Context(), bans)
		}
		if err != nil {
			t.Fatalf("step %d: %v", step, err)
		}
		got := map[string]bool{}
		for _, e := range d.there.Entries() {
			got[e.Address] = true
			if until := want[e.Address]; e.Comment != "" && e.Ends.After(until.Add(time.Minute)) {
				t.Fatalf("step %d: %s ends %s, want %s", step, e.Address, e.Ends, until)
			}
		}
		for address, until := range want {
			if until.After(d.now().Add(time.Second)) && !got[address] {
				t.Fatalf("step %d: %s is not held off", step, address)
			}
			delete(got, address)
		}
		for address := range foreign {
			if !got[address] && want[address].IsZero() {
				t.Fatalf("step %d: the entry of %s is gone, which another made", step, address)
			}
			delete(got, address)
		}
		if len(got) > 0 {
			t.Fatalf("step %d: nobody wants %v", step, got)
		}
	}
}
