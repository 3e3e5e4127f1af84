package replay_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/pialert/pialert/agent/internal/policy"
	"github.com/pialert/pialert/agent/internal/policy/replay"
	"github.com/pialert/pialert/pkg/attack"
)

// owner is never banned.
type owner netip.Prefix

func (o owner) Why(source netip.Prefix) (string, bool) {
	return "it is mine", source == netip.Prefix(o)
}

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func event(kind attack.Kind, from string, at time.Duration, count uint64) *attack.Event {
	return &attack.Event{Kind: kind, Logged: noon.Add(at), Observed: noon.AddDate(0, 0, 1), SourceIP: netip.MustParseAddr(from), Count: count, Rule: "r", Log: "l"}
}

// Logs are read one after the other; what they say is judged as it happened: five failures of two logs within
// seconds ban, and a login counts for whom it came from, whichever log was read first.
func TestJudge(t *testing.T) {
	past := &replay.Past{}
	for _, e := range []*attack.Event{
		event(attack.SSHLogin, "9.9.9.9", 4*time.Second, 2), // of the newer log
		event(attack.SSHLogin, "9.9.9.9", 3*time.Hour, 5),
		event(attack.SSHLogin, "9.9.9.8", time.Hour, 5),
		event(attack.SSHAccepted, "9.9.9.8", 2*time.Hour, 1), // too late to spare it
		event(attack.SSHAccepted, "9.9.9.8", 2*time.Hour, 2),
		event(attack.SSHAccepted, "9.9.9.7", time.Minute, 1),
		event(attack.SSHLogin, "9.9.9.7", 2*time.Minute, 50),
		event(attack.SSHLogin, "9.9.9.1", 0, 50),
		event(attack.SSHLogin, "9.9.9.9", 0, 3), // of the older log
		{Kind: attack.SSHLogin, Count: 50, Logged: noon},
		{Kind: attack.SSHLogin, Count: 50, SourceIP: netip.MustParseAddr("9.9.9.6"), Observed: noon},
	} {
		past.Add(e)
	}
	result := past.Judge(policy.New(policy.Defaults(), owner(netip.MustParsePrefix("9.9.9.1/32"))))
	var got []string
	for _, one := range result.Banned {
		got = append(got, fmt.Sprintf("%s %d bans from %s to %s, %d logins", one.Target, one.Bans, one.First.Sub(noon), one.Last.Sub(noon), one.LoggedIn))
	}
	want := []string{"9.9.9.8/32 1 bans from 1h0m0s to 1h0m0s, 3 logins", "9.9.9.9/32 2 bans from 4s to 3h0m0s, 0 logins"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if spared := fmt.Sprint(result.Spared); spared != "map[it is mine:1 somebody logged in from there:1]" || result.Events != 9 {
		t.Errorf("spared %s of %d events", spared, result.Events)
	}
}
