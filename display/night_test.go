package main

import (
	"net/netip"
	"testing"
	"time"

	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/escape"
)

// A digest goes to terminals and mail programs: what attackers typed is escaped there too.
func TestADigestPrintsNoControls(t *testing.T) {
	t.Parallel()
	d := testDaemon(t, func(*Config) {})
	done := make(chan error, 1)
	event := attack.Event{
		Kind: attack.SSHLogin, Severity: attack.Medium, Rule: "sshd-failed-password", Observed: time.Now(), Count: 3,
		SourceIP: netip.MustParseAddr("192.0.2.1"), User: "\x1b[2J\u202eroot", Detail: attack.SSH{Method: "password"},
	}
	if err := d.history.Append(t.Context(), "web", 1, 1, []attack.Event{event}, func(_ uint64, err error) { done <- err }); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	s, err := d.night(t.Context(), now.Add(-24*time.Hour).Truncate(time.Hour), now.Add(time.Hour).Truncate(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	shown := false
	for _, table := range s.Tables {
		for _, row := range table.Rows {
			shown = shown || row.Name == `\x1b[2J\u202eroot`
			if !escape.Printable(row.Name) {
				t.Errorf("%s: %+q", table.Title, row.Name)
			}
		}
	}
	if !shown {
		t.Errorf("the user is not shown: %+v", s)
	}
}
