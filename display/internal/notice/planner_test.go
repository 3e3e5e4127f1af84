package notice

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/config"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// desk is a planner and the clock that it goes by.
type desk struct {
	*planner
	t    *testing.T
	now  time.Time
	next int64
	told []string // subjects and lines, by message
}

func atDesk(t *testing.T, c Config) *desk {
	t.Helper()
	c.Channels = append(c.Channels, ChannelConfig{Name: "phone", Webhook: &Webhook{URL: "https://hooks.example.org/"}})
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	lamp := func(agent string, e *attack.Event) string { return e.Kind.String() + " lamp" }
	return &desk{planner: newPlanner(c, time.UTC, lamp, nil, noon), t: t, now: noon}
}

// rules is the default configuration with one rule.
func rules(when When) Config {
	c := Defaults()
	c.Rules = []RuleConfig{{To: []string{"phone"}, When: &when}}
	return c
}

// event feeds an event that has just arrived.
func (d *desk) event(kind attack.Kind, change ...func(*attack.Event)) {
	e := attack.Event{
		Kind: kind, Severity: kind.Severity(), Observed: d.now, Count: 1, SourceIP: netip.MustParseAddr("203.0.113.7"), User: "root",
	}
	for _, one := range change {
		one(&e)
	}
	d.next++
	d.feed(&Record{ID: d.next, Agent: "web1", Arrived: d.now, Event: e}, d.now)
}

// pass lets time pass in steps of a second, as the service does, and notes what is told.
func (d *desk) pass(span time.Duration, o ...observed) {
	d.t.Helper()
	var seen observed
	if len(o) > 0 {
		seen = o[0]
	}
	for end := d.now.Add(span); d.now.Before(end); {
		d.now = d.now.Add(time.Second)
		d.tick(seen, d.now)
		for _, one := range d.due(d.now) {
			d.told = append(d.told, strings.Join(append([]string{one.message.Subject}, one.message.Lines...), " | "))
		}
	}
}

func (d *desk) wants(want ...string) {
	d.t.Helper()
	if !slices.Equal(d.told, want) {
		d.t.Errorf("told\n  %s\nwant\n  %s", strings.Join(d.told, "\n  "), strings.Join(want, "\n  "))
	}
	d.told = nil
}

func TestAnEventIsToldOnce(t *testing.T) {
	d := atDesk(t, rules(When{Kinds: []string{"ssh_accepted"}, Severity: "high"}))
	d.event(attack.SSHAccepted) // info only
	d.event(attack.SSHLogin, func(e *attack.Event) { e.Severity = attack.High })
	d.event(attack.SSHAccepted, func(e *attack.Event) { e.Severity = attack.High })
	d.pass(time.Hour)
	d.wants(`1 SSH login of "root" from 203.0.113.7 on web1`)
}

func TestEventsThatAPersonFiredAreNoNews(t *testing.T) {
	d := atDesk(t, rules(When{Severity: "info"}))
	d.event(attack.SSHLogin, func(e *attack.Event) { e.Test = true })
	d.event(attack.Test)
	d.pass(time.Hour)
	d.wants()
}

// However many events match, a rule tells them in as many messages as its bound allows, and their
// numbers are true.
func TestAFloodIsToldInFewMessages(t *testing.T) {
	d := atDesk(t, rules(When{Families: []string{"ssh"}}))
	const perSecond, seconds = 100, 1000
	for range seconds {
		for i := range perSecond {
			d.event(attack.SSHLogin, func(e *attack.Event) { e.User = fmt.Sprint("user", i) })
		}
		d.pass(time.Second)
	}
	d.pass(20 * time.Minute)
	if len(d.told) < 2 || len(d.told) > 3 {
		t.Errorf("%d messages in 37 minutes, at most one in ten", len(d.told))
	}
	sum := 0
	for _, one := range d.told {
		var n int
		if _, err := fmt.Sscanf(one, "%d failed SSH logins on web1", &n); err != nil {
			t.Errorf("cannot read %q: %v", one, err)
		}
		sum += n
	}
	if sum != perSecond*seconds {
		t.Errorf("the messages tell of %d events, want %d", sum, perSecond*seconds)
	}
}

func TestNamesAreBoundedAndCountedTogether(t *testing.T) {
	n := names{}
	for i := range 10_000 {
		n.add(fmt.Sprint("user", i), 1)
	}
	for range 50 {
		n.add("root", 1)
	}
	var sum uint64
	for _, row := range n.rows(len(n)) {
		sum += row.Count
	}
	if len(n) > maxNames+1 || sum != 10_050 || n.rows(2)[1].Name != "root" {
		t.Errorf("%d names of %d, first %v", len(n), sum, n.rows(3))
	}
}

