package policy_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/pialert/pialert/agent/internal/policy"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/config"
)

// nobody protects those whom a test names.
type nobody map[netip.Prefix]string

func (n nobody) Why(source netip.Prefix) (string, bool) {
	why, ok := n[source]
	return why, ok
}

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// court is a policy and the clock of its events.
type court struct {
	*policy.Policy
	t   *testing.T
	now time.Time
}

func open(t *testing.T, change func(*policy.Config), never policy.Never) *court {
	t.Helper()
	c := policy.Defaults()
	if change != nil {
		change(&c)
	}
	if problems := c.Validate(); len(problems) > 0 {
		t.Fatal(problems)
	}
	if never == nil {
		never = nobody{}
	}
	return &court{policy.New(c, never), t, noon}
}

// attempts lets an address try n times, one a second, and returns the decisions as text.
func (c *court) attempts(address string, kind attack.Kind, n int) (decided []string) {
	c.t.Helper()
	for range n {
		c.now = c.now.Add(time.Second)
		decisions, _ := c.Event(&attack.Event{
			Kind: kind, Severity: kind.Severity(), Observed: c.now, Count: 1, SourceIP: netip.MustParseAddr(address), Rule: "r",
		})
		for _, d := range decisions {
			decided = append(decided, fmt.Sprintf("%s for %s", d.Target, d.For))
		}
	}
	return decided
}

func (c *court) wants(got []string, want ...string) {
	c.t.Helper()
	if !slices.Equal(got, want) {
		c.t.Errorf("decided %q, want %q", got, want)
	}
}

func TestFiveAttemptsBanForAnHour(t *testing.T) {
	c := open(t, nil, nil)
	c.wants(c.attempts("9.9.9.9", attack.SSHLogin, 4))
	c.wants(c.attempts("9.9.9.9", attack.SSHLogin, 1), "9.9.9.9/32 for 1h0m0s")
}

func TestADecisionSaysWhatItRestsOn(t *testing.T) {
	c := open(t, nil, nil)
	c.attempts("9.9.9.9", attack.SSHLogin, 4)
	decisions, _ := c.Event(&attack.Event{
		Kind: attack.SSHLogin, Observed: c.now.Add(time.Second), Count: 3, SourceIP: netip.MustParseAddr("9.9.9.9"), Rule: "sshd-failed-password", Log: "auth.log",
	})
	want := policy.Evidence{
		Kind: attack.SSHLogin, Rule: "sshd-failed-password", Log: "auth.log",
		First: noon.Add(time.Second), Last: noon.Add(5 * time.Second),
	}
	if len(decisions) != 1 || decisions[0].Evidence != want || decisions[0].Reason != "7 attempts within 4s, the last one ssh_login" {
		t.Errorf("decided %+v, want %+v", decisions, want)
	}
}

func TestAttemptsOutsideTheSpanDoNotCount(t *testing.T) {
	c := open(t, nil, nil)
	for range 20 {
		c.wants(c.attempts("9.9.9.9", attack.SSHLogin, 1))
		c.now = c.now.Add(3 * time.Minute) // four within ten minutes
	}
	c.wants(c.attempts("9.9.9.9", attack.SSHLogin, 1))
	c.wants(c.attempts("9.9.9.9", attack.SSHLogin, 1), "9.9.9.9/32 for 1h0m0s")
}

func TestBansGrowUpToTheMost(t *testing.T) {
	c := open(t, nil, nil)
	for _, want := range []string{"1h0m0s", "2h0m0s", "4h0m0s", "8h0m0s", "16h0m0s", "32h0m0s", "64h0m0s", "128h0m0s", "168h0m0s", "168h0m0s"} {
		c.wants(c.attempts("9.9.9.9", attack.SSHLogin, 5), "9.9.9.9/32 for "+want)
		span, _ := time.ParseDuration(want)
		c.now = c.now.Add(span)
	}
}

