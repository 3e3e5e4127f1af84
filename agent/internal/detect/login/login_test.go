package login

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/pialert/pialert/pkg/attack"
)

// now is the time of the tests, in seconds since 1970.
const (
	day = 24 * 3600
	now = 1_700_000_000
)

var (
	home  = netip.MustParseAddr("198.51.100.7")
	other = netip.MustParseAddr("198.51.100.200") // of the same network
	away  = netip.MustParseAddr("192.0.2.1")
	none  netip.Addr
)

// restarted returns a History that knows what another one saved.
func restarted(t *testing.T, h *History, saved map[string][]byte) *History {
	t.Helper()
	h.Changes(func(key string, value []byte) {
		if saved[key] = value; value == nil {
			delete(saved, key)
		}
	})
	next := New()
	for key, value := range saved {
		if err := next.Restore(key, value); err != nil {
			t.Fatal(err)
		}
	}
	return next
}

func TestJudgements(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		before func(h *History)
		addr   netip.Addr
		want   attack.Severity
	}{
		{"nothing known", func(*History) {}, home, attack.Medium},
		{"from where the user came before", func(h *History) { h.Accepted("sshd", home, "alice", now) }, other, attack.Info},
		{"from where the user came long ago", func(h *History) { h.Accepted("sshd", home, "alice", now-200*day) }, home, attack.Medium},
		{"from where another user came", func(h *History) { h.Accepted("sshd", home, "bob", now) }, home, attack.Medium},
		{"to another service", func(h *History) { h.Accepted("dovecot", home, "alice", now) }, home, attack.Medium},
		{"learnt", func(h *History) { h.Learn(Known{"sshd", "alice", Network(home), now - 20*day}) }, home, attack.Info},
		{"after a failure", func(h *History) { h.Failed(away, "x", 1, now) }, away, attack.High},
		{"after a failure of the network", func(h *History) { h.Failed(other, "x", 1, now) }, home, attack.High},
		{"after a failure of yesterday", func(h *History) { h.Failed(away, "x", 1, now-day-1) }, away, attack.Medium},
		{"from where the user came half a year ago", func(h *History) { h.Accepted("sshd", home, "alice", now+10-180*day) }, home, attack.Info},
		{"from where the user came a second longer ago", func(h *History) { h.Accepted("sshd", home, "alice", now+9-180*day) }, home, attack.Medium},
		{"after a failure a day ago", func(h *History) { h.Failed(away, "x", 1, now+10-day) }, away, attack.High},
		{"after a failure a second longer ago", func(h *History) { h.Failed(away, "x", 1, now+9-day) }, away, attack.Medium},
		{"after failures at home that add up within a day", func(h *History) {
			h.Accepted("sshd", home, "alice", now-2*day)
			h.Failed(home, "root", 2, now-day)
			h.Failed(home, "root", 1, now)
		}, home, attack.High},
		{"after failures at home that are more than a day apart", func(h *History) {
			h.Accepted("sshd", home, "alice", now-2*day)
			h.Failed(home, "root", 2, now-day-1)
			h.Failed(home, "root", 1, now)
		}, home, attack.Info},
		{"after a typo at home", func(h *History) { h.Accepted("sshd", home, "alice", now); h.Failed(home, "alice", 2, now) }, home, attack.Info},
		{"after many failures at home", func(h *History) { h.Accepted("sshd", home, "alice", now); h.Failed(home, "root", 3, now) }, home, attack.High},
		{"after failures at home that add up", func(h *History) {
			h.Accepted("sshd", home, "alice", now)
			h.Failed(home, "root", 2, now-3600)
			h.Failed(home, "root", 1, now)
		}, home, attack.High},
		{"local", func(*History) {}, none, attack.Info},
		{"local, after a typo", func(h *History) { h.Failed(none, "alice", 1, now) }, none, attack.Info},
		{"local, after failures", func(h *History) { h.Failed(none, "alice", 3, now) }, none, attack.High},
		{"local, after another's failures", func(h *History) { h.Failed(none, "bob", 3, now) }, none, attack.Info},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := New()
			test.before(h)
			h = restarted(t, h, map[string][]byte{})
			if got := h.Accepted("sshd", test.addr, "alice", now+10); got.Severity != test.want || got.Reason == "" && test.want != attack.Info {
				t.Errorf("%+v, want %v", got, test.want)
			}
		})
	}
}

func TestReasons(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		addr     netip.Addr
		attempts uint64
		want     string
	}{
		{away, 0, "the first login from 192.0.2.0/24"},
		{away, 1, "after a failure from 192.0.2.0/24"},
		{away, 2, "after 2 failures from 192.0.2.0/24"},
		{none, 3, "after 3 failures from this user"},
		{netip.MustParseAddr("::ffff:192.0.2.7"), 1, "after a failure from 192.0.2.0/24"},
		{netip.MustParseAddr("2001:db8:0:1:ff::7"), 1, "after a failure from 2001:db8:0:1::/64"},
	} {
		h := New()
		if test.attempts > 0 {
			h.Failed(test.addr, "alice", test.attempts, now)
		}
		if got := h.Accepted("sshd", test.addr, "alice", now).Reason; got != test.want {
			t.Errorf("%v after %d failures: %q, want %q", test.addr, test.attempts, got, test.want)
		}
	}
}

