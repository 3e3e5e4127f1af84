package rule

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pialert/pialert/agent/internal/weblog"
)

// rulesFor loads a user's rules, each with the names of its programs and a pattern that is its id.
func rulesFor(t *testing.T, names string, tags ...string) *Set {
	t.Helper()
	text := "rules:\n"
	for i, tag := range tags {
		text += fmt.Sprintf("  - id: own-%d\n    kind: ssh_login\n    %s: ['%s']\n    pattern: '^own %d from (?P<source>[0-9.]+)$'\n    match:\n      - line: own %d from 192.0.2.1\n", i, names, tag, i, i)
	}
	rules, err := Load(fstest.MapFS{"own.yaml": {Data: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

// found returns which of n own rules are candidates.
func found(candidates *Candidates, n int) (all string) {
	for i := range n {
		if candidates.Find([]byte(fmt.Sprintf("own %d from 192.0.2.1", i))) != nil {
			all += fmt.Sprint(i)
		}
	}
	return all
}

// A message is for the rules that say its tag. Those with a "*" are for tags that no rule says: all of
// them whose text fits.
func TestRulesByTag(t *testing.T) {
	t.Parallel()
	lookup := rulesFor(t, "tags", "own", "own-*", "*-own", "a*b*c", "own", "own-in").Lookup()
	for tag, want := range map[string]string{
		"own": "04", "own-in": "5", "own-out": "1", "own-out-own": "12", "my-own": "2",
		"abc": "3", "axbyc": "3", "acb": "", "ab": "", "owner": "", "-own": "2", "own-": "1",
	} {
		if got := found(lookup.ForTag([]byte(tag)), 6); got != want {
			t.Errorf("%s is for the rules %q, want %q", tag, got, want)
		}
		if knows := lookup.Knows([]byte(tag)); knows != (want != "") {
			t.Errorf("%s is known: %v", tag, knows)
		}
	}
}

// How many tags are remembered is bounded, and forgetting changes no answer.
func TestTagsAreBounded(t *testing.T) {
	t.Parallel()
	lookup := rulesFor(t, "tags", "own", "own-*").Lookup()
	for i := range 3 * maxTags {
		if got := found(lookup.ForTag(fmt.Appendf(nil, "own-%d", i)), 2); got != "1" {
			t.Fatalf("tag %d is for the rules %q", i, got)
		}
		if got := found(lookup.ForTag([]byte("own")), 2); got != "0" {
			t.Fatalf("after %d tags, own is for the rules %q", i, got)
		}
		if len(lookup.tags) > maxTags {
			t.Fatalf("%d tags are remembered, at most %d may be", len(lookup.tags), maxTags)
		}
	}
}

// What a rule matched last is remembered, and changes no answer.
func TestRememberedMatches(t *testing.T) {
	t.Parallel()
	rules := rulesFor(t, "tags", "own", "own").Lookup
	long := "own 0 from " + strings.Repeat("1", maxRemembered)
	texts := []string{"own 0 from 192.0.2.1", "own 1 from 192.0.2.1", "own 0 from 192.0.2.10", "own 0 from 192.0.2.x", long, long + "x"}
	known := rules()
	for i := range 300 {
		text := []byte(texts[i*i/3%len(texts)])
		fresh := rules()
		want, got := fresh.ForTag([]byte("own")).Find(text), known.ForTag([]byte("own")).Find(text)
		if !sameMatch(got, want) {
			t.Fatalf("%s: %+v, want %+v", text, got, want)
		}
	}
}

// Requests are judged as if nothing had been seen before: texts long and short, with rules and without.
func TestSeenRequests(t *testing.T) {
	t.Parallel()
	rules, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	var targets, agents []string
	for n := range 40 {
		targets = append(targets, "/"+strings.Repeat("a", n), "/"+strings.Repeat("b", n))
	}
	for _, text := range []string{"/wp-login.php", "/.env", "/.git/config", "/?x=../../etc/passwd"} {
		targets = append(targets, text, text+"?"+strings.Repeat("y", maxSeen), text+"?"+strings.Repeat("z", maxSeen))
	}
	agents = append(agents, "", "curl/7.88.1", "sqlmap/1.7", "Mozilla/5.0 zgrab/0.x", strings.Repeat("x", maxSeen+1)+"sqlmap/1.7")
	known := rules.Requests()
	verdicts := map[*Rule]bool{}
	for i := range 3000 {
		a := weblog.Access{Method: []byte([]string{"GET", "POST"}[i%2]), Target: []byte(targets[i*i/7%len(targets)]),
			Agent: []byte(agents[i/3%len(agents)]), Status: []uint16{200, 404}[i/5%2]}
		a.Request = a.Target
		got, want := known.Verdict(&a), rules.Requests().Verdict(&a)
		if got != want {
			t.Fatalf("%s by %.40s: %v, want %v", a.Target, a.Agent, got, want)
		}
		verdicts[got] = true
	}
	if len(verdicts) < 5 {
		t.Errorf("%d rules matched", len(verdicts))
	}
	for p := range known.seen {
		for _, one := range known.seen[p] {
			if len(one.text) > maxSeen {
				t.Errorf("%d bytes are remembered", len(one.text))
			}
		}
	}
}