// Thousands of bans of one source make a number that no duration holds.
func TestGrowthDoesNotOverflow(t *testing.T) {
	c := open(t, func(c *policy.Config) { c.Ban.Growth = 100; c.Network.After = 0 }, nil)
	for range 400 {
		for _, decided := range c.attempts("9.9.9.9", attack.HTTPExploit, 1) {
			if decided != "9.9.9.9/32 for 1h0m0s" && decided != "9.9.9.9/32 for 100h0m0s" && decided != "9.9.9.9/32 for 168h0m0s" {
				t.Fatal(decided)
			}
		}
		c.now = c.now.Add(7 * 24 * time.Hour)
	}
}

func TestABannedSourceIsNotBannedAgain(t *testing.T) {
	c := open(t, nil, nil)
	c.wants(c.attempts("9.9.9.9", attack.SSHLogin, 100), "9.9.9.9/32 for 1h0m0s")
}

func TestKindsHaveTheirOwnNumbers(t *testing.T) {
	zero := 0
	c := open(t, func(c *policy.Config) { c.Kinds["http_probe"] = policy.Kind{After: &zero} }, nil)
	c.wants(c.attempts("9.9.9.1", attack.HTTPExploit, 1), "9.9.9.1/32 for 1h0m0s")
	c.wants(c.attempts("9.9.9.2", attack.HTTPFlood, 1), "9.9.9.2/32 for 15m0s")
	c.wants(c.attempts("9.9.9.3", attack.WordPressLogin, 7))
	c.wants(c.attempts("9.9.9.3", attack.WordPressLogin, 1), "9.9.9.3/32 for 1h0m0s")
	c.wants(c.attempts("9.9.9.4", attack.HTTPProbe, 1000))
	for _, kind := range []attack.Kind{attack.Ban, attack.Unban, attack.Test, attack.Visit, attack.LocalAuth, attack.Counter, attack.Fault} {
		c.wants(c.attempts("9.9.9.5", kind, 100))
	}
}

// Attempts of several kinds add up, each by its own number.
func TestKindsAddUp(t *testing.T) {
	c := open(t, nil, nil)
	c.wants(c.attempts("9.9.9.9", attack.WordPressLogin, 4)) // a half
	c.wants(c.attempts("9.9.9.9", attack.SSHLogin, 2))       // two fifths
	c.wants(c.attempts("9.9.9.9", attack.SSHLogin, 1), "9.9.9.9/32 for 1h0m0s")
}

func TestIPv6CountsByItsNetworkOfOne(t *testing.T) {
	c := open(t, nil, nil)
	for i := range 4 {
		c.wants(c.attempts(fmt.Sprintf("2a00:1:2:3::%d", i), attack.SSHLogin, 1))
	}
	c.wants(c.attempts("2a00:1:2:3:ffff::1", attack.SSHLogin, 1), "2a00:1:2:3::/64 for 1h0m0s")
	c.wants(c.attempts("2a00:1:2:4::1", attack.SSHLogin, 4))
	c.wants(c.attempts("::ffff:9.9.9.9", attack.SSHLogin, 5), "9.9.9.9/32 for 1h0m0s")
}

func TestFiveBannedNeighboursBanTheirNetwork(t *testing.T) {
	c := open(t, nil, nil)
	for i := range 4 {
		c.attempts(fmt.Sprintf("9.9.9.%d", i), attack.SSHLogin, 5)
	}
	c.wants(c.attempts("9.9.8.1", attack.SSHLogin, 5), "9.9.8.1/32 for 1h0m0s")
	c.wants(c.attempts("9.9.9.200", attack.SSHLogin, 5), "9.9.9.200/32 for 1h0m0s", "9.9.9.0/24 for 1h0m0s")
	c.wants(c.attempts("9.9.9.201", attack.SSHLogin, 5), "9.9.9.201/32 for 1h0m0s") // the network is banned already
}

func TestNobodyIsBannedWhomNeverProtects(t *testing.T) {
	c := open(t, nil, nobody{netip.MustParsePrefix("9.9.9.9/32"): "the allow list"})
	c.wants(c.attempts("9.9.9.9", attack.SSHLogin, 100))
	_, spared := c.Event(&attack.Event{Kind: attack.SSHLogin, Observed: c.now, Count: 1, SourceIP: netip.MustParseAddr("9.9.9.9")})
	if spared == nil || spared.Why != "the allow list" {
		t.Errorf("spared %+v", spared)
	}
}