// Of a bounded number of entries the one that was entered first gives way, however often it was changed
// since, and what changed is told once.
func TestWhatWasEnteredFirstGoes(t *testing.T) {
	t.Parallel()
	b := newBounded[string, int](3)
	changed := func() string {
		var all []string
		b.changes(func(k string, v int, ok bool) { all = append(all, fmt.Sprint(k, v, " ", ok)) })
		slices.Sort(all)
		return strings.Join(all, ", ")
	}
	for i, k := range []string{"a", "b", "c"} {
		b.put(k, i)
	}
	if got := changed(); got != "a0 true, b1 true, c2 true" {
		t.Errorf("at first changed %s", got)
	}
	if got := changed(); got != "" {
		t.Errorf("without a change changed %s", got)
	}
	for i, step := range []struct{ put, changed string }{
		{"a", "a0 true"}, {"d", "a0 false, d1 true"}, {"a", "a2 true, b0 false"}, {"e", "c0 false, e3 true"}, {"f", "d0 false, f4 true"}, {"a", "a5 true"},
		{"g", "a0 false, g6 true"},
	} {
		b.put(step.put, i)
		if got := changed(); got != step.changed {
			t.Errorf("behind %s, number %d, changed %s, want %s", step.put, i, got, step.changed)
		}
	}
	if _, ok := b.get("b"); ok || len(b.entries) != 3 {
		t.Errorf("%d entries are left, b among them: %v", len(b.entries), ok)
	}
}

// An intruder who got in after failures is no more known for it on the next day.
func TestIntrudersDoNotBecomeKnown(t *testing.T) {
	t.Parallel()
	h := New()
	h.Failed(away, "root", 5, now)
	if first := h.Accepted("sshd", away, "root", now+1); first.Severity != attack.High || len(h.Known()) != 0 {
		t.Errorf("%+v, known %v", first, h.Known())
	}
	if again := h.Accepted("sshd", away, "root", now+2*day); again.Severity != attack.Medium {
		t.Errorf("two days later: %+v", again)
	}
}

// What one History knows another one can be taught.
func TestLearning(t *testing.T) {
	t.Parallel()
	h, taught := New(), New()
	h.Accepted("sshd", home, "alice", now)
	h.Accepted("sshd", away, "alice", now)
	for _, known := range h.Known() {
		taught.Learn(known)
	}
	if len(taught.Known()) != 2 || taught.Accepted("sshd", home, "alice", now).Severity != attack.Info {
		t.Errorf("%v", taught.Known())
	}
}

// However many networks fail and however many users get in, memory and what is saved stay bounded.
func TestBounds(t *testing.T) {
	t.Parallel()
	h, saved := New(), map[string][]byte{}
	for i := range MaxFailed + 1000 {
		addr := netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 1})
		h.Accepted("sshd", addr, fmt.Sprint("user", i), 0)
		h.Failed(addr, "", 1, 0)
		if i%1000 == 0 {
			h.Changes(func(key string, value []byte) {
				if saved[key] = value; value == nil {
					delete(saved, key)
				}
			})
		}
	}
	restarted(t, h, saved)
	if len(h.failed.entries) != MaxFailed || len(h.known.entries) != MaxKnown || len(saved) != MaxFailed+MaxKnown {
		t.Errorf("%d networks, %d visits and %d values", len(h.failed.entries), len(h.known.entries), len(saved))
	}
}

func TestRestoreRefusesNonsense(t *testing.T) {
	t.Parallel()
	for key, value := range map[string][]byte{
		"":                                  {2},
		"another\x00192.0.2.0/24\x00x\x00y": {2},
		"failed\x00":                        {1, 2}, // of nobody
		"failed\x00nonsense\x00":            {1, 2},
		"failed\x00192.0.2.0/24\x00":        {1}, // half of it
		"failed\x00192.0.2.1/24\x00":        {1, 2, 3},
		"known\x00\x00sshd\x00alice":        {2}, // from nowhere
		"known\x00x\x00sshd\x00alice":       {2},
		"known\x00192.0.2.0/24\x00s\x00a":   {},
		"known\x00192.0.2.0/24\x00s\x00b":   {2, 2},
	} {
		h := New()
		if h.Restore(key, value) == nil {
			t.Errorf("%q with %v is restored", key, value)
		}
		if len(h.failed.entries)+len(h.known.entries) != 0 {
			t.Errorf("%q with %v left something", key, value)
		}
	}
	for key, value := range map[string][]byte{
		"failed\x00192.0.2.0/24\x00":             {1, 2},
		"failed\x00\x00alice":                    {1, 2}, // a failure on the machine itself
		"known\x00192.0.2.0/24\x00sshd\x00alice": {2},
	} {
		if err := New().Restore(key, value); err != nil {
			t.Errorf("%q with %v: %v", key, value, err)
		}
	}
}

func FuzzRestore(f *testing.F) {
	f.Add("failed\x00192.0.2.0/24\x00", []byte{1, 2})
	f.Add("known\x00192.0.2.0/24\x00sshd\x00alice", []byte{2})
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		h := New()
		if h.Restore(key, value) == nil {
			h.Failed(home, "a", 1, 5)
			h.Accepted("sshd", home, "a", 6)
		}
	})
}
