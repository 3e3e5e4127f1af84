package intake

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// story feeds a Bans, which is stopped and started again before each step, and notes what it tells.
type story struct {
	t     *testing.T
	saved map[string][]byte
	now   time.Time
	told  []string
}

func (s *story) bans() *Bans {
	b := NewBans()
	for key, value := range s.saved {
		if err := b.Restore(key, value); err != nil {
			s.t.Fatal(err)
		}
	}
	return b
}

func (s *story) add(e *attack.Event) {
	if err := e.Check(); err != nil {
		s.t.Error(err)
	}
	s.told = append(s.told, fmt.Sprint(e.Kind, " ", e.SourceIP))
}

// step does a step such as "ban 192.0.2.7", "log unban 192.0.2.7", "flush" or "wait 5m". The jail is sshd
// unless "in JAIL" follows.
func (s *story) step(b *Bans, text string) {
	words := strings.Fields(text)
	jail := "sshd"
	if n := len(words); n > 2 && words[n-2] == "in" {
		jail, words = words[n-1], words[:n-2]
	}
	switch words[0] {
	case "wait":
		span, err := time.ParseDuration(words[1])
		if err != nil {
			s.t.Fatal(err)
		}
		for range int(span / time.Second) {
			s.now = s.now.Add(time.Second)
			b.Tick(s.now, s.add)
		}
	case "flush":
		b.Report(&Report{Action: ReportUnban, All: true, Jail: jail}, s.now, s.add)
	case "log":
		kind, _ := attack.ParseKind(words[1])
		e := &attack.Event{Kind: kind, Severity: attack.Info, Observed: s.now, Count: 1, SourceIP: netip.MustParseAddr(words[2]), Detail: attack.BanInfo{Jail: jail}}
		if b.Logged(e, s.now) {
			s.add(e)
		}
	default:
		source, err := ParseSource(words[1])
		if err != nil {
			s.t.Fatal(err)
		}
		r := &Report{Action: Action(words[0]), Source: source, Jail: jail, For: time.Hour}
		if err := r.Check(s.now); err != nil {
			s.t.Fatal(err)
		}
		b.Report(r, s.now, s.add)
	}
	b.Changes(func(key string, value []byte) { s.saved[key] = value })
	maps.DeleteFunc(s.saved, func(_ string, value []byte) bool { return value == nil })
}

func TestEachBanIsToldOnce(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		steps []string
		want  []string
	}{
		{"a ban and its end", []string{"ban 192.0.2.7", "wait 10m", "unban 192.0.2.7"}, []string{"ban 192.0.2.7", "unban 192.0.2.7"}},
		{"fail2ban starts again", []string{"ban 192.0.2.7", "flush", "wait 10s", "ban 192.0.2.7", "wait 10m", "unban 192.0.2.7"},
			[]string{"ban 192.0.2.7", "unban 192.0.2.7"}},
		{"fail2ban is killed and starts again", []string{"ban 192.0.2.7", "wait 10s", "ban 192.0.2.7", "unban 192.0.2.7"}, []string{"ban 192.0.2.7", "unban 192.0.2.7"}},
		{"fail2ban stops for good", []string{"ban 192.0.2.7", "ban 192.0.2.8 in web", "flush", "wait 4m"}, []string{"ban 192.0.2.7", "ban 192.0.2.8"}},
		{"fail2ban stays away", []string{"ban 192.0.2.7", "flush", "wait 6m", "wait 6m", "ban 192.0.2.7"}, []string{"ban 192.0.2.7", "unban 192.0.2.7", "ban 192.0.2.7"}},
		{"a second ban", []string{"ban 192.0.2.7", "unban 192.0.2.7", "ban 192.0.2.7", "unban 192.0.2.7"},
			[]string{"ban 192.0.2.7", "unban 192.0.2.7", "ban 192.0.2.7", "unban 192.0.2.7"}},
		{"an end that is told twice", []string{"ban 192.0.2.7", "unban 192.0.2.7", "unban 192.0.2.7"}, []string{"ban 192.0.2.7", "unban 192.0.2.7"}},
		{"the end of a ban from before", []string{"unban 192.0.2.7"}, []string{"unban 192.0.2.7"}},
		{"one address in two jails", []string{"ban 192.0.2.7", "ban 192.0.2.7 in web"}, []string{"ban 192.0.2.7", "ban 192.0.2.7"}},
		{"a ban whose end nobody told", []string{"ban 192.0.2.7", "wait 3h", "ban 192.0.2.7"}, []string{"ban 192.0.2.7", "ban 192.0.2.7"}},
		{"a mapped address", []string{"ban ::ffff:192.0.2.7", "ban 192.0.2.7"}, []string{"ban 192.0.2.7"}},
		{"attempts", []string{"attempt 192.0.2.7", "attempt 192.0.2.7"}, []string{"remote_login 192.0.2.7", "remote_login 192.0.2.7"}},

		// The log of fail2ban says the same, before or after the report.
		{"the log, then the report", []string{"log ban 192.0.2.7", "ban 192.0.2.7", "log unban 192.0.2.7", "unban 192.0.2.7"},
			[]string{"ban 192.0.2.7", "unban 192.0.2.7"}},
		{"the report, then the log", []string{"ban 192.0.2.7", "log ban 192.0.2.7", "unban 192.0.2.7", "log unban 192.0.2.7"},
			[]string{"ban 192.0.2.7", "unban 192.0.2.7"}},
		{"the log lifts all when fail2ban stops", []string{"ban 192.0.2.7", "flush", "log unban 192.0.2.7", "ban 192.0.2.7"}, []string{"ban 192.0.2.7"}},
		{"only the log", []string{"log ban 192.0.2.7", "wait 1h", "log unban 192.0.2.7", "log ban 192.0.2.7"},
			[]string{"ban 192.0.2.7", "unban 192.0.2.7", "ban 192.0.2.7"}},

		// The log says it, the report does not come through.
		{"no report", []string{"ban 192.0.2.8", "log ban 192.0.2.7", "wait 30s", "wait 31s", "wait 1h"}, []string{"ban 192.0.2.8", "ban 192.0.2.7"}},
		{"a late report", []string{"ban 192.0.2.8", "log ban 192.0.2.7", "wait 59s", "ban 192.0.2.7", "wait 1h"}, []string{"ban 192.0.2.8", "ban 192.0.2.7"}},
		{"a report that is later than that", []string{"ban 192.0.2.8", "log ban 192.0.2.7", "wait 90s", "ban 192.0.2.7"}, []string{"ban 192.0.2.8", "ban 192.0.2.7"}},
		{"only the report of its end", []string{"ban 192.0.2.8", "log ban 192.0.2.7", "log unban 192.0.2.7", "unban 192.0.2.7", "wait 1h"},
			[]string{"ban 192.0.2.8", "ban 192.0.2.7", "unban 192.0.2.7"}},
		{"no report of its end either", []string{"ban 192.0.2.8", "log ban 192.0.2.7", "log unban 192.0.2.7", "wait 1m", "unban 192.0.2.7"},
			[]string{"ban 192.0.2.8", "ban 192.0.2.7", "unban 192.0.2.7"}},
		{"fail2ban starts again before any report", []string{"ban 192.0.2.8", "log ban 192.0.2.7", "flush", "log unban 192.0.2.7", "wait 2m", "ban 192.0.2.7", "ban 192.0.2.8"},
			[]string{"ban 192.0.2.8", "ban 192.0.2.7"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, restarts := range []bool{false, true} {
				s := &story{t: t, saved: map[string][]byte{}, now: noon}
				b := s.bans()
				for _, step := range test.steps {
					if s.step(b, step); restarts {
						b = s.bans()
					}
				}
				if !slices.Equal(s.told, test.want) {
					t.Errorf("with restarts %v: told %q, want %q", restarts, s.told, test.want)
				}
			}
		})
	}
}

