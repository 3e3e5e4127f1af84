package detect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/pialert/pialert/agent/internal/detect/episode"
	"github.com/pialert/pialert/agent/internal/rule"
	"github.com/pialert/pialert/pkg/attack"
)

// web runs an engine over web logs, and may stop and start it between two lines.
type webRun struct {
	t       testing.TB
	options Options
	saved   map[string][]byte
	engine  *Engine
	sources map[string]*Source
	events  []attack.Event
}

func newWebRun(t testing.TB, rules *rule.Set) *webRun {
	r := &webRun{t: t, saved: map[string][]byte{}}
	r.options = Options{Rules: rules, Location: time.UTC, Remember: true, Floods: &episode.Limits{MaxRequests: 50},
		Emit: func(ev *attack.Event, _ uint64) {
			if err := ev.Check(); err != nil {
				t.Errorf("%+v: %v", ev, err)
			}
			r.events = append(r.events, *ev)
		}}
	r.restart()
	return r
}

// restart goes on with another engine that knows only what was saved.
func (r *webRun) restart() {
	r.t.Helper()
	if r.engine != nil {
		r.engine.Changes(func(key string, value []byte) {
			if r.saved[key] = value; value == nil {
				delete(r.saved, key)
			}
		})
	}
	engine, err := New(r.options)
	if err != nil {
		r.t.Fatal(err)
	}
	for key, value := range r.saved {
		if ok, err := engine.Restore(key, value); !ok || err != nil {
			r.t.Fatalf("Restore(%q) = %v, %v", key, ok, err)
		}
	}
	r.engine, r.sources = engine, map[string]*Source{}
}

func (r *webRun) feed(log, line string) {
	r.t.Helper()
	src := r.sources[log]
	if src == nil {
		var err error
		if src, err = NewSource(log, rule.TypeAuto, ""); err != nil {
			r.t.Fatal(err)
		}
		r.sources[log] = src
	}
	r.engine.Feed(src, []byte(line), now)
}

