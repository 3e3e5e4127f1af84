package main

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/display/internal/notice"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/escape"
	"github.com/pialert/pialert/pkg/link"
)

// What only a newer agent knows is counted under its number, and shown so.
func TestStatusShowsUnknownKinds(t *testing.T) {
	t.Parallel()
	evil := "a\x1b[2J\u009b1m\u202eb"
	unknown := attack.UnknownKind(300, attack.FamilySSH, true)
	status := Status{
		Kinds:    map[string]uint64{"ssh_login": 12, unknown.String(): 7},
		Agents:   []AgentStatus{{Name: "web", Link: link.State{Error: evil}}, {Name: "mail", Error: evil}},
		Problems: []string{evil},
	}
	var out strings.Builder
	if err := status.write(&out, time.Now()); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); !strings.Contains(text, "ssh_login                12\nunknown_ssh_attempt_300  7\n") {
		t.Errorf("the kinds are not all shown:\n%s", text)
	}
	for line := range strings.Lines(out.String()) {
		if line = strings.TrimSuffix(line, "\n"); !escape.Printable(line) {
			t.Errorf("%+q", line)
		}
	}
}

// How messages fare stands in the status, also those of which nobody knows.
func TestStatusTellsOfNotices(t *testing.T) {
	t.Parallel()
	now := time.Now()
	status := Status{Notices: []notice.Status{
		{Counts: notice.Counts{Channel: "mail", Delivered: 3, Queued: 2, Failed: 1, Unknown: 4, Answer: "451 \x1b[2J later", Answered: now.Add(-time.Minute)}},
		{Counts: notice.Counts{Channel: "phone"}},
	}}
	var out strings.Builder
	if err := status.write(&out, now); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"\nnotices by mail: 3 delivered, 2 waiting, 1 failed, 4 tries of which nobody knows whether the message arrived; its service answered 1m0s ago: 451 \\x1b[2J later\n",
		"\nnotices by phone: 0 delivered, 0 waiting, 0 failed\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, out.String())
		}
	}
}

// Who fires a test looks at the status next: it must be there, though in no total.
func TestStatusTellsTests(t *testing.T) {
	t.Parallel()
	s := serve(t, func(*Config) {})
	if out := s.must("status"); strings.Contains(out, "tests") || !strings.Contains(out, "none yet") {
		t.Errorf("nothing was fired:\n%s", out)
	}
	fired := login(1)
	fired.Test, fired.Count = true, 3
	s.commit(fired)
	if out := s.must("status"); !regexp.MustCompile(`(?m)^tests +3 +fired by hand, in no total$`).MatchString(out) {
		t.Errorf("three attempts were fired:\n%s", out)
	}
}