// An owner who logged in last month and mistypes today is not locked out, nor are those beside him.
func TestWhoLoggedInIsNotBanned(t *testing.T) {
	c := open(t, nil, nil)
	c.attempts("9.9.9.9", attack.SSHAccepted, 1)
	c.now = c.now.AddDate(0, 0, 29)
	c.wants(c.attempts("9.9.9.9", attack.SSHLogin, 100))
	for i := range 8 {
		c.wants(c.attempts(fmt.Sprintf("9.9.9.%d", i), attack.SSHLogin, 5), fmt.Sprintf("9.9.9.%d/32 for 1h0m0s", i))
	}
	c.now = c.now.AddDate(0, 0, 2)
	c.wants(c.attempts("9.9.9.9", attack.SSHLogin, 5), "9.9.9.9/32 for 1h0m0s")
}

func TestEventsWithoutAnAddressBanNobody(t *testing.T) {
	c := open(t, nil, nil)
	for range 100 {
		d, _ := c.Event(&attack.Event{Kind: attack.SSHLogin, Observed: c.now, Count: 5, SourceHost: "9.9.9.9"})
		d2, _ := c.Event(&attack.Event{Kind: attack.SSHLogin, Observed: c.now, Count: 5, SourceIP: netip.MustParseAddr("9.9.9.9"), Test: true})
		if len(d)+len(d2) > 0 {
			t.Fatalf("decided %+v %+v", d, d2)
		}
	}
}

