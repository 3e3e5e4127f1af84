package main

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/pialert/pialert/display/internal/history"
)

func TestTopPrintsTheMostFrequent(t *testing.T) {
	t.Parallel()
	s := serve(t, func(*Config) {})
	s.commit(append(logins(3), login(2), login(2), login(1))...)
	out := s.must("top", "sources", "--limit", "2", "--format", "json")
	if want := `{"name":"192.0.2.2","attempts":3}` + "\n" + `{"name":"192.0.2.1","attempts":2}` + "\n"; out != want {
		t.Errorf("got %s, want %s", out, want)
	}
	for of, want := range map[string]string{"networks": "192.0.2.0/24", "users": "user2", "agents": "vps", "kinds": "ssh_login"} {
		if out := s.must("top", of); !strings.Contains(out, want) {
			t.Errorf("%s: %q, want %s", of, out, want)
		}
	}
	if out := s.must("top", "targets"); !strings.Contains(out, "nothing") {
		t.Errorf("targets: %q", out)
	}
	if _, err := s.run("top", "attackers"); err == nil {
		t.Error("there is a list of attackers")
	}
}

// Names and bars stand below each other, whatever names attackers choose.
func TestTopIsAligned(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := writeTally(&out, []history.Tally{{Name: "root", Attempts: 1000}, {Name: "a\x1b", Attempts: 500}, {Name: strings.Repeat("x", 80), Attempts: 1}}); err != nil {
		t.Fatal(err)
	}
	column := -1
	for line := range strings.Lines(out.String()) {
		before, _, found := strings.Cut(line, "▇")
		if width := utf8.RuneCountInString(before); found && column >= 0 && width != column {
			t.Errorf("the bar begins in column %d, not %d:\n%s", width, column, out.String())
		} else if found {
			column = width
		}
	}
	if !strings.Contains(out.String(), "  1000  root") || !strings.Contains(out.String(), "\n   500  a\\x1b ") || strings.Contains(out.String(), "\x1b") {
		t.Errorf("it is\n%s", out.String())
	}
}