func TestARiseIsToldAndItsEnd(t *testing.T) {
	d := atDesk(t, rules(When{Attempts: 500, Within: config.Duration(10 * time.Minute), By: "agent"}))
	d.event(attack.SSHLogin, func(e *attack.Event) { e.Count = 499 })
	d.pass(11 * time.Minute)
	d.wants()
	d.event(attack.SSHLogin, func(e *attack.Event) { e.Count = 400 })
	d.pass(5 * time.Minute)
	d.event(attack.SSHLogin, func(e *attack.Event) { e.Count = 100 })
	d.event(attack.Ban, func(e *attack.Event) { e.Count = 1000 }) // no attempt
	d.pass(30 * time.Minute)
	if len(d.told) != 2 || !strings.Contains(d.told[0], "500 attempts within 10 minutes, agent web1") ||
		!strings.Contains(d.told[1], "over after 500 attempts") {
		t.Errorf("told %q", d.told)
	}
}

func TestARiseCountsApart(t *testing.T) {
	d := atDesk(t, rules(When{Attempts: 10, Within: config.Duration(time.Minute), By: "network"}))
	for i := range 40 { // ten networks, four each
		d.event(attack.SSHLogin, func(e *attack.Event) { e.SourceIP = netip.AddrFrom4([4]byte{198, 51, byte(i % 10), byte(i)}) })
	}
	d.pass(10 * time.Second)
	d.wants()
	d.event(attack.SSHLogin, func(e *attack.Event) { e.Count, e.SourceIP = 6, netip.AddrFrom4([4]byte{198, 51, 3, 200}) })
	d.pass(10 * time.Second)
	if len(d.told) != 1 || !strings.Contains(d.told[0], "10 attempts within 1 minute, network 198.51.3.0/24") {
		t.Errorf("told %q", d.told)
	}
}

func TestRisesAreBounded(t *testing.T) {
	w := windows{}
	for i := range 3 * maxKeys {
		w.add(fmt.Sprint(i), uint64(i%7), noon, time.Minute)
	}
	if len(w) > maxKeys {
		t.Errorf("%d windows", len(w))
	}
}

func TestSilenceAndReturn(t *testing.T) {
	d := atDesk(t, rules(When{Silent: config.Duration(10 * time.Minute)}))
	heard := func(at time.Time) observed {
		return observed{heard: []Heard{{Name: "web1", Since: at, Alive: true}, {Name: "web2", Since: d.now, Alive: true}}}
	}
	last := d.now
	d.pass(9*time.Minute, heard(last))
	d.wants()
	d.pass(10*time.Minute, observed{heard: []Heard{{Name: "web1", Since: last}}})
	d.wants("web1 has been silent for 10 minutes 1 second")
	d.pass(11*time.Minute, observed{heard: []Heard{{Name: "web1", Since: last}}}) // said once
	d.wants()
	d.pass(time.Minute, observed{})                                             // nothing is known of it
	d.pass(time.Minute, observed{heard: []Heard{{Name: "web1", Since: d.now}}}) // the display was started anew, and waits
	d.pass(11*time.Minute, observed{heard: []Heard{{Name: "web1", Since: d.now}}})
	d.wants()
	d.pass(time.Minute, heard(d.now))
	d.wants("web1 is back again")
}

// That a log says nothing is told only where a rule names it.
func TestSilentLogs(t *testing.T) {
	all := observed{heard: []Heard{
		{Name: "web1", Since: noon.Add(time.Hour)},
		{Name: "auth.log of web1", Log: "auth.log", Since: noon},
		{Name: "access.log of web1", Log: "access.log", Since: noon},
	}}
	d := atDesk(t, rules(When{Silent: config.Duration(10 * time.Minute)}))
	d.pass(time.Hour, all)
	d.wants()
	d = atDesk(t, rules(When{Silent: config.Duration(10 * time.Minute), Logs: []string{"auth.log"}}))
	d.pass(time.Hour, all)
	d.wants("auth.log of web1 has been silent for 10 minutes 1 second")
}

func TestDropsAreTold(t *testing.T) {
	d := atDesk(t, rules(When{Dropped: true}))
	d.pass(time.Minute, observed{dropped: []Dropped{{"web1", 100}}}) // from before there was a rule
	d.wants()
	d.pass(time.Minute, observed{dropped: []Dropped{{"web1", 130}}})
	d.wants("web1 had to drop events of 30 attempts: its spool was full while no display was there")
}