func truth(t *testing.T, name string) []attempt {
	t.Helper()
	text, err := os.ReadFile("testdata/real/" + name + ".truth.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Sources []attempt }
	if err := json.Unmarshal(text, &file); err != nil || len(file.Sources) == 0 {
		t.Fatalf("%s has %d sources, error %v", name, len(file.Sources), err)
	}
	return file.Sources
}

// The stamps of error logs name no zone: they are of the machine's.
func TestErrorLogsAreOfTheMachinesZone(t *testing.T) {
	t.Parallel()
	run := newWebRun(t, builtinRules(t))
	run.options.Location = time.FixedZone("CET", 3600)
	run.restart()
	run.feed("e", `[Thu Jan 01 00:00:01.5 2026] [auth_basic:error] [pid 1] [client 192.0.2.7:99] AH01618: user eve not found: /x`)
	run.engine.Finish()
	if want := time.Date(2025, 12, 31, 23, 0, 1, 500e6, time.UTC); len(run.events) != 1 || !run.events[0].Logged.Equal(want) {
		t.Errorf("got %+v, want one event of %v", run.events, want)
	}
}

// What was done to a real Apache is what each of its logs counts.
func TestRealApache(t *testing.T) {
	t.Parallel()
	rules := builtinRules(t)
	for _, name := range []string{"apache-2.4-access", "apache-2.4-vhost", "apache-2.4-custom", "apache-2.4-error"} {
		t.Run(name, func(t *testing.T) {
			r := newWebRun(t, rules)
			for _, line := range recording(t, "testdata/real/"+name) {
				r.feed(name, string(line))
			}
			r.engine.Finish()
			compare(t, truth(t, name), r.events)
		})
	}
}

// Both logs of a server together count what the access log does, whichever is read first and
// however often the agent is restarted in between.
func TestBothLogsOfAServerCountOnce(t *testing.T) {
	t.Parallel()
	rules := builtinRules(t)
	access, errors := recording(t, "testdata/real/apache-2.4-access"), recording(t, "testdata/real/apache-2.4-error")
	r := rand.New(rand.NewPCG(1, 1))
	for _, order := range []string{"access first", "errors first", "mixed", "mixed", "mixed"} {
		run := newWebRun(t, rules)
		i, j := 0, 0
		for i < len(access) || j < len(errors) {
			first := order == "access first" || order == "mixed" && r.IntN(2) == 0
			if first && i < len(access) || j == len(errors) {
				run.feed("access.log", string(access[i]))
				i++
			} else {
				run.feed("error.log", string(errors[j]))
				j++
			}
			if r.IntN(3) == 0 {
				run.restart()
			}
		}
		run.engine.Finish()
		compare(t, truth(t, "apache-2.4-access"), run.events)
	}
}

// An Alias makes the path in the error log another one: client, time and answer tell that it is the
// same request.
func TestAliasedPathsCountOnce(t *testing.T) {
	t.Parallel()
	rules := builtinRules(t)
	access := `192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET /?x=../../../../etc/passwd HTTP/1.1" 404 5`
	fault := `[Thu Jan 01 00:00:00.5 2026] [core:info] [pid 1] [client 192.0.2.7:99] AH00128: File does not exist: /srv/other/.env`
	for _, lines := range [][2]string{{access, fault}, {fault, access}} {
		run := newWebRun(t, rules)
		for _, line := range lines {
			run.feed("log", line)
			run.restart()
		}
		if len(run.events) != 1 {
			t.Errorf("%d events, want 1: %+v", len(run.events), run.events)
		}
	}
	run := newWebRun(t, rules)
	run.feed("access.log", access)
	run.feed("error.log", strings.Replace(fault, "192.0.2.7", "192.0.2.8", 1))
	if len(run.events) != 2 {
		t.Errorf("%d events of two clients, want 2", len(run.events))
	}
}

// Of n requests in one log and m in the other, the greater number counts, for each address.
func TestCrossLogDuplicatesCountOnce(t *testing.T) {
	t.Parallel()
	rules := builtinRules(t)
	r := rand.New(rand.NewPCG(2, 2))
	for range 30 {
		run := newWebRun(t, rules)
		run.options.Floods = nil
		run.restart()
		var lines [][2]string
		want := map[netip.Addr]uint64{}
		for host := range 4 {
			addr := fmt.Sprintf("192.0.2.%d", host)
			n, m := r.IntN(20), r.IntN(20)
			for range n {
				lines = append(lines, [2]string{"a", addr + ` - eve [01/Jan/2026:00:00:0` + fmt.Sprint(r.IntN(2)) + ` +0000] "GET /x HTTP/1.1" 401 5`})
			}
			for range m {
				lines = append(lines, [2]string{"e", `[Thu Jan 01 00:00:0` + fmt.Sprint(r.IntN(2)) + `.5 2026] [auth_basic:error] [pid 1] [client ` + addr + `:99] AH01618: user eve not found: /x`})
			}
			if max(n, m) > 0 {
				want[netip.MustParseAddr(addr)] = uint64(max(n, m))
			}
		}
		r.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
		for _, line := range lines {
			run.feed(line[0], line[1])
			if r.IntN(10) == 0 {
				run.restart()
			}
		}
		got := map[netip.Addr]uint64{}
		for _, ev := range run.events {
			got[ev.SourceIP] += ev.Count
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("counted %v, want %v", got, want)
		}
	}
}

// Requests far apart are not the same one, nor are those of different kinds.
func TestOtherRequestsAreNoDuplicates(t *testing.T) {
	t.Parallel()
	run := newWebRun(t, builtinRules(t))
	run.feed("a", `192.0.2.7 - eve [01/Jan/2026:00:00:00 +0000] "GET /x HTTP/1.1" 401 5`)
	run.feed("e", `[Thu Jan 01 00:01:00.5 2026] [auth_basic:error] [pid 1] [client 192.0.2.7:99] AH01618: user eve not found: /x`)
	run.feed("e", `[Thu Jan 01 00:00:00.5 2026] [core:error] [pid 1] [client 192.0.2.7:99] AH10244: invalid URI path (/..)`)
	if len(run.events) != 3 {
		t.Errorf("%d events, want 3: %v", len(run.events), run.events)
	}
}

func TestWebEvents(t *testing.T) {
	t.Parallel()
	run := newWebRun(t, builtinRules(t))
	run.options.Ignore = netip.MustParsePrefix("198.51.100.0/24").Contains
	run.restart()
	for _, line := range []string{
		`Jan  1 00:00:00 web nginx[7]: 192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "POST /wp-login.php HTTP/1.1" 200 5 "-" "x"`,
		`Jan  1 00:00:00 web nginx[7]: message repeated 3 times: [ 192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "POST /wp-login.php HTTP/1.1" 200 5 "-" "x"]`,
		`Jan  1 00:00:00 web nginx[7]: web nginx: 2026/01/01 00:00:01 [error] 7#7: *9 user "eve": password mismatch, client: 192.0.2.8, server: s, request: "GET / HTTP/1.1", host: "h"`,
		`Jan  1 00:00:00 web httpd[7]: [auth_basic:error] [pid 17] [client 192.0.2.9:5] AH01618: user eve not found: /`,
	} {
		run.feed("syslog", line)
	}
	run.feed("access.log", `198.51.100.9 - - [01/Jan/2026:00:00:00 +0000] "GET /.env HTTP/1.1" 404 5`)
	run.feed("access.log", `203.0.113.7 - - [01/Jan/2026:00:00:00 +0000] "GET /a?x=<script>&y=../../etc/passwd HTTP/1.1" 404 5 "-" "sqlmap"`)
	var got []string
	for _, ev := range run.events {
		got = append(got, fmt.Sprintf("%s %s %s %d %s", ev.Kind, ev.SourceIP, ev.User, ev.Count, ev.Logged.Format(time.TimeOnly)))
	}
	want := []string{"wordpress_login 192.0.2.7  1 00:00:00", "wordpress_login 192.0.2.7  3 00:00:00", "http_auth 192.0.2.8 eve 1 00:00:01",
		"http_auth 192.0.2.9 eve 1 ", "http_exploit 203.0.113.7  1 00:00:00"}
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || !strings.HasPrefix(got[i], want[i]) {
			t.Fatalf("\n got %q\nwant %q", got, want)
		}
	}
	if stats := run.engine.Stats(); stats.Ignored != 1 {
		t.Errorf("%d were ignored, want 1", stats.Ignored)
	}
	if detail := run.events[4].Detail.(attack.HTTP); detail != (attack.HTTP{Method: "GET", Target: "/a?x=<script>&y=../../etc/passwd", Status: 404, UserAgent: "sqlmap"}) {
		t.Errorf("the detail is %+v", detail)
	}
}

