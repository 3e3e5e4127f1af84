package detect

import (
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/agent/internal/detect/episode"
	"github.com/pialert/pialert/agent/internal/rule"
	"github.com/pialert/pialert/pkg/attack"
)

// What anybody can forge changes nothing of what is made of other lines, and causes nothing.
func TestForgeableLinesChangeNothingElse(t *testing.T) {
	t.Parallel()
	rules, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	saved := map[string][]byte{}
	newEngines := func(found map[bool][]attack.Event) *Engines {
		var engines [2]*Engine
		for i, forgeable := range []bool{false, true} {
			if engines[i], err = New(Options{
				Rules: rules, Remember: true, Spreads: &episode.DefaultSpreads, Location: time.UTC,
				Emit: func(e *attack.Event, _ uint64) { found[forgeable] = append(found[forgeable], *e) },
			}); err != nil {
				t.Fatal(err)
			}
		}
		d := Apart(engines[0], engines[1])
		for key, value := range saved {
			if err := d.Restore(key, value); err != nil {
				t.Fatal(err)
			}
		}
		return d
	}
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	feed := func(d *Engines, log, line string) {
		t.Helper()
		src, err := NewSource(log, rule.TypeAuto, "")
		if err != nil {
			t.Fatal(err)
		}
		if log == "udp" {
			src.Of(SenderHost)
			src.Forgeable()
		}
		d.Feed(src, []byte(line+"\n"), now)
	}
	found := map[bool][]attack.Event{}
	d := newEngines(found)
	// Somebody forges a login of the server's, so that the one to come is nothing new.
	feed(d, "udp", "Nov 20 12:00:00 192.0.2.1 sshd[7]: Accepted password for root from 203.0.113.7 port 4022 ssh2")
	// And an error log's line, so that the access log's is its copy.
	feed(d, "udp", `Nov 20 12:00:00 192.0.2.1 apache2: [Fri Nov 20 12:00:00.000000 2026] [auth_basic:error] [pid 7] [client 203.0.113.7:4022] AH01618: user root not found: /x`)
	d.Changes(func(key string, value []byte) { saved[key] = value })
	d = newEngines(found) // and after a restart
	feed(d, "file", "Nov 20 12:00:01 web sshd[8]: Accepted password for root from 203.0.113.7 port 4023 ssh2")
	feed(d, "file", `203.0.113.7 - root [20/Nov/2026:12:00:01 +0000] "GET /x HTTP/1.1" 401 1 "-" "-"`)
	if len(found[true]) != 2 {
		t.Errorf("%d events of forgeable lines, want 2: %+v", len(found[true]), found[true])
	}
	if events := found[false]; len(events) != 2 || events[0].Severity != attack.Medium || events[0].Host != "" || events[1].Kind != attack.HTTPAuth {
		t.Errorf("events of the server's own lines: %+v, want a first login and a failed one", events)
	}

	// Where no such listener is configured any more, what was remembered of it goes.
	engine, err := New(Options{Rules: rules, Remember: true, Emit: func(*attack.Event, uint64) {}})
	if err != nil {
		t.Fatal(err)
	}
	without := Apart(engine, nil)
	kept := 0
	for key, value := range saved {
		if err := without.Restore(key, value); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(key, keyForgeable) {
			kept++
		}
	}
	without.Changes(func(key string, value []byte) {
		if strings.HasPrefix(key, keyForgeable) && value == nil {
			kept--
		}
	})
	if kept != 0 {
		t.Errorf("%d of the keys of a listener that is gone are kept", kept)
	}
}

// What a flood or spray is counted of has bounded room; whoever had to leave it is counted, by both engines.
func TestWhoHadToLeaveIsCounted(t *testing.T) {
	t.Parallel()
	rules, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	floods, spreads := episode.DefaultLimits, episode.DefaultSpreads
	floods.MaxSources, spreads.Scans.MaxSubjects, spreads.Sprays.MaxSubjects, spreads.Distributed.MaxSubjects = 2, 1, 1, 1
	var engines [2]*Engine
	for i := range engines {
		if engines[i], err = New(Options{Rules: rules, Floods: &floods, Spreads: &spreads, Location: time.UTC, Emit: func(*attack.Event, uint64) {}}); err != nil {
			t.Fatal(err)
		}
	}
	both := Apart(engines[0], engines[1])
	for i, log := range []string{"own", "udp"} {
		src, err := NewSource(log, rule.TypeAuto, "")
		if err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			src.Forgeable()
		}
		// An address and its network each: the second one's take the place of the first one's.
		for _, line := range []string{
			`203.0.113.7 - - [20/Nov/2026:12:00:01 +0000] "GET / HTTP/1.1" 200 1 "-" "-"`,
			`198.51.100.7 - - [20/Nov/2026:12:00:01 +0000] "GET / HTTP/1.1" 200 1 "-" "-"`,
		} {
			both.Feed(src, []byte(line+"\n"), time.Date(2026, 11, 20, 12, 0, 1, 0, time.UTC))
		}
	}
	if got := both.Stats().Crowded; got != 4 {
		t.Errorf("%d had to leave, want 2 of each engine", got)
	}
	src, err := NewSource("auth", rule.TypeAuto, "")
	if err != nil {
		t.Fatal(err)
	}
	// Another network and another user name than before: one of each has to leave.
	for _, line := range []string{
		"Nov 20 12:00:02 web sshd[7]: Failed password for root from 203.0.113.7 port 4022 ssh2",
		"Nov 20 12:00:02 web sshd[8]: Failed password for admin from 198.51.100.7 port 4022 ssh2",
	} {
		both.Feed(src, []byte(line+"\n"), time.Date(2026, 11, 20, 12, 0, 2, 0, time.UTC))
	}
	if got := both.Stats().Crowded; got != 6 {
		t.Errorf("%d had to leave, want 6", got)
	}
}
