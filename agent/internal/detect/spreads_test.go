package detect

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pialert/pialert/agent/internal/detect/episode"
	"github.com/pialert/pialert/pkg/attack"
)

// spreadRun feeds lines to an engine that looks for episodes; it may be restarted behind every line.
func spreadRun(t *testing.T, lines []string, restarts bool) []attack.Event {
	t.Helper()
	run := newWebRun(t, builtinRules(t))
	run.options.Spreads, run.options.Floods = &episode.DefaultSpreads, nil
	run.restart()
	for _, line := range lines {
		run.feed("log", line)
		if restarts {
			run.restart()
		}
	}
	run.engine.Finish()
	for i := range run.events { // which log the end of an episode is of is not remembered
		run.events[i].Log, run.events[i].Observed = "", time.Time{}
	}
	return run.events
}

var samePrefix = cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })

// story returns the phases of a kind's episodes, and how many hits its events stand for.
func story(events []attack.Event, kind attack.Kind) (phases []attack.Phase, count uint64, last attack.Event) {
	for _, ev := range events {
		if ev.Kind == kind {
			phases = append(phases, ev.Detail.(attack.Episode).Phase)
			count += ev.Count
			last = ev
		}
	}
	return phases, count, last
}

func TestScansBySpread(t *testing.T) {
	t.Parallel()
	start := time.Date(2025, 1, 31, 12, 0, 0, 0, time.UTC)
	request := func(second int, host, path string, status int, referer string) string {
		return fmt.Sprintf(`%s - - [%s] "GET %s HTTP/1.1" %d 5 "%s" "Mozilla/5.0"`, host,
			start.Add(time.Duration(second)*time.Second).Format("02/Jan/2006:15:04:05 -0700"), path, status, referer)
	}
	many := func(n int, line func(i int) string) (lines []string) {
		for i := range n {
			lines = append(lines, line(i))
		}
		return lines
	}
	scan := many(100, func(i int) string {
		return request(i/5, "192.0.2.7", fmt.Sprintf("/nothing-%d", i), []int{404, 403, 400}[i%3], "-")
	})
	for _, test := range []struct {
		name  string
		lines []string
		count uint64 // hits; 0 if there is no episode
		addr  string
	}{
		{"many paths", scan, 100, "192.0.2.7"},
		{"from a network", many(100, func(i int) string {
			return request(i/5, fmt.Sprintf("192.0.2.%d", 1+i%3), fmt.Sprintf("/nothing-%d", i), 404, "-")
		}), 100, "invalid IP"},
		{"one path again and again", many(100, func(i int) string { return request(i/5, "192.0.2.7", "/favicon.ico", 404, "-") }), 0, ""},
		{"one path with many queries", many(100, func(i int) string { return request(i/5, "192.0.2.7", fmt.Sprint("/a?", i), 404, "-") }), 0, ""},
		{"a site's own broken links", many(100, func(i int) string {
			return request(i/5, "192.0.2.7", fmt.Sprint("/old-", i), 404, "https://www.example.com/")
		}), 0, ""},
		{"a site's own broken links, and as many again a minute later", slices.Concat(many(100, func(i int) string {
			return request(i/5, "192.0.2.7", fmt.Sprint("/old-", i), 404, "https://www.example.com/")
		}), many(100, func(i int) string {
			return request(150+i/5, "192.0.2.7", fmt.Sprint("/old-", i), 404, "https://www.example.com/")
		})), 0, ""},
		{"a site's own broken links, of many visitors behind one address", many(3000, func(i int) string {
			return request(i/50, "192.0.2.7", fmt.Sprint("/old-", i%40), 404, "https://www.example.com/")
		}), 0, ""},
		{"a scan that says a page led it", many(200, func(i int) string {
			return request(i/10, "192.0.2.7", fmt.Sprint("/nothing-", i), 404, "https://www.example.com/")
		}), 100, "192.0.2.7"},
		{"a search engine", many(200, func(i int) string {
			return request(i/5, "192.0.2.7", fmt.Sprint("/article-", i), []int{200, 404, 200, 301, 404}[i%5], "-")
		}), 0, ""},
		{"Google, after all pages moved", many(200, func(i int) string { return request(i/5, "66.249.66.1", fmt.Sprint("/article-", i), 404, "-") }), 0, ""},
		{"Bing, after all pages moved", many(200, func(i int) string { return request(i/5, "157.55.39.9", fmt.Sprint("/article-", i), 404, "-") }), 0, ""},
		{"slowly", many(60, func(i int) string { return request(i*10, "192.0.2.7", fmt.Sprint("/a", i), 404, "-") }), 0, ""},
		{"many clients", many(100, func(i int) string { return request(i/5, fmt.Sprintf("10.0.%d.1", i), fmt.Sprint("/a", i), 404, "-") }), 0, ""},
		{"what is there", many(100, func(i int) string { return request(i/5, "192.0.2.7", fmt.Sprint("/a", i), 200, "-") }), 0, ""},
	} {
		phases, count, last := story(spreadRun(t, test.lines, false), attack.HTTPScan)
		if count != test.count || len(phases) > 0 && (phases[0] != attack.PhaseStart || phases[len(phases)-1] != attack.PhaseEnd) {
			t.Errorf("%s: %d hits in the phases %v, want %d", test.name, count, phases, test.count)
		}
		if len(phases) == 0 {
			continue
		}
		detail := last.Detail.(attack.Episode)
		if last.SourceIP.String() != test.addr || detail.Attempts != test.count || detail.Distinct != test.count || detail.Network.String() != "192.0.2.0/24" {
			t.Errorf("%s: %+v", test.name, last)
		}
	}
	// Two in a row are two, and a restart behind every line changes nothing.
	later := many(100, func(i int) string { return request(3600+i/5, "192.0.2.7", fmt.Sprintf("/nothing-%d", i), 404, "-") })
	both := slices.Concat(scan, later)
	events := spreadRun(t, both, false)
	phases, _, _ := story(events, attack.HTTPScan)
	starts := 0
	for _, phase := range phases {
		if phase == attack.PhaseStart {
			starts++
		}
	}
	if starts != 2 {
		t.Errorf("two scans are the phases %v", phases)
	}
	if diff := cmp.Diff(events, spreadRun(t, both, true), sameAddr, samePrefix); diff != "" {
		t.Errorf("restarts change events (-without +with):\n%s", diff)
	}
}

