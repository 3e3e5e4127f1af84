package rule

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

// Texts that differ in digits from one that is known lead where they would lead without it: also where an
// earlier rule, or one for another first byte, asks for a digit.
func TestOtherDigits(t *testing.T) {
	t.Parallel()
	text := "rules:\n"
	for i, pattern := range []string{
		`^gone \S+: 3 times from (?P<source>[0-9.]+)$`,
		`^gone \S+: \d times from (?P<source>[0-9.]+) port (?P<port>\d+)$`,
		`^gone \S+: \d times from (?P<source>[0-9.]+)$`,
		`^lost [0-7] (?P<user>.*)$`,
		`^lost \d (?P<user>.*)$`,
		`^5 more (?P<user>.*)$`,
		`^(?P<count>\d) more (?P<user>.*)$`,
		`^user(?P<user>.*) from (?P<source>[0-9.]+) port (?P<port>\d+)$`,
		`^tried (?P<count>\d+) times by (?P<user>.*)$`,
		`^at port (?P<port>\d+), process (?P<pid>\d+), of (?P<user>.*)$`,
		`^at port (?P<port>\d+) by thread (?P<thread>\d+)$`,
		`^by port (?P<port>\d+) to (?P<source>\S+)$`,
	} {
		text += ownRule(fmt.Sprint("own-", i), pattern)
	}
	rules, err := Load(fstest.MapFS{"own.yaml": {Data: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	lookup := rules.Lookup()
	known := lookup.ForTag([]byte("own"))
	digit := regexp.MustCompile(`#`)
	met := map[string]int{}
	for range 5_000 {
		form := []string{"gone a: # times from 192.0.2.#", "gone a: # times from 192.0.2.# port #2", "lost # root", "# more root", "user# from 192.0.2.# port ##", "user a from # from 1 port #",
			"tried #2 times by root", "at port ##, process ##, of root", "at port ##### by thread ##", "at port ###, process 1, of a#",
			"by port ## to [192.0.2.7]:4711"}[random.IntN(11)]
		text := digit.ReplaceAllFunc([]byte(form), func([]byte) []byte { return []byte{"0123456789"[random.IntN(10)]} })
		fresh := rules.Lookup()
		want, got := fresh.ForTag([]byte("own")).Find(text), known.Find(text)
		if !sameMatch(got, want) {
			t.Fatalf("%s: %+v, want %+v", text, got, want)
		}
		if got != nil {
			if user := string(got.Fields.User.In(text)); got.User != user {
				t.Fatalf("%s: the user is %q, want %q", text, got.User, user)
			}
			met[got.Rule.ID]++
		}
	}
	if len(met) != 12 {
		t.Errorf("not every rule was met: %v", met)
	}
}

// Most lines of an attack differ in digits alone from one before, and need no search: unless a pattern asks for
// one digit, its own or that of a rule before it.
func TestOtherDigitsNeedNoSearch(t *testing.T) {
	t.Parallel()
	rules, err := Load(fstest.MapFS{"own.yaml": {Data: []byte("rules:\n" +
		ownRule("any", `^failed from (?P<source>[0-9.]+) port (?P<port>\d+)$`) +
		ownRule("one", `^gone \S+: 3 times from (?P<source>[0-9.]+)$`) +
		ownRule("behind-one", `^gone \S+: \d times from (?P<source>[0-9.]+)$`))}})
	if err != nil {
		t.Fatal(err)
	}
	lookup := rules.Lookup()
	candidates := lookup.ForTag([]byte("own"))
	for text, want := range map[string]bool{
		"failed from 192.0.2.7 port 22":     true,
		"gone away: 3 times from 192.0.2.7": false,
		"gone away: 4 times from 192.0.2.7": false,
	} {
		if candidates.Find([]byte(text)) == nil {
			t.Fatalf("no rule takes %s", text)
		}
		known := candidates.known.at([]byte(text))
		if other := strings.Replace(text, ".7", ".8", 1); known.leads([]byte(other), &candidates.known.names) != want {
			t.Errorf("%s leads where %s does: %v", other, text, !want)
		}
	}
}

// A text with another port leads where the known one does, unless a pattern asks for some ports, or it is none.
func TestOtherPorts(t *testing.T) {
	t.Parallel()
	rules, err := Load(fstest.MapFS{"own.yaml": {Data: []byte("rules:\n" +
		ownRule("any", `^failed from (?P<source>[0-9.]+) port (?P<port>\d+)$`) +
		ownRule("low", `^lost (?P<source>[0-9.]+) port (?P<port>1\d)$`) +
		ownRule("all", `^lost (?P<source>[0-9.]+) port (?P<port>\d\d)$`) +
		ownRule("more", `^gone (?P<source>[0-9.]+) port (?P<port>\d+) by itself$`))}})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		known, other string
		leads        bool
		port         uint16
	}{
		{"failed from 192.0.2.7 port 22", "failed from 192.0.2.7 port 23", true, 23},
		{"failed from 192.0.2.7 port 22", "failed from 192.0.2.7 port 22", true, 22},
		{"failed from 192.0.2.7 port 22", "failed from 192.0.2.7 port 00", true, 0},
		{"failed from 192.0.2.7 port 22", "failed from 192.0.2.8 port 23", true, 23},
		{"failed from 192.0.2.7 port 65535", "failed from 192.0.2.7 port 65536", true, 0},
		{"failed from 192.0.2.7 port 22", "failed from 192.0.2.7 port 2x", false, 0},
		{"gone 192.0.2.7 port 22 by itself", "gone 192.0.2.7 port 23 by itself", true, 23},
		{"gone 192.0.2.7 port 22 by itself", "gone 192.0.2.7 port 2x by itself", false, 0},
		{"gone 192.0.2.7 port 12345 by itself", "gone 192.0.2.7 port 65537 by itself", true, 0},
		{"lost 192.0.2.7 port 15", "lost 192.0.2.7 port 25", false, 0},
		{"lost 192.0.2.7 port 25", "lost 192.0.2.7 port 15", false, 0},
	} {
		lookup := rules.Lookup()
		candidates := lookup.ForTag([]byte("own"))
		if candidates.Find([]byte(test.known)) == nil {
			t.Fatalf("no rule takes %s", test.known)
		}
		known := candidates.known.at([]byte(test.known))
		leads := known.leads([]byte(test.other), &candidates.known.names)
		if leads != test.leads || leads && known.Fields.Port != test.port {
			t.Errorf("%s leads where %s does: %v, to port %d", test.other, test.known, leads, known.Fields.Port)
		}
	}
}

func ownRule(id, pattern string) string {
	return fmt.Sprintf("  - id: %s\n    kind: ssh_login\n    tags: [own]\n    pattern: '%s'\n    match: [x]\n", id, pattern)
}

// That a PAM module's text names several hosts is known of it when it is met first, and of one with other
// digits that is known by it. What no module wrote is not asked.
func TestSeveralHosts(t *testing.T) {
	t.Parallel()
	rules, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	lookup := rules.Lookup()
	const text = "authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=root"
	for user, several := range map[string]bool{"root": false, "xrhost=192.0.2.1": false, "x rhost=192.0.2.1": true} {
		text := strings.Replace(text, "root", user, 1)
		for _, digit := range []string{"7", "8", "7"} {
			text := strings.Replace(text, "2.7", "2."+digit, 1)
			if m := lookup.ForPAM([]byte("sshd")).Find([]byte(text)); m == nil || m.SeveralHosts != several {
				t.Errorf("%s: %+v", text, m)
			}
		}
	}
	own := []byte("Invalid user x rhost=192.0.2.1 rhost=192.0.2.1 from 192.0.2.7 port 22")
	if m := lookup.ForTag([]byte("sshd")).Find(own); m == nil || m.SeveralHosts {
		t.Errorf("%s: %+v", own, m)
	}
}

// sameMatch says whether two texts led to the same.
func sameMatch(a, b *Match) bool {
	return a == b || a != nil && b != nil && a.Rule == b.Rule && a.SeveralHosts == b.SeveralHosts && a.Fields == b.Fields && a.User == b.User
}

// Two bytes at every place of an eight, and behind the last one.
func TestSameButDigits(t *testing.T) {
	t.Parallel()
	digit := func(c byte) bool { return c >= '0' && c <= '9' }
	for at := range 11 {
		for x := range 256 {
			for _, y := range []byte{0, 1, '/', '0', '5', '9', ':', 'a', 0x7f, 0x80, 0xb0, 0xb9, 0xff} {
				a, b := []byte("port 4711 x"), []byte("port 4711 x")
				a[at], b[at] = byte(x), y
				if got, want := sameButDigits(a, b), byte(x) == y || digit(byte(x)) && digit(y); got != want {
					t.Fatalf("%q and %q: %v", a, b, got)
				}
			}
		}
	}
}

// The candidates of another first byte may be others, so it has to be the same one.
func TestFirstByteLeads(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{"5 more of 3": true, "5 more of 4": true, "6 more of 3": false, "5 more of x": false} {
		m := Match{Rule: &Rule{}, text: []byte("5 more of 3"), digits: true}
		if m.leads([]byte(text), new(Names)) != want {
			t.Errorf("%s leads there: %v", text, !want)
		}
	}
}