// A failing channel is told by the others without a rule for it, and never by itself alone.
func TestAFailedChannelIsToldByTheOthers(t *testing.T) {
	c := rules(When{Severity: "high"})
	c.Channels = []ChannelConfig{{Name: "mail", Webhook: &Webhook{URL: "https://hooks.example.org/"}}}
	d := atDesk(t, c)
	d.tick(observed{health: health{"mail": fails}}, d.now)
	d.now = d.now.Add(gatherTime)
	all := d.due(d.now)
	if len(all) != 1 || !slices.Equal(all[0].to, []string{"phone"}) || !strings.HasPrefix(all[0].message.Subject, "notices by mail have failed for an hour") {
		t.Errorf("told %+v", all)
	}
	d.pass(time.Hour, observed{}) // nothing is known of it: its messages may have been given up
	d.wants()
	d.pass(time.Hour, observed{health: health{"mail": works}})
	d.wants("notices by mail arrive again")
}

func TestQuietTimesHoldBack(t *testing.T) {
	c := rules(When{Families: []string{"other"}})
	from, _ := ParseClock("22:00")
	to, _ := ParseClock("07:00")
	c.Quiet = []Quiet{{From: from, To: to, But: "high"}}
	d := atDesk(t, c)
	d.now = time.Date(2026, 11, 21, 23, 0, 0, 0, time.UTC)
	d.event(attack.HTTPProbe)
	d.pass(time.Minute)
	d.wants()
	d.event(attack.HTTPExploit) // high
	d.pass(time.Minute)
	if len(d.told) != 1 || !strings.Contains(d.told[0], "1 web exploit, 1 web probe") {
		t.Errorf("told %q", d.told)
	}
	d.told = nil
	d.event(attack.HTTPProbe)
	d.pass(7*time.Hour + 57*time.Minute) // until 06:59
	d.wants()
	d.pass(2 * time.Minute)
	d.wants(`1 web probe of "root" from 203.0.113.7 on web1`)
}

func TestTheFirstSuccessOfANetwork(t *testing.T) {
	d := atDesk(t, rules(When{First: true}))
	from := func(address string) func(*attack.Event) {
		return func(e *attack.Event) { e.SourceIP = netip.MustParseAddr(address) }
	}
	d.event(attack.SSHAccepted, from("203.0.113.7"))
	d.pass(time.Hour)
	d.wants(`1 SSH login of "root" from 203.0.113.7 on web1`)
	d.event(attack.SSHAccepted, from("203.0.113.8"))
	d.event(attack.SSHLogin, from("198.51.100.1")) // no success
	d.pass(time.Hour)
	d.wants()
	d.event(attack.LoginAccepted, from("198.51.100.1"))
	d.pass(time.Hour)
	d.wants(`1 login of "root" from 198.51.100.1 on web1`)
}

// What a rule remembers comes back as it was, and a rule that changed starts anew.
func TestStateIsKept(t *testing.T) {
	c := rules(When{Families: []string{"ssh"}})
	d := atDesk(t, c)
	d.event(attack.SSHLogin)
	d.pass(time.Minute)
	d.told = nil
	d.event(attack.SSHLogin, func(e *attack.Event) { e.Count = 41 })
	text, err := json.Marshal(d.state)
	if err != nil {
		t.Fatal(err)
	}
	var state map[string]*kept
	if err := json.Unmarshal(text, &state); err != nil {
		t.Fatal(err)
	}
	d.planner = newPlanner(d.config, time.UTC, nil, state, d.now)
	d.event(attack.SSHLogin)
	d.pass(8 * time.Minute)
	d.wants() // the first message was less than ten minutes ago
	d.pass(2 * time.Minute)
	if len(d.told) != 1 || !strings.HasPrefix(d.told[0], "42 failed SSH logins on web1") {
		t.Errorf("told %q", d.told)
	}
	other := rules(When{Families: []string{"wordpress"}})
	if p := newPlanner(other, time.UTC, nil, state, d.now); len(p.state) != 1 || !p.state[p.rules[0].key].Held.empty() {
		t.Error("another rule has what the former one held")
	}
}

// A clock that was ahead when something was told holds nothing back once it is right again.
func TestAClockThatJumps(t *testing.T) {
	d := atDesk(t, rules(When{Families: []string{"ssh"}}))
	d.now = noon.AddDate(73, 0, 0)
	d.event(attack.SSHLogin)
	d.pass(time.Minute)
	d.now, d.told = noon, nil
	d.event(attack.SSHLogin)
	d.pass(time.Minute)
	d.wants(`1 failed SSH login of "root" from 203.0.113.7 on web1`)
}