func TestSprays(t *testing.T) {
	t.Parallel()
	failed := func(second int, user, host string) string {
		return fmt.Sprintf("Jan 31 12:%02d:%02d host sshd[%d]: Failed password for invalid user %s from %s port %d ssh2",
			second/60, second%60, 1000+second, user, host, 10000+second)
	}
	var spray, distributed, guesses []string
	for i := range 40 {
		spray = append(spray, failed(i, fmt.Sprint("user", i), "192.0.2.7"))
		distributed = append(distributed, failed(i, "admin", fmt.Sprintf("10.0.%d.1", i)))
		guesses = append(guesses, failed(i, "admin", "192.0.2.7"))
	}
	for _, test := range []struct {
		name               string
		lines              []string
		spray, distributed uint64
	}{
		{"many names", spray, 40, 0}, {"many addresses", distributed, 0, 40}, {"many passwords", guesses, 0, 0},
		{"both at once", slices.Concat(spray, distributed), 40, 40},
	} {
		events := spreadRun(t, test.lines, false)
		var attempts uint64
		for _, ev := range events {
			if ev.Kind.Attempt() {
				attempts += ev.Count
			}
		}
		_, sprayed, last := story(events, attack.SSHSpray)
		_, spread, lastSpread := story(events, attack.SSHDistributed)
		if sprayed != test.spray || spread != test.distributed || attempts != uint64(len(test.lines)) {
			t.Errorf("%s: %d in a spray, %d distributed, want %d and %d; %d attempts of %d", test.name, sprayed, spread,
				test.spray, test.distributed, attempts, len(test.lines))
		}
		if sprayed > 0 && (last.SourceIP.String() != "192.0.2.7" || last.Detail.(attack.Episode).Distinct != 40) {
			t.Errorf("%s: %+v", test.name, last)
		}
		if spread > 0 && (lastSpread.User != "admin" || lastSpread.SourceIP.IsValid() || lastSpread.Detail.(attack.Episode).Network.IsValid()) {
			t.Errorf("%s: %+v", test.name, lastSpread)
		}
		if diff := cmp.Diff(events, spreadRun(t, test.lines, true), sameAddr, samePrefix); diff != "" {
			t.Errorf("%s: restarts change events (-without +with):\n%s", test.name, diff)
		}
	}
}