// A jail whose action was taken away is told by its log again, late once.
func TestAJailThatReportsNoMore(t *testing.T) {
	t.Parallel()
	s := &story{t: t, saved: map[string][]byte{}, now: noon}
	b := s.bans()
	for _, step := range []string{"ban 192.0.2.7", "unban 192.0.2.7", "wait 2m", "log ban 192.0.2.8", "wait 2m", "log ban 192.0.2.9"} {
		s.step(b, step)
	}
	want := []string{"ban 192.0.2.7", "unban 192.0.2.7", "ban 192.0.2.8", "ban 192.0.2.9"}
	if !slices.Equal(s.told, want) {
		t.Errorf("told %q, want %q", s.told, want)
	}
}

func TestBansAreBounded(t *testing.T) {
	t.Parallel()
	b := NewBans()
	addr := netip.MustParseAddr("2001:db8::")
	for range maxBans + 100 {
		addr = addr.Next()
		b.Report(&Report{Action: ReportBan, Source: netip.PrefixFrom(addr, 128), Jail: "sshd"}, noon, func(*attack.Event) {})
	}
	if b.Len() != maxBans {
		t.Errorf("%d bans are remembered, want %d", b.Len(), maxBans)
	}
	told := 0
	for range maxBans + 100 {
		addr = addr.Next()
		e := &attack.Event{Kind: attack.Ban, Observed: noon, SourceIP: addr, Detail: attack.BanInfo{Jail: "sshd"}}
		if b.Logged(e, noon) {
			told++
		}
	}
	if told != 100 || len(b.waiting) != maxBans {
		t.Errorf("%d bans wait and %d were told at once, want %d and 100", len(b.waiting), told, maxBans)
	}
	for i := range maxJails + 100 {
		b.Report(&Report{Action: ReportUnban, All: true, Jail: fmt.Sprint(i)}, noon.Add(time.Duration(i)), func(*attack.Event) {})
	}
	if len(b.jails) != maxJails {
		t.Errorf("%d jails are remembered, want %d", len(b.jails), maxJails)
	}
}

func TestReportsThatAreNone(t *testing.T) {
	t.Parallel()
	one := netip.MustParsePrefix("192.0.2.7/32")
	for _, r := range []Report{
		{}, {Action: "fire", Source: one}, {Action: ReportBan}, {Action: ReportBan, All: true, Jail: "sshd"}, {Action: ReportUnban, All: true},
		{Action: ReportUnban, All: true, Jail: "sshd", Source: one}, {Action: ReportAttempt, Source: netip.MustParsePrefix("192.0.2.0/24")},
		{Action: ReportAttempt, Source: one, Count: 1 << 40}, {Action: ReportBan, Source: one, Count: 2}, {Action: ReportBan, Source: one, Jail: "a\x00b"},
		{Action: ReportBan, Source: one, Jail: strings.Repeat("x", 1000)},
	} {
		if err := r.Check(noon); err == nil {
			t.Errorf("%+v is taken", r)
		}
	}
	b := NewBans()
	for key, value := range map[string]string{"": "{}", "x\x00y\x00z": "{}", "192.0.2.7/32\x00sshd\x00": "x", "wait/192.0.2.7/32\x00sshd\x00": "{}"} {
		if err := b.Restore(key, []byte(value)); err == nil {
			t.Errorf("%q with %q is restored", key, value)
		}
	}
}
