package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/pialert/pialert/display/internal/history"
	"github.com/pialert/pialert/display/internal/terminal"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/control"
	"github.com/pialert/pialert/pkg/escape"
	"github.com/pialert/pialert/pkg/pairing"
)

// served is a display whose commands can be run.
type served struct {
	*daemon
	t    *testing.T
	next uint64
	stop func()
}

func serve(t *testing.T, change func(*Config)) *served {
	t.Helper()
	d, stopDaemon := startDaemon(t, change)
	listener, err := control.Listen(d.cfg.Control)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		control.Serve(ctx, listener, d.controls())
	}()
	stopAll := sync.OnceFunc(func() { stop(); <-done; stopDaemon() })
	t.Cleanup(stopAll)
	return &served{daemon: d, t: t, next: 1, stop: stopAll}
}

// commit stores events of the agent "vps" and shows them.
func (s *served) commit(events ...attack.Event) {
	s.t.Helper()
	done := make(chan error, 1)
	if err := s.history.Append(s.t.Context(), "vps", 1, s.next, events, func(_ uint64, err error) { done <- err }); err != nil {
		s.t.Fatal(err)
	}
	s.next += uint64(len(events))
	s.screen.feed.Show("vps", events)
	if err := <-done; err != nil {
		s.t.Fatal(err)
	}
}

// run runs a command and returns what it prints.
func (s *served) run(args ...string) (string, error) {
	s.t.Helper()
	config := filepath.Join(s.cfg.State, "display.yaml")
	text := fmt.Sprintf("name: desk\nstate: %s\ncontrol: %s\n", s.cfg.State, s.cfg.Control)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	var out bytes.Buffer
	root := rootCommand()
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(append(args, "--config", config))
	err := root.ExecuteContext(s.t.Context())
	return out.String(), err
}

func (s *served) must(args ...string) string {
	s.t.Helper()
	out, err := s.run(args...)
	if err != nil {
		s.t.Fatalf("%v: %v", args, err)
	}
	return out
}

func login(n int) attack.Event {
	return attack.Event{
		Kind: attack.SSHLogin, Severity: attack.Medium, Rule: "sshd-failed-password", Observed: time.Now(), Logged: time.Now(),
		SourceIP: netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}), User: fmt.Sprint("user", n%3), Count: 1, Log: "/var/log/auth.log",
	}
}

func logins(n int) (events []attack.Event) {
	for i := range n {
		events = append(events, login(i+1))
	}
	return events
}

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
		"no agent":   {[]string{"--agent", "other"}, nil},
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

