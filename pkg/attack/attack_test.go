package attack_test

import (
	"errors"
	"testing"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// The names are what rules, configurations and JSON say, so each must be unique, be parsed back
// and stay what it is.
func TestKindNames(t *testing.T) {
	want := []string{
		"ssh_login", "ssh_probe", "local_auth", "http_auth", "wordpress_login", "xmlrpc", "http_probe",
		"http_exploit", "http_malformed", "http_flood", "ban", "unban", "test", "mail_login", "ftp_login",
		"web_login", "router_login", "vpn_login", "visit", "mail_probe", "remote_login",
	}
	kinds := attack.Kinds()
	if len(kinds) != len(want) {
		t.Fatalf("%d kinds, want %d", len(kinds), len(want))
	}
	for i, kind := range kinds {
		if kind.String() != want[i] {
			t.Errorf("kind %d is %q, want %q", kind, kind, want[i])
		}
		if parsed, err := attack.ParseKind(want[i]); err != nil || parsed != kind {
			t.Errorf("ParseKind(%q) = %v, %v", want[i], parsed, err)
		}
		if !kind.Severity().Valid() || kind.Family() == 0 {
			t.Errorf("%s has severity %v and family %d", kind, kind.Severity(), kind.Family())
		}
	}
	if _, err := attack.ParseKind("telepathy"); err == nil {
		t.Error("an unknown kind was parsed")
	}
}

func TestWhatCountsAsAttempt(t *testing.T) {
	for _, kind := range []attack.Kind{attack.HTTPFlood, attack.Ban, attack.Unban, attack.Test, attack.Visit, 0, 99} {
		if kind.Attempt() {
			t.Errorf("%v counts as an attempt", kind)
		}
	}
	for _, kind := range []attack.Kind{attack.SSHLogin, attack.WordPressLogin, attack.HTTPProbe} {
		if !kind.Attempt() {
			t.Errorf("%v does not count as an attempt", kind)
		}
	}
}

func TestSeverityText(t *testing.T) {
	for _, name := range []string{"info", "low", "medium", "high"} {
		var s attack.Severity
		if err := s.UnmarshalText([]byte(name)); err != nil || s.String() != name {
			t.Errorf("%q became %v, error %v", name, s, err)
		}
	}
	var s attack.Severity
	if err := s.UnmarshalText([]byte("fatal")); err == nil {
		t.Error("an unknown severity was accepted")
	}
}

func TestCheckAcceptsTheSmallestEvent(t *testing.T) {
	e := attack.Event{Kind: attack.SSHProbe, Severity: attack.Low, Observed: time.Unix(1_700_000_000, 0), Count: 1}
	if err := e.Check(); err != nil {
		t.Error(err)
	}
	if err := new(attack.Event).Check(); !errors.Is(err, attack.ErrInvalid) {
		t.Errorf("the zero event: %v", err)
	}
}

// A machine whose clock says 1970 finds attacks all the same, and what it finds can be sent.
func TestMendTimes(t *testing.T) {
	good := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	tests := map[string]struct{ logged, observed, wantLogged, wantObserved time.Time }{
		"a good clock":    {good, good, good, good},
		"no time logged":  {time.Time{}, good, time.Time{}, good},
		"the year 1970":   {time.Unix(60, 0), time.Unix(61, 0), time.Time{}, time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC)},
		"the year 9999":   {good.AddDate(7973, 0, 0), good.AddDate(7973, 0, 0), time.Time{}, time.Date(2200, 12, 31, 0, 0, 0, 0, time.UTC)},
		"1990, here only": {good, time.Date(1990, 1, 1, 0, 0, 0, 0, time.FixedZone("", 3600)), good, time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := attack.Event{Kind: attack.SSHLogin, Severity: attack.Medium, Count: 1, Logged: test.logged, Observed: test.observed}
			e.MendTimes()
			if !e.Logged.Equal(test.wantLogged) || !e.Observed.Equal(test.wantObserved) {
				t.Errorf("logged %v, observed %v; want %v and %v", e.Logged, e.Observed, test.wantLogged, test.wantObserved)
			}
			if err := e.Check(); err != nil {
				t.Error(err)
			}
		})
	}
}
