package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/agent/internal/source"
	"github.com/pialert/pialert/pkg/escape"
	"github.com/pialert/pialert/pkg/link"
)

// Whatever was left out or lost is a sentence of its own; an agent without trouble has none.
func TestStatusSaysWhatWasLeftOut(t *testing.T) {
	t.Parallel()
	if notes := (Status{}).notes(); len(notes) > 0 {
		t.Errorf("without trouble: %q", notes)
	}
	status := Status{
		Sources: []SourceStatus{{Stats: source.Stats{Source: "/var/log/auth.log", State: source.Following, Overlong: 1, Untrusted: 2, Skipped: 3}}},
		Spool: SpoolStatus{Fault: "no space left on device",
			FaultSince: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC), Next: 1, DroppedEvents: 4, DroppedAttempts: 40, RefusedEvents: 5},
		Detect: DetectStatus{Ignored: 6, Evicted: 7, Unattributed: 8, Crowded: 9},
	}
	var out bytes.Buffer
	if err := status.write(&out, time.Now()); err != nil {
		t.Fatal(err)
	}
	_, after, ok := strings.Cut(out.String(), "waiting for a display")
	if !ok {
		t.Fatalf("status is %s", out.String())
	}
	lines := strings.Split(strings.TrimSpace(after), "\n")[1:]
	want := []string{"no log is read on since 2026-11-20 12:00:00, for the spool cannot be written: no space left on device", "1 line of /var/log/auth.log ", "2 entries of /var/log/auth.log ", "3 files of /var/log/auth.log ",
		"4 events of 40 attempts ", "5 events ", "6 attempts ", "7 connections ", "8 connections ", "9 entries of addresses, networks and user names "}
	if !slices.EqualFunc(lines, want, strings.HasPrefix) {
		t.Errorf("status says\n%s", strings.Join(lines, "\n"))
	}
}

// A log's name and what ssh or a peer says cannot confuse the terminal that status is read in.
func TestStatusIsFitForATerminal(t *testing.T) {
	t.Parallel()
	evil := "a\x1b[2J\u009b1m\u202eb\x7f\xff"
	var out strings.Builder
	status := Status{
		Sources:  []SourceStatus{{Stats: source.Stats{Source: evil, Error: evil, Overlong: 1}}},
		Displays: []DisplayStatus{{Name: "desk", Link: link.State{Error: evil}}},
	}
	if err := status.write(&out, time.Now()); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if line = strings.TrimSuffix(line, "\n"); !escape.Printable(line) {
			t.Errorf("%+q", line)
		}
	}
	if shown := `a\x1b[2J\u009b1m\u202eb\x7f\xff`; strings.Count(out.String(), shown) != 5 {
		t.Errorf("nothing is to be hidden:\n%s", out.String())
	}
}

// What was found is said by kind, per log and of what was fired; errors stand below the table, and a log
// that is not there yet is no row of it.
func TestStatusSaysWhatWasFoundInWords(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	status := Status{
		Sources: []SourceStatus{
			{Stats: source.Stats{Source: "/var/log/auth.log", State: source.Following, Lines: 90}, Kinds: map[string]uint64{"ssh_probe": 2, "ssh_login": 12}},
			{Stats: source.Stats{Source: "/var/log/httpd/*_log", State: source.Failing, Error: "/var/log/httpd may not be read"}, Remedy: "sudo usermod"},
			{Stats: source.Stats{Source: "/var/log/nginx/*.log", State: source.Waiting}},
		},
		Fired: map[string]uint64{"ssh_login": 1}, Spool: SpoolStatus{Next: 16},
	}
	if err := status.write(&out, time.Now()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"/var/log/auth.log     following  90     12 ssh_login, 2 ssh_probe  never\n",
		"/var/log/httpd/*_log  failing    0      nothing", "fired or reported                       1 ssh_login",
		"\n/var/log/httpd/*_log cannot be read: /var/log/httpd may not be read\n  on this system: sudo usermod\n",
		"\nnothing is there yet of /var/log/nginx/*.log\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
}
