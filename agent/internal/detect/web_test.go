package detect

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/agent/internal/detect/episode"
	"github.com/pialert/pialert/agent/internal/rule"
	"github.com/pialert/pialert/pkg/attack"
)

// webRun runs an engine over web logs, and may stop and start it between two lines.
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

// A server that looks up its clients' names logs those; then there is a name to blame, and no address.
func TestAServerThatLogsNames(t *testing.T) {
	t.Parallel()
	run := newWebRun(t, builtinRules(t))
	run.feed("access.log", `scanner.example.net - - [01/Jan/2026:00:00:00 +0000] "GET /.env HTTP/1.1" 404 5`)
	run.feed("access.log", `192.0.2.7 - - [01/Jan/2026:00:00:01 +0000] "GET /.env HTTP/1.1" 404 5`)
	var got []string
	for _, ev := range run.events {
		got = append(got, fmt.Sprintf("%v %q", ev.SourceIP, ev.SourceHost))
	}
	if want := []string{`invalid IP "scanner.example.net"`, `192.0.2.7 ""`}; !slices.Equal(got, want) {
		t.Errorf("it blames %q, want %q", got, want)
	}
}