// After an absence, attempts count when they were made: who attacked a day ago is not banned now,
// and who attacked half an hour ago for half an hour.
func TestOldAttempts(t *testing.T) {
	for _, test := range []struct {
		ago  time.Duration
		want []time.Duration
	}{{24 * time.Hour, nil}, {30 * time.Minute, []time.Duration{30 * time.Minute}}} {
		c := open(t, nil, nil)
		var got []time.Duration
		for range 5 {
			decisions, _ := c.Event(&attack.Event{
				Kind: attack.SSHLogin, Logged: noon.Add(-test.ago), Observed: noon, Count: 1, SourceIP: netip.MustParseAddr("9.9.9.9"),
			})
			for _, d := range decisions {
				got = append(got, d.For)
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("attempts of %s ago: bans for %v, want %v", test.ago, got, test.want)
		}
	}
}

// Whoever attacked while the clock was a year ahead is banned when he goes on at the right time, and his network
// with him; and so is he when the clock goes forward.
func TestTheClockIsSet(t *testing.T) {
	for _, years := range []int{-1, 1} {
		c := open(t, func(c *policy.Config) { c.Network.After = 2 }, nil)
		c.wants(c.attempts("9.9.9.8", attack.SSHLogin, 5), "9.9.9.8/32 for 1h0m0s")
		c.wants(c.attempts("9.9.9.9", attack.SSHLogin, 5), "9.9.9.9/32 for 1h0m0s", "9.9.9.0/24 for 1h0m0s")
		c.attempts("9.9.8.8", attack.SSHLogin, 4)
		c.now = c.now.AddDate(years, 0, 0)
		c.wants(c.attempts("9.9.8.8", attack.SSHLogin, 5), "9.9.8.8/32 for 1h0m0s")
		again := "for 2h0m0s"
		if years > 0 {
			again = "for 1h0m0s" // a year later nothing is remembered
		}
		c.wants(c.attempts("9.9.9.8", attack.SSHLogin, 5), "9.9.9.8/32 "+again)
		c.wants(c.attempts("9.9.9.9", attack.SSHLogin, 5), "9.9.9.9/32 "+again, "9.9.9.0/24 "+again)
	}
}

// A policy that was saved and restored decides as the one that went on, also about those who had made
// some attempts only.
func TestRestore(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	c := open(t, nil, nil)
	address := func() string { return fmt.Sprintf("9.9.%d.%d", random.IntN(3), random.IntN(8)) }
	for range 500 {
		kind := attack.SSHLogin
		if random.IntN(50) == 0 {
			kind = attack.SSHAccepted
		}
		c.attempts(address(), kind, 5)
		c.now = c.now.Add(time.Duration(random.IntN(60)) * time.Minute)
	}
	c.now = c.now.Add(time.Hour)
	for y := range 8 {
		c.attempts(fmt.Sprintf("9.9.1.%d", y), attack.SSHLogin, y%5)
	}
	restored := open(t, func(c *policy.Config) { c.Network.After = 0 }, nil)
	c.Changes(func(key string, value []byte) {
		if err := restored.Restore(key, value); err != nil {
			t.Error(err)
		}
	})
	c.Changes(func(key string, value []byte) { t.Errorf("%s is visited twice", key) })
	restored.now = c.now
	for x := range 3 {
		for y := range 8 {
			who := fmt.Sprintf("9.9.%d.%d", x, y)
			want := slices.DeleteFunc(c.attempts(who, attack.SSHLogin, 5), isNetwork)
			restored.wants(restored.attempts(who, attack.SSHLogin, 5), want...)
		}
	}
}

func isNetwork(decided string) bool {
	var a, b, c, d, bits int
	fmt.Sscanf(decided, "%d.%d.%d.%d/%d", &a, &b, &c, &d, &bits)
	return bits != 32
}

// However many there are that try, memory is bounded, and none of them takes the room of one that was banned. Those
// that tried and left are forgotten.
func TestMemoryIsBounded(t *testing.T) {
	c := open(t, nil, nil)
	c.attempts("9.9.9.9", attack.SSHLogin, 5)
	for i := range 200_000 {
		addr := netip.AddrFrom4([4]byte{byte(20 + i>>16), byte(i >> 8), byte(i), 1})
		c.Event(&attack.Event{Kind: attack.SSHLogin, Observed: noon.Add(time.Duration(i) * time.Millisecond), Count: 1, SourceIP: addr})
	}
	if n := c.Sources(); n > 1<<14+1 || n < 1<<13 {
		t.Errorf("%d sources are remembered", n)
	}
	last := noon.Add(time.Hour)
	c.Event(&attack.Event{Kind: attack.SSHLogin, Observed: last, Count: 1, SourceIP: netip.MustParseAddr("9.9.9.8")})
	if n := c.Sources(); n != 2 {
		t.Errorf("%d sources are remembered an hour later, want the one that was banned and the last", n)
	}
	c.now = last
	c.wants(c.attempts("9.9.9.9", attack.SSHLogin, 5), "9.9.9.9/32 for 2h0m0s")
}

// However many are banned, the owner's login is not forgotten for them, also over a restart.
func TestAttackersTakeNoRoomOfWhoLoggedIn(t *testing.T) {
	c := open(t, func(c *policy.Config) { c.Network.After = 0 }, nil)
	const owner = "2001:db9:1:1::7"
	c.attempts(owner, attack.SSHAccepted, 1)
	kept := map[string][]byte{}
	for i := range 1<<14 + 3000 {
		addr := netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb9, 9, byte(i >> 16), byte(i >> 8), byte(i)})
		c.Event(&attack.Event{Kind: attack.SSHLogin, Observed: noon.Add(time.Duration(i) * time.Millisecond), Count: 5, SourceIP: addr})
		if i%1000 == 0 {
			c.Changes(func(key string, value []byte) {
				if kept[key] = value; value == nil {
					delete(kept, key)
				}
			})
		}
	}
	if n := c.Sources(); n > 1<<14+2 {
		t.Errorf("%d sources are remembered", n)
	}
	c.now = noon.Add(time.Minute)
	c.wants(c.attempts(owner, attack.SSHLogin, 10))
	again := open(t, func(c *policy.Config) { c.Network.After = 0 }, nil)
	for key, value := range kept {
		if err := again.Restore(key, value); err != nil {
			t.Fatal(err)
		}
	}
	again.now = c.now
	again.wants(again.attempts(owner, attack.SSHLogin, 10))
}

// Whoever has an account of a web site, of a mail server or FTP's anonymous one, which strangers can have, is banned
// for what he does elsewhere.
func TestLoginsToOtherServicesWelcomeNobody(t *testing.T) {
	c := open(t, nil, nil)
	c.attempts("9.9.9.9", attack.LoginAccepted, 1)
	c.wants(c.attempts("9.9.9.9", attack.SSHLogin, 2))
	c.attempts("9.9.9.9", attack.LoginAccepted, 1)
	c.wants(c.attempts("9.9.9.9", attack.SSHLogin, 3), "9.9.9.9/32 for 1h0m0s")
}

