package attack_test

import (
	"errors"
	"net/netip"
	"strings"
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
		"ssh_accepted", "login_accepted", "http_scan", "ssh_spray", "ssh_distributed", "counter", "port_probe", "fault",
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
	for _, kind := range []attack.Kind{
		attack.HTTPFlood, attack.Ban, attack.Unban, attack.Test, attack.Visit, attack.SSHAccepted, attack.LoginAccepted,
		attack.HTTPScan, attack.SSHSpray, attack.SSHDistributed, attack.Counter, attack.Fault, 0, 99,
	} {
		if kind.Attempt() {
			t.Errorf("%v counts as an attempt", kind)
		}
	}
	for _, kind := range []attack.Kind{attack.SSHLogin, attack.WordPressLogin, attack.HTTPProbe, attack.PortProbe} {
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
func TestFixTimes(t *testing.T) {
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
			e.FixTimes()
			if !e.Logged.Equal(test.wantLogged) || !e.Observed.Equal(test.wantObserved) {
				t.Errorf("logged %v, observed %v; want %v and %v", e.Logged, e.Observed, test.wantLogged, test.wantObserved)
			}
			if err := e.Check(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A kind of a newer program has a number, a family and says whether it counts; nothing else of it is
// known, and nothing of it is forgotten where it is written down.
func TestUnknownKind(t *testing.T) {
	tests := map[string]struct {
		kind    attack.Kind
		family  attack.Family
		attempt bool
		name    string
	}{
		"counted":          {attack.UnknownKind(300, attack.FamilySSH, true), attack.FamilySSH, true, "unknown_ssh_attempt_300"},
		"not counted":      {attack.UnknownKind(65535, attack.FamilyWordPress, false), attack.FamilyWordPress, false, "unknown_wordpress_event_65535"},
		"of a new family":  {attack.UnknownKind(30, 77, true), attack.FamilyOther, true, "unknown_other_attempt_30"},
		"of no family":     {attack.UnknownKind(30, 0, false), attack.FamilyOther, false, "unknown_other_event_30"},
		"known by us":      {attack.UnknownKind(1, attack.FamilyOther, false), attack.FamilySSH, true, "ssh_login"},
		"stored by number": {attack.StoredKind(999), attack.FamilyOther, false, "unknown_other_event_999"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			kind := test.kind
			if !kind.Valid() || kind.Family() != test.family || kind.Attempt() != test.attempt || kind.String() != test.name {
				t.Errorf("%s: valid %v, family %v, attempt %v; want %+v", kind, kind.Valid(), kind.Family(), kind.Attempt(), test)
			}
			if parsed, err := attack.ParseKind(test.name); err != nil || parsed != kind {
				t.Errorf("its name is parsed as %v, %v", parsed, err)
			}
			if stored := attack.StoredKind(int64(kind)); stored != kind {
				t.Errorf("it was stored, and read as %v", stored)
			}
			if !kind.Severity().Valid() {
				t.Errorf("it has severity %v", kind.Severity())
			}
		})
	}
	// What this program knows was unknown to the one that stored or named it.
	if kind, err := attack.ParseKind("unknown_other_attempt_28"); err != nil || kind != attack.PortProbe {
		t.Errorf("after an upgrade the name means %v, %v", kind, err)
	}
	if kind := attack.StoredKind(1<<24 | 3<<16 | 28); kind != attack.PortProbe {
		t.Errorf("after an upgrade the stored number means %v", kind)
	}
	for _, stored := range []int64{0, -1, 1 << 16, 1 << 25, 1 << 40} {
		if kind := attack.StoredKind(stored); kind.Valid() {
			t.Errorf("%d is taken for the kind %v", stored, kind)
		}
	}
}

// Every detail is within its bounds as it is sent, and its texts are refused above them.
func TestDetailsHaveBounds(t *testing.T) {
	for _, zero := range attack.Details() {
		full := attack.Decode(zero.Number(), &filler{extra: 0})
		over := attack.Decode(zero.Number(), &filler{extra: 1})
		kind := attack.UnknownKind(4711, attack.FamilySSH, true) // may have any detail
		e := attack.Event{Kind: kind, Severity: attack.Low, Observed: time.Unix(1_700_000_000, 0), Count: 1, Detail: full}
		if err := e.Check(); err != nil {
			t.Errorf("%T at its bounds: %v", zero, err)
		}
		if e.Detail = over; !errors.Is(e.Check(), attack.ErrInvalid) {
			t.Errorf("%T above its bounds is accepted: %+v", zero, over)
		}
		if full.Number() != zero.Number() || full == zero {
			t.Errorf("%T was decoded as %+v", zero, full)
		}
	}
	if d := attack.Decode(200, &filler{}); d != nil {
		t.Errorf("a detail that is not there is %+v", d)
	}
}

// filler sets every field to its bound, and extra more.
type filler struct{ extra int }

func (f *filler) Text(_ int, _ string, value *string, most int) {
	*value = strings.Repeat("x", most+f.extra)
}
func (f *filler) Flag(_ int, _ string, value *bool) { *value = true }
func (f *filler) Number(_ int, _ string, value *uint64, most uint64) {
	*value = most + uint64(f.extra)
}
func (f *filler) Phase(_ int, _ string, value *attack.Phase) {
	*value = attack.PhaseEnd + attack.Phase(f.extra)
}
func (f *filler) Network(_ int, _ string, value *netip.Prefix, _ bool) {
	*value = netip.MustParsePrefix("2001:db8::/64")
}
func (f *filler) Span(_ int, _ string, value *time.Duration) { *value = time.Minute }

// A detail belongs to the kinds that say so.
func TestDetailsFitTheirKinds(t *testing.T) {
	tests := []struct {
		kind   attack.Kind
		detail attack.Detail
		ok     bool
	}{
		{attack.HTTPScan, attack.Episode{Phase: attack.PhaseStart}, true},
		{attack.SSHLogin, attack.Episode{Phase: attack.PhaseStart}, false},
		{attack.SSHLogin, attack.BanInfo{}, false},
		{attack.Counter, attack.Count{Key: "k", Value: 3}, true},
		{attack.Visit, attack.Count{Key: "k", Value: 3}, false},
		{attack.MailLogin, attack.SSH{}, true},
	}
	for _, test := range tests {
		e := attack.Event{Kind: test.kind, Severity: attack.Low, Observed: time.Unix(1_700_000_000, 0), Count: 1, Detail: test.detail}
		if err := e.Check(); (err == nil) != test.ok {
			t.Errorf("%T of %s: %v", test.detail, test.kind, err)
		}
	}
}

func TestPhases(t *testing.T) {
	for phase, want := range map[attack.Phase]string{
		0: "", attack.PhaseStart: "start", attack.PhaseUpdate: "update", attack.PhaseEnd: "end", 4: "", 5: "", 255: "",
	} {
		if phase.String() != want || phase.Valid() != (want != "") {
			t.Errorf("phase %d is %q, valid %v", uint8(phase), phase, phase.Valid())
		}
	}
}
