package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/control"
	"github.com/pialert/pialert/pkg/escape"
)

func TestEventsPrintsTheNewestLast(t *testing.T) {
	t.Parallel()
	s := serve(t, func(*Config) {})
	s.commit(logins(9)...)
	probe := login(10)
	probe.Kind, probe.User, probe.Host = attack.HTTPProbe, "", "web-2"
	probe.Detail = attack.HTTP{Method: "GET", Target: "/.env"}
	s.commit(probe)
	tests := map[string]struct {
		args []string
		want []string // of each line
	}{
		"all":        {nil, []string{"192.0.2.1 ", "192.0.2.2 ", "2.3 ", "2.4 ", "2.5 ", "2.6 ", "2.7 ", "2.8 ", "2.9 ", `web  .*http_probe .*192.0.2.10 .*vps .*"GET /.env"`}},
		"the newest": {[]string{"--limit", "2"}, []string{"192.0.2.9 ", "192.0.2.10 "}},
		"a user":     {[]string{"--user", "user1", "--limit", "2"}, []string{"192.0.2.4 ", "192.0.2.7 "}},
		"a kind":     {[]string{"--kind", "http_probe"}, []string{"192.0.2.10 "}},
		"a source":   {[]string{"--source", "192.0.2.3"}, []string{"192.0.2.3 "}},
		"a network":  {[]string{"--source", "192.0.2.8/30"}, []string{"192.0.2.8 ", "192.0.2.9 ", "192.0.2.10 "}},
		"since":      {[]string{"--since", "1h", "--limit", "1"}, []string{"192.0.2.10 "}},
		"until":      {[]string{"--until", "1h"}, nil},
		"an agent":   {[]string{"--agent", "vps", "--limit", "1"}, []string{"192.0.2.10 "}},
	}
	for name, test := range tests {
		out := s.must(append([]string{"events"}, test.args...)...)
		lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
		if out == "" {
			lines = nil
		}
		if len(lines) != len(test.want) {
			t.Errorf("%s: %d lines, want %d:\n%s", name, len(lines), len(test.want), out)
			continue
		}
		for i, want := range test.want {
			at := 0
			for part := range strings.SplitSeq(want, ".*") {
				found := strings.Index(lines[i][at:], part)
				if found < 0 {
					t.Errorf("%s: line %d is %q, want %q", name, i+1, lines[i], want)
					break
				}
				at += found
			}
		}
	}
	for _, command := range [][]string{{"events"}, {"events", "--follow"}, {"events", "--format", "csv"}, {"top", "users"}, {"export"}} {
		out, err := s.run(append(command, "--agent", "vsp")...)
		if err == nil || !strings.Contains(err.Error(), `no agent "vsp" is known; did you mean vps?`) {
			t.Errorf("%v of an agent that nobody knows: %q, error %v", command, out, err)
		}
	}
	for _, args := range [][]string{{"--since", "soon"}, {"--kind", "nothing"}, {"--source", "here"}, {"--format", "xml"}, {"--limit", "-1"}} {
		if out, err := s.run(append([]string{"events"}, args...)...); err == nil || !strings.Contains(err.Error(), strings.TrimLeft(args[0], "-")) && args[0] != "--format" {
			t.Errorf("%v: %q, error %v", args, out, err)
		}
	}
}

// What attackers wrote neither moves the terminal nor becomes a formula.
func TestEventsFormats(t *testing.T) {
	t.Parallel()
	s := serve(t, func(*Config) {})
	hostile := login(1)
	hostile.User, hostile.Host = "=cmd|' /C calc'!A1\x1b[2J\u202e", "web-2"
	hostile.Detail = attack.SSH{Method: "password"}
	s.commit(hostile)
	if out := s.must("events"); strings.ContainsAny(strings.TrimSuffix(out, "\n"), "\x1b\u202e\n") {
		t.Errorf("text is %q", out)
	}
	var got struct {
		Agent, Host, Kind, File, Time, Arrived, User, Severity string
		SourceIP                                               string `json:"source_ip"`
		Detail                                                 struct{ Method string }
	}
	out := s.must("events", "--format", "json")
	if err := json.Unmarshal([]byte(out), &got); err != nil || strings.Contains(out, "\x1b") {
		t.Fatalf("%v: %q", err, out)
	}
	if got.Agent != "vps" || got.Host != "web-2" || got.Kind != "ssh_login" || got.User != hostile.User || got.SourceIP != "192.0.2.1" ||
		got.Detail.Method != "password" || got.Time == "" || got.Arrived == "" || got.File != "/var/log/auth.log" {
		t.Errorf("JSON is %+v", got)
	}
	rows, err := csv.NewReader(strings.NewReader(s.must("events", "--format", "csv"))).ReadAll()
	if err != nil || len(rows) != 2 || rows[0][9] != "user" || rows[1][9] != "'"+escape.Text(hostile.User) {
		t.Errorf("CSV is %q, error %v", rows, err)
	}
}

// Followers get what arrives, and what they asked for alone.
func TestEventsFollow(t *testing.T) {
	t.Parallel()
	s := serve(t, func(*Config) {})
	s.commit(logins(5)...)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	answer, err := control.Client{Path: s.cfg.Control}.Open(ctx, "/events",
		eventsRequest{chosen: chosen{User: "user1"}, Limit: 1, Follow: true, Format: "json"})
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Close()
	lines := json.NewDecoder(answer)
	expect := func(source string) {
		t.Helper()
		var got struct {
			SourceIP string `json:"source_ip"`
		}
		if err := lines.Decode(&got); err != nil || got.SourceIP != source {
			t.Fatalf("got %q, error %v; want %s", got.SourceIP, err, source)
		}
	}
	expect("192.0.2.4")
	s.commit(login(8))
	s.commit(login(7))
	expect("192.0.2.7")
}

// Who follows is told when the service ends, rather than that an answer is short, or nothing at all.
func TestFollowingEndsWithTheService(t *testing.T) {
	t.Parallel()
	s := serve(t, func(*Config) {})
	s.commit(logins(1)...)
	s.must("events") // which writes the configuration
	reader, out := io.Pipe()
	root := rootCommand()
	root.SetOut(out)
	root.SetArgs([]string{"events", "--follow", "--config", filepath.Join(s.cfg.State, "display.yaml")})
	ended := make(chan error, 1)
	go func() { ended <- root.ExecuteContext(t.Context()) }()
	lines := bufio.NewReader(reader)
	if line, err := lines.ReadString('\n'); err != nil || !strings.Contains(line, "192.0.2.1") {
		t.Fatalf("printed %q, error %v", line, err)
	}
	go io.Copy(io.Discard, lines)
	s.stop()
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "the display has stopped") {
		t.Errorf("it ended with %v", err)
	}
}

func TestExportWritesEverything(t *testing.T) {
	t.Parallel()
	s := serve(t, func(*Config) {})
	for range 30 {
		s.commit(logins(100)...)
	}
	if lines := strings.Count(s.must("export"), "\n"); lines != 3000 {
		t.Errorf("%d lines, want 3000", lines)
	}
	if lines := strings.Count(s.must("export", "--format", "csv", "--source", "192.0.2.7"), "\n"); lines != 31 {
		t.Errorf("%d lines of CSV, want 31", lines)
	}
}