func TestWhatCannotBeRestored(t *testing.T) {
	c := open(t, nil, nil)
	for key, value := range map[string]string{"": "{}", "9.9.9.9": "{}", "9.9.9.9/24": "{}", "9.9.9.9/32": "x", "9.9.9.8/32": `{"bans":-1}`, "9.9.9.7/32": `{"score":[-1,0,0,0,0,0,0,0,0,0]}`} {
		if err := c.Restore(key, []byte(value)); err == nil {
			t.Errorf("%q with %s was restored", key, value)
		}
	}
}

func TestLift(t *testing.T) {
	c := open(t, nil, nil)
	c.wants(c.attempts("9.9.9.9", attack.SSHLogin, 5), "9.9.9.9/32 for 1h0m0s")
	c.Lift(netip.MustParsePrefix("9.9.9.9/32"))
	c.wants(c.attempts("9.9.9.9", attack.SSHLogin, 4))
	c.wants(c.attempts("9.9.9.9", attack.SSHLogin, 1), "9.9.9.9/32 for 2h0m0s")
}

// What is taken for banned, who is welcome, and how both are forgotten.
func TestBannedWelcomeAndAcquit(t *testing.T) {
	c := open(t, func(c *policy.Config) { c.Network.After = 2 }, nil)
	c.attempts("9.9.9.1", attack.SSHLogin, 5)
	c.attempts("9.9.9.2", attack.SSHLogin, 5)
	c.attempts("9.9.8.1", attack.SSHLogin, 4)
	c.attempts("9.9.7.1", attack.SSHAccepted, 1)
	var got []string
	for _, target := range c.Banned(c.now) {
		got = append(got, target.String())
	}
	slices.Sort(got)
	c.wants(got, "9.9.9.0/24", "9.9.9.1/32", "9.9.9.2/32")
	for target, want := range map[string]bool{"9.9.7.1/32": true, "9.9.7.2/32": false, "9.9.7.0/24": true, "9.9.9.1/32": false, "9.9.8.0/24": false} {
		if c.Welcome(netip.MustParsePrefix(target), c.now) != want {
			t.Errorf("%s is welcome: %t, want %t", target, !want, want)
		}
	}
	if c.Welcome(netip.MustParsePrefix("9.9.7.1/32"), c.now.AddDate(0, 0, 31)) {
		t.Error("a login of a month ago is remembered")
	}
	c.Acquit()
	if banned := c.Banned(c.now); len(banned) > 0 {
		t.Errorf("acquitted, but %v are banned", banned)
	}
	c.wants(c.attempts("9.9.8.1", attack.SSHLogin, 4))
	c.wants(c.attempts("9.9.9.1", attack.SSHLogin, 5), "9.9.9.1/32 for 1h0m0s") // the first time
	c.wants(c.attempts("9.9.7.1", attack.SSHLogin, 50))
}

func TestValidate(t *testing.T) {
	hundred := -1
	for name, spoil := range map[string]func(*policy.Config){
		"no attempts":         func(c *policy.Config) { c.Ban.After = 0 },
		"no span":             func(c *policy.Config) { c.Ban.Within = 0 },
		"shrinking":           func(c *policy.Config) { c.Ban.Growth = 0.5 },
		"longer than longest": func(c *policy.Config) { c.Ban.For = c.Ban.Most + 1 },
		"unknown kind":        func(c *policy.Config) { c.Kinds["telepathy"] = policy.Kind{} },
		"no attempt":          func(c *policy.Config) { c.Kinds["visit"] = policy.Kind{} },
		"negative":            func(c *policy.Config) { c.Kinds["ssh_login"] = policy.Kind{After: &hundred} },
		"half the internet":   func(c *policy.Config) { c.Network.V4 = 1 },
		"one neighbour":       func(c *policy.Config) { c.Network.After = 1 },
		"short memory":        func(c *policy.Config) { c.Ban.Remember = config.Duration(time.Second) },
	} {
		c := policy.Defaults()
		spoil(&c)
		if len(c.Validate()) != 1 {
			t.Errorf("%s: %v", name, c.Validate())
		}
	}
}