// Two who watch see the totals and the events, with their details; one that goes away leaves the other.
func TestWatch(t *testing.T) {
	t.Parallel()
	s := serve(t, func(*Config) {})
	drawing, stop := context.WithCancel(context.Background())
	drawn := make(chan struct{})
	go func() {
		defer close(drawn)
		s.screen.panel.Run(drawing)
	}()
	t.Cleanup(func() { stop(); <-drawn })
	watch := func() (await func(text string), leave func()) {
		ctx, cancel := context.WithCancel(t.Context())
		answer, err := control.Client{Path: s.cfg.Control}.Open(ctx, "/watch", nil)
		if err != nil {
			t.Fatal(err)
		}
		reader, writer := io.Pipe()
		done := make(chan error, 1)
		go func() { done <- watchOn(ctx, writer, terminal.Screen{}, answer) }()
		lines := bufio.NewScanner(reader)
		return func(text string) {
				t.Helper()
				for lines.Scan() {
					if strings.Contains(lines.Text(), text) {
						return
					}
				}
				t.Fatalf("%q was never printed: %v", text, lines.Err())
			}, func() {
				t.Helper()
				cancel()
				answer.Close()
				go io.Copy(io.Discard, reader)
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
	}
	first, leaveFirst := watch()
	second, leaveSecond := watch()
	event := login(7)
	event.Detail = attack.SSH{Reason: "bad banner"}
	s.commit(event)
	first(`ssh_login from 192.0.2.7 as "user1", "bad banner" on vps  total 1`)
	second("192.0.2.7")
	leaveFirst()
	s.commit(login(8))
	second("192.0.2.8")
	leaveSecond()
	for number := uint64(0); ; {
		p, n, err := s.screen.watched.Next(t.Context(), number)
		if err != nil {
			t.Fatal(err)
		}
		if number = n; p.Grand == 2 {
			break
		}
	}
}

func TestTodayPrintsTheDaySoFar(t *testing.T) {
	t.Parallel()
	s := serve(t, func(*Config) {})
	s.commit(logins(7)...)
	probe := login(10)
	probe.Kind, probe.User, probe.Count = attack.HTTPProbe, "", 4
	probe.Detail = attack.HTTP{Method: "GET", Target: "/.env"}
	s.commit(probe)
	var today Today
	if err := json.Unmarshal([]byte(s.must("today", "--format", "json")), &today); err != nil {
		t.Fatal(err)
	}
	lamps := map[string]uint64{}
	for _, l := range today.Lamps {
		lamps[l.Name] = l.Attempts
		if sum(l.Hours) != l.Attempts || len(l.Hours) != 24 {
			t.Errorf("%s: %d hours with %d attempts", l.Name, len(l.Hours), sum(l.Hours))
		}
	}
	if today.Attempts != 11 || lamps["ssh-b"] != 7 || lamps["web"] != 4 || today.Usual != nil {
		t.Errorf("%+v", today)
	}
	if top := today.Top["targets"]; len(top) != 1 || top[0].Name != "/.env" || top[0].Attempts != 4 {
		t.Errorf("targets %+v", top)
	}
	if out := s.must("today"); !strings.Contains(out, "11 attempts") || !strings.Contains(out, "/.env") {
		t.Errorf("printed %s", out)
	}
}

// What is usual by now is that of the hours before, and of the present one in proportion; on a day of
// 25 hours, too.
func TestUntil(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	bounds := hoursOf(time.Date(2026, 10, 25, 0, 0, 0, 0, zone))
	hours := make([]uint64, len(bounds)-1)
	for i := range hours {
		hours[i] = 8
	}
	if got := until(time.Date(2026, 10, 25, 12, 15, 0, 0, zone), bounds, hours); len(hours) != 25 || got != 13*8+2 {
		t.Errorf("%d hours, %v by a quarter past twelve; want 25 and 106", len(hours), got)
	}
}

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

// A backup of a running display is restored in another folder; a running display is not replaced.
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

// A shell completes what the commands take: lamps, agents, kinds and words.
func TestCompletion(t *testing.T) {
	t.Parallel()
	s := serve(t, func(*Config) {})
	s.commit(logins(1)...)
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"show", ""}, "wordpress"},
		{[]string{"lights", ""}, "off"},
		{[]string{"top", ""}, "networks"},
		{[]string{"events", "--kind", ""}, "ssh_login"},
		{[]string{"events", "--agent", ""}, "vps"},
		{[]string{"run", "--driver", ""}, "terminal"},
		{[]string{"correct", "--agent", ""}, "vps"},
		{[]string{"correct", "--agent", "vps", "--by", "1", "--reason", "r", ""}, "ssh-a"},
		{[]string{"correct", "--agent", "vps", "--by", "1", "--reason", "r", ""}, "http_probe"},
	} {
		// The word to complete is the last, so that --config cannot stand behind it.
		args := append([]string{"__complete", "--config", filepath.Join(s.cfg.State, "display.yaml")}, test.args...)
		s.must("status") // which writes the file
		var out bytes.Buffer
		root := rootCommand()
		root.SetOut(&out)
		root.SetArgs(args)
		if err := root.ExecuteContext(t.Context()); err != nil || !slices.Contains(strings.Split(out.String(), "\n"), test.want) {
			t.Errorf("%v: %v, want %s among\n%s", test.args, err, test.want, out.String())
		}
	}
}

// What a person mistypes is found before the running display is asked, and ends with the code of a
// wrong call.
func TestWrongChoices(t *testing.T) {
	t.Parallel()
	s := serve(t, func(*Config) {})
	for _, test := range []struct{ args, want string }{
		{"events --since yesterdy", `--since: "yesterdy" is no time: use 8h`},
		{"events --limit -1", "--limit -1: give 0"},
		{"events --since today --until yesterday", "--until yesterday is not after --since today"},
		{"export --kind ssh_logn", `--kind: unknown kind "ssh_logn"; use one of`},
		{"top sources --limit -3", "--limit -3: give 0"},
		{"top users --source 1.2.3", `--source: "1.2.3" is no address`},
	} {
		_, err := s.run(strings.Fields(test.args)...)
		var usage *cli.UsageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want a wrong call: %s", test.args, err, test.want)
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

func TestBackupAndRestoreCommands(t *testing.T) {
	t.Parallel()
	s := serve(t, func(*Config) {})
	s.commit(logins(9)...)
	file := filepath.Join(t.TempDir(), "copy.db")
	if out := s.must("backup", file); !strings.Contains(out, "bytes") {
		t.Errorf("printed %q", out)
	}
	if _, err := s.run("restore", file); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("a running display was replaced: %v", err)
	}
	if _, err := s.run("backup", t.TempDir()); err == nil || !strings.Contains(err.Error(), "it is a folder: name a file in it") {
		t.Errorf("a folder was taken: %v", err)
	}
	other := serve(t, func(*Config) {})
	other.stop()
	if out := other.must("restore", file); !strings.Contains(out, "kept as") {
		t.Errorf("printed %q", out)
	}
	restored := testDaemon(t, func(cfg *Config) { cfg.State, cfg.Control = other.cfg.State, other.cfg.Control })
	if got := restored.screen.lamps.Totals(nil, time.Now()); got != 9 {
		t.Errorf("the restored total is %d, want 9", got)
	}
	if files, err := filepath.Glob(filepath.Join(filepath.Dir(file), "*")); err != nil || len(files) != 1 {
		t.Errorf("the backup left %v", files)
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
