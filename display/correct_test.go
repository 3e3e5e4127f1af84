package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/pairing"
)

func TestCorrectIsShown(t *testing.T) {
	t.Parallel()
	s := serve(t, func(*Config) {})
	s.commit(logins(7)...)
	probe := login(9)
	probe.Kind = attack.SSHProbe
	s.commit(probe)
	if _, err := s.run("correct", "ssh-b", "--agent", "vps", "--by", "-1", "--reason", "r"); err == nil || !strings.Contains(err.Error(), "ssh_login, ssh_probe") {
		t.Errorf("a lamp of two kinds: error %v", err)
	}
	if out := s.must("correct", "ssh_login", "--agent", "vps", "--by", "-5", "--reason", "a test\x1b[2J"); out != "ssh_login from vps: 2\n" {
		t.Errorf("printed %q", out)
	}
	if got := s.screen.lamps.Totals(nil, time.Now()); got != 3 {
		t.Errorf("the grand total is %d, want 3", got)
	}
	if out := s.must("events", "--limit", "1"); !strings.Contains(out, `corrected by -5: ssh_login of vps, a test\x1b[2J`) {
		t.Errorf("events printed %q", out)
	}
	var got struct {
		Agent, Kind, Reason string
		By                  int64 `json:"corrected_by"`
	}
	if err := json.Unmarshal([]byte(s.must("events", "--limit", "1", "--format", "json")), &got); err != nil || got.By != -5 || got.Kind != "ssh_login" || got.Agent != "vps" {
		t.Errorf("%+v, error %v", got, err)
	}
	out := s.must("events", "--format", "csv", "--limit", "1")
	if _, row, _ := strings.Cut(out, "\n"); !strings.Contains(row, ",vps,,ssh_login,0,,,0,,,,,false,-5,a test\\x1b[2J\n") {
		t.Errorf("as CSV the correction is %q", row)
	}
	if _, err := s.run("correct", "ssh_login", "--agent", "vps", "--by", "-50", "--reason", "r"); err == nil {
		t.Error("more was taken away than there was")
	}
}

// Unpairing can take away what an agent counted, also later.
func TestUnpairForgets(t *testing.T) {
	t.Parallel()
	s := serve(t, func(*Config) {})
	s.commit(logins(7)...)
	if err := s.keyring.Add(pairing.Peer{Name: "vps", Role: pairing.Agent, Key: pairing.Fingerprint{1}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.forget(t.Context(), forgetRequest{"vps"}); err == nil {
		t.Error("a paired agent was forgotten")
	}
	if _, err := s.keyring.Remove("vps"); err != nil {
		t.Fatal(err)
	}
	if out := s.must("unpair", "vps", "--forget"); !strings.Contains(out, "forgot what vps counted") {
		t.Errorf("printed %q", out)
	}
	if got := s.screen.lamps.Totals(nil, time.Now()); got != 0 {
		t.Errorf("the grand total is %d, want 0", got)
	}
	if out := s.must("events"); !strings.Contains(out, "corrected by -7") || strings.Count(out, "\n") != 1 {
		t.Errorf("events printed %q", out)
	}
}