// A user's rules count visits, and silence the built-in ones.
func TestUsersRulesForRequests(t *testing.T) {
	t.Parallel()
	rules, err := Load(fstest.MapFS{"mine.yaml": {Data: []byte(`
type: access
rules:
  - {id: front-page, kind: visit, status: [200], pattern: '^/(?:\?|$)', match: ['GET / 200', 'GET /?from=x 200'], no_match: ['GET /a 200', 'GET / 404']}
  - {id: my-own-panel, role: ignore, pattern: '^/phpmyadmin/', match: ['GET /phpmyadmin/x 404']}
`)}})
	if err != nil {
		t.Fatal(err)
	}
	run := newWebRun(t, rules)
	for _, target := range []string{"/", "/phpmyadmin/index.php", "/other/phpmyadmin/", "/?q=<script>"} {
		run.feed("access.log", `192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET `+target+` HTTP/1.1" 404 5`)
		run.feed("access.log", `192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET `+target+` HTTP/1.1" 200 5`)
	}
	var got []string
	for _, ev := range run.events {
		got = append(got, ev.Rule)
	}
	if want := []string{"front-page", "http-admin-panel", "http-cross-site-scripting", "http-cross-site-scripting"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestRulesForWebLogsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		`rules: [{id: a, type: access, kind: visit, in: cookie, pattern: a, match: [GET /a]}]`:                    "no part of a request",
		`rules: [{id: a, type: error, kind: http_probe, status: [403, 404], pattern: a, match: [a]}]`:             "one status",
		`rules: [{id: a, type: access, kind: http_probe, always: true, pattern: a, match: [GET /a]}]`:             "type error",
		`rules: [{id: a, tags: [a], kind: ssh_login, in: target, pattern: a, match: [a]}]`:                        "types access and error",
		`rules: [{id: a, type: access, kind: http_probe, role: probe, pattern: a, match: [GET /a]}]`:              "event or ignores",
		`rules: [{id: a, type: access, kind: http_probe, pattern: '^/b', match: [GET /a]}]`:                       "no rule matches",
		`rules: [{id: a, type: access, kind: http_probe, pattern: '^/a', match: [GET /a], no_match: [GET /a/b]}]`: "must not match",
	} {
		if _, err := Load(fstest.MapFS{"mine.yaml": {Data: []byte(file)}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", file, err, want)
		}
	}
}

// A flood is told of as an episode, over restarts too, and adds nothing to the attempts.
func TestFloodOfRequests(t *testing.T) {
	t.Parallel()
	for _, restarts := range []bool{false, true} {
		run := newWebRun(t, builtinRules(t))
		for i := range 130 {
			run.feed("access.log", fmt.Sprintf(`192.0.2.%d - - [01/Jan/2026:00:00:%02d +0000] "POST /xmlrpc.php HTTP/1.1" 200 5`, i%10, i/10))
			if restarts {
				run.restart()
			}
		}
		run.engine.Tick(time.Date(2026, 1, 1, 0, 5, 0, 0, time.UTC)) // from here on it is quiet
		run.engine.Tick(time.Date(2026, 1, 1, 0, 6, 0, 0, time.UTC))
		var attempts, requests uint64
		var phases []attack.Phase
		for _, ev := range run.events {
			if ev.Kind.Attempt() {
				attempts += ev.Count
				continue
			}
			f := ev.Detail.(attack.Flood)
			requests += ev.Count
			phases = append(phases, f.Phase)
			if f.Network.String() != "192.0.2.0/24" || f.Method != "POST" || f.Requests != requests || ev.SourceIP.IsValid() {
				t.Errorf("%+v", ev)
			}
		}
		if want := []attack.Phase{attack.PhaseStart, attack.PhaseUpdate, attack.PhaseEnd}; attempts != 130 || requests != 130 || !slices.Equal(phases, want) {
			t.Errorf("%d attempts, %d requests in the phases %v", attempts, requests, phases)
		}
	}
}

// Whatever clients write: no event has another address than that of the line, and none is
// outside its bounds (newWebRun checks each).
func TestWebAddressesCannotBeForged(t *testing.T) {
	t.Parallel()
	run := newWebRun(t, builtinRules(t))
	run.options.Floods = nil
	run.restart()
	r := rand.New(rand.NewPCG(3, 3))
	pieces := []string{"203.0.113.9", " - - ", `\"`, `\\`, "[01/Jan/2026:00:00:00 +0000]", "[client 203.0.113.9:80] ", "AH01617: user a not found: /", "/.env",
		"GET / HTTP/1.1", ", client: 203.0.113.9, server: s", "user root: authentication failure for ", ": Password Mismatch", "${jndi:", "../../", "\x00", "\xff"}
	text := func() string {
		var b strings.Builder
		for range r.IntN(8) {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		return b.String()
	}
	for range 5000 {
		run.feed("access.log", fmt.Sprintf(`192.0.2.7 - %sx [01/Jan/2026:00:00:00 +0000] "GET /%s HTTP/1.1" 401 5 "%s" "%s"`, text(), text(), text(), text()))
		run.feed("error.log", `[Thu Jan 01 00:00:00.5 2026] [core:error] [pid 1] [client 192.0.2.7:99] AH01618: `+text())
		run.feed("error.log", `[Thu Jan 01 00:00:00.5 2026] [core:error] [pid 1] [client 192.0.2.7:99] AH00128: File does not exist: /`+text()+", referer: "+text())
	}
	if len(run.events) < 5000 {
		t.Errorf("only %d events", len(run.events))
	}
	for _, ev := range run.events {
		if ev.SourceIP.String() != "192.0.2.7" || ev.SourceHost != "" {
			t.Fatalf("%+v", ev)
		}
	}
}

func TestExplainWebLines(t *testing.T) {
	t.Parallel()
	rules := builtinRules(t)
	for line, want := range map[string]string{
		ordinary[0]: "access  198.51.100.24",
		`192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET /.env HTTP/1.1" 404 5`:                                                       "access http-secret-file 192.0.2.7",
		`Jan  1 00:00:00 web nginx[7]: 192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET /.env HTTP/1.1" 404 5`:                         "syslog http-secret-file 192.0.2.7",
		`[Thu Jan 01 00:00:00.5 2026] [auth_basic:error] [pid 1] [client 192.0.2.7:99] AH01618: user eve not found: /x`:               "error apache-unknown-user 192.0.2.7",
		`[Thu Jan 01 00:00:00.5 2026] [core:info] [pid 1] [client 192.0.2.7:99] AH00128: File does not exist: /var/www/html/a/.git/x`: "error http-secret-file 192.0.2.7",
	} {
		x, err := Explain(Options{Rules: rules}, line)
		if err != nil {
			t.Fatal(err)
		}
		id, source := "", ""
		if x.Rule != nil {
			id = x.Rule.ID
		}
		for _, f := range x.Fields {
			if f.Name == "source_ip" {
				source = f.Value
			}
		}
		if got := fmt.Sprintf("%s %s %s", x.Type, id, source); got != want || x.Why == "" {
			t.Errorf("%s\n got %q because %q\nwant %q", line, got, x.Why, want)
		}
	}
}

func FuzzWebLines(f *testing.F) {
	rules := builtinRules(f)
	for _, name := range []string{"access", "custom", "error", "vhost"} {
		text, err := os.ReadFile("testdata/real/apache-2.4-" + name + ".log")
		if err != nil {
			f.Fatal(err)
		}
		for line := range bytes.Lines(text) {
			f.Add(string(line))
		}
	}
	f.Fuzz(func(t *testing.T, line string) {
		run := newWebRun(t, rules)
		for _, typ := range []rule.Type{rule.TypeAuto, rule.TypeAccess, rule.TypeError} {
			src, err := NewSource("log", typ, "")
			if err != nil {
				t.Fatal(err)
			}
			run.engine.Feed(src, []byte(line), now)
		}
		run.restart()
		if _, err := Explain(Options{Rules: rules}, line); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzRestoreWeb(f *testing.F) {
	rules := builtinRules(f)
	f.Add("web/report/0", []byte{1, 4, 1, 0, 0, 192, 0, 2, 7})
	f.Add("web/flood/192.0.2.7/32 GET", []byte{2, 15, 9, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		run := newWebRun(t, rules)
		if ok, _ := run.engine.restoreWeb(key, value); ok {
			run.feed("a", `192.0.2.7 - eve [01/Jan/2026:00:00:00 +0000] "GET /x HTTP/1.1" 401 5`)
			run.feed("e", `[Thu Jan 01 00:00:00.5 2026] [auth_basic:error] [pid 1] [client 192.0.2.7:99] AH01618: user eve not found: /x`)
			run.restart()
		}
	})
}

// ordinary is what a site's access log is made of.
var ordinary = strings.Split(strings.TrimSpace(`
198.51.100.24 - - [10/Oct/2026:13:55:36 +0000] "GET /blog/2026/10/an-article/?page=2 HTTP/1.1" 200 15326 "https://www.example.com/blog/" "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
198.51.100.24 - - [10/Oct/2026:13:55:36 +0000] "GET /static/site.css?v=17 HTTP/1.1" 304 - "https://www.example.com/blog/" "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
2001:db8:5::17 - - [10/Oct/2026:13:55:37 +0000] "GET /favicon.ico HTTP/1.1" 404 196 "-" "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15"
203.0.113.80 - alice [10/Oct/2026:13:55:37 +0000] "POST /api/notes HTTP/2.0" 201 88 "https://www.example.com/app" "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"
203.0.113.81 - - [10/Oct/2026:13:55:38 +0000] "GET /search?q=caf%C3%A9+au+lait HTTP/1.1" 200 5120 "-" "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
198.51.100.90 - - [10/Oct/2026:13:55:39 +0000] "GET /wp-content/uploads/2026/10/cat.jpg HTTP/1.1" 200 80321 "https://www.example.com/" "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1"
`), "\n")

func TestOrdinaryRequestsAllocateNothing(t *testing.T) {
	engine, err := New(Options{Rules: builtinRules(t), Location: time.UTC, Floods: &episode.Limits{MaxRequests: 1 << 30},
		Emit: func(ev *attack.Event, _ uint64) { t.Errorf("%+v", ev) }})
	if err != nil {
		t.Fatal(err)
	}
	src, err := NewSource("access.log", rule.TypeAccess, "")
	if err != nil {
		t.Fatal(err)
	}
	lines := make([][]byte, len(ordinary))
	for i, line := range ordinary {
		lines[i] = []byte(line)
	}
	if n := testing.AllocsPerRun(100, func() {
		for _, line := range lines {
			engine.Feed(src, line, now)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAccess(b *testing.B) {
	attacks := `203.0.113.9 - - [10/Oct/2026:13:55:40 +0000] "GET /.env HTTP/1.1" 404 196 "-" "Mozilla/5.0 zgrab/0.x"`
	for name, lines := range map[string][]string{"ordinary": ordinary, "mixed": append(slices.Clone(ordinary), attacks)} {
		for _, floods := range []*episode.Limits{nil, {MaxRequests: 1 << 30}} {
			b.Run(fmt.Sprintf("%s/floods=%v", name, floods != nil), func(b *testing.B) {
				engine, err := New(Options{Rules: builtinRules(b), Location: time.UTC, Floods: floods, Emit: func(*attack.Event, uint64) {}})
				if err != nil {
					b.Fatal(err)
				}
				src, err := NewSource("access.log", rule.TypeAccess, "")
				if err != nil {
					b.Fatal(err)
				}
				text := make([][]byte, len(lines))
				for i, line := range lines {
					text[i] = []byte(line)
				}
				i := 0
				for b.Loop() {
					engine.Feed(src, text[i%len(text)], now)
					i++
				}
			})
		}
	}
}

// ModSecurity writes a line for each of its rules that a request breaks: the request counts once.
func TestLinesOfOneRequestCountOnce(t *testing.T) {
	t.Parallel()
	run := newWebRun(t, builtinRules(t))
	line := func(client, what, unique string) string {
		return `[Wed Oct 11 14:32:52.1 2026] [security2:error] [pid 9:tid 1] [client ` + client + `:47762] [client ` + client + `] ModSecurity: ` + what +
			` [severity "CRITICAL"] [hostname "h"] [uri "/"] [unique_id "` + unique + `"]`
	}
	for _, l := range []string{
		line("192.0.2.7", "Warning. Matched phrase \"nikto\" at REQUEST_HEADERS:User-Agent.", "a"),
		line("192.0.2.7", "Warning. detected SQLi using libinjection.", "a"),
		line("192.0.2.7", "Access denied with code 403 (phase 2).", "a"),
		line("192.0.2.7", "Access denied with code 403 (phase 2).", "b"),
		line("192.0.2.8", "Access denied with code 403 (phase 2).", "b"), // another server's name, or a forged one
	} {
		run.feed("error.log", l)
	}
	if len(run.events) != 3 {
		t.Errorf("%d events, want 3", len(run.events))
	}
}

// What an application writes of a login, in a log of its own, the access log has as well.
func TestApplicationsAndAccessLogsTellOfTheSame(t *testing.T) {
	t.Parallel()
	const (
		form      = `192.0.2.7 - - [31/Jan/2025:12:00:01 +0000] "POST /wp-login.php HTTP/1.1" 200 5 "-" "x"`
		xmlrpc    = `192.0.2.7 - - [31/Jan/2025:12:00:01 +0000] "POST /xmlrpc.php HTTP/1.1" 200 5 "-" "x"`
		authors   = `192.0.2.7 - - [31/Jan/2025:12:00:01 +0000] "GET /?author=1 HTTP/1.1" 403 5 "-" "x"`
		webmail   = `192.0.2.7 - - [31/Jan/2025:12:00:01 +0000] "POST /?_task=login HTTP/1.1" 401 5 "-" "x"`
		wordpress = "2025-01-31T12:00:01.9+00:00 host wordpress(example.com)[7]: "
		plugin    = wordpress + "Authentication failure for admin from 192.0.2.7"
		roundcube = "2025-01-31T12:00:02+00:00 host roundcube: <a1> IMAP Error: Login failed for eve against localhost from 192.0.2.7. LOGIN: A0002 NO Login failed. in /srv/rcube_imap.php on line 205 (POST /?_task=login&_action=login)"
	)
	for _, test := range []struct {
		name  string
		lines []string
		want  uint64
	}{
		{"access log first", []string{form, plugin}, 1},
		{"plugin first", []string{plugin, form}, 1},
		{"three each", []string{form, form, plugin, plugin, form, plugin}, 3},
		{"no plugin for one", []string{form, form, plugin}, 2},
		{"no access log for one", []string{form, plugin, plugin}, 2},
		{"repeated", []string{form, form, wordpress + "message repeated 3 times: [ Authentication failure for admin from 192.0.2.7]"}, 3},
		{"another client's", []string{form, strings.Replace(plugin, "192.0.2.7", "192.0.2.8", 1)}, 2},
		{"a minute later", []string{form, strings.Replace(plugin, "12:00:01.9", "12:01:01.9", 1)}, 2},
		{"another kind", []string{xmlrpc, plugin}, 2},
		{"many passwords in one request", []string{xmlrpc, wordpress + "XML-RPC authentication failure for admin from 192.0.2.7", wordpress + "XML-RPC authentication failure for admin from 192.0.2.7"}, 2},
		{"spam and a probe", []string{strings.Replace(authors, "?author=1", ".env", 1), wordpress + "Spam comment 17 from 192.0.2.7"}, 2},
		{"enumeration", []string{authors, wordpress + "Blocked user enumeration attempt from 192.0.2.7"}, 1},
		{"Roundcube", []string{webmail, roundcube}, 1},
		{"Roundcube's log first", []string{roundcube, webmail}, 1},
	} {
		got := uint64(0)
		for _, ev := range detectAll(t, builtinRules(t), test.lines) {
			got += ev.Count
		}
		if got != test.want {
			t.Errorf("%s: %d attempts, want %d", test.name, got, test.want)
		}
	}
}
