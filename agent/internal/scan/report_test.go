package scan

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/pialert/pialert/agent/internal/detect"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/escape"
)

// morning is what a server's logs say of a night: a guess per minute at three, one per hour else,
// from two addresses of a network, and a probe of a web server.
func morning() io.Reader {
	var b strings.Builder
	failed := func(at time.Time, user, ip string) {
		fmt.Fprintf(&b, "%s host sshd[7]: Failed password for %s from %s port 51112 ssh2\n", at.Format(time.Stamp), user, ip)
	}
	day := time.Date(2025, 1, 30, 20, 0, 0, 0, time.UTC)
	for hour := range 12 {
		failed(day.Add(time.Duration(hour)*time.Hour), "root", "192.0.2.7")
	}
	for minute := range 60 {
		failed(day.Add(7*time.Hour+time.Duration(minute)*time.Minute), "admin", "192.0.2.8")
	}
	return strings.NewReader(b.String())
}

func TestTheReport(t *testing.T) {
	t.Parallel()
	out, _, err := run(t, Options{Files: []string{"-"}, Stdin: morning(), Summary: true, Detect: detect.Options{Year: 2025}})
	if err != nil {
		t.Fatal(err)
	}
	want := `
72 attempts in 72 events from 2 addresses
Thu 30 Jan 2025 20:00:00 to Fri 31 Jan 2025 07:00:00 (11 hours 0 minutes)
72 lines of 1 file read in 1.0 s

Attempts per hour, most on Fri 31 Jan at 03:00: 61
  61                             ███
                                 ███
                                 ███
                                 ███
   0 ▁▁▁ ▁▁▁ ▁▁▁ ▁▁▁ ▁▁▁ ▁▁▁ ▁▁▁ ███ ▁▁▁ ▁▁▁ ▁▁▁ ▁▁▁
     Thu 20:00       Fri 31                  06:00

Kinds
  ssh_login  72  ███████████████████████████████████████████████████████████████

Addresses                                 Networks
  192.0.2.8  60  ████████                   192.0.2.0/24  72  ████████
  192.0.2.7  12  █▋

Users
  admin  60  ████████
  root   12  █▋
`
	trimmed := strings.Builder{}
	for each := range strings.Lines(out) {
		trimmed.WriteString(strings.TrimRight(each, " \n") + "\n")
	}
	if trimmed.String() != want {
		t.Errorf("got\n%s", trimmed.String())
	}
}

func TestTheReportAsJSON(t *testing.T) {
	t.Parallel()
	out, _, err := run(t, Options{Files: []string{"-"}, Stdin: morning(), Summary: true, Format: JSON, Detect: detect.Options{Year: 2025}})
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Attempts uint64
		First    time.Time
		Hours    []struct {
			Start    time.Time
			Attempts uint64
		}
		Sources, Networks, Targets []struct {
			Name     string
			Attempts uint64
		}
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if got.Attempts != 72 || len(got.Hours) != 12 || got.Hours[7].Attempts != 61 || got.Hours[7].Start.Hour() != 3 {
		t.Errorf("%+v", got)
	}
	if !got.First.Equal(time.Date(2025, 1, 30, 20, 0, 0, 0, time.UTC)) || got.Networks[0].Name != "192.0.2.0/24" || got.Networks[0].Attempts != 72 || got.Targets == nil {
		t.Errorf("%+v", got)
	}
}

// What an attacker typed turns no text around, in whichever form it is printed.
func TestTheReportPrintsNoControls(t *testing.T) {
	t.Parallel()
	line := "Jan 30 20:00:00 host sshd[7]: Failed password for invalid user a\u202eb\u009b2Jc from 192.0.2.7 port 51112 ssh2\n"
	for _, format := range []Format{Text, JSON} {
		out, _, err := run(t, Options{Files: []string{"-"}, Stdin: strings.NewReader(line + "\u202e no line of a log\n"), Summary: true,
			Format: format, Detect: detect.Options{Year: 2025}})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out, "2J") || !escape.Printable(strings.ReplaceAll(out, "\n", "")) {
			t.Errorf("%v: %+q", format, out)
		}
	}
}

// Nothing is wider than the terminal, whatever it is, and colours take no room.
func TestWidths(t *testing.T) {
	t.Parallel()
	for _, width := range []int{20, 40, 71, 72, 80, 100, 200} {
		for _, color := range []bool{false, true} {
			out, _, err := run(t, Options{Files: []string{"-"}, Stdin: morning(), Look: Look{Width: width, Color: color}, Detect: detect.Options{Year: 2025}})
			if err != nil {
				t.Fatal(err)
			}
			for each := range strings.Lines(out) {
				if n := columnsOf(each); n > width {
					t.Errorf("%d columns, want at most %d: %q", n, width, each)
				}
			}
			if strings.Contains(out, "\x1b") != color {
				t.Errorf("colour %v is not as asked", color)
			}
		}
	}
}

// columnsOf is how many columns a line takes on a terminal.
func columnsOf(line string) int {
	n := 0
	for rest := strings.TrimSuffix(line, "\n"); rest != ""; {
		if strings.HasPrefix(rest, "\x1b[") {
			rest = rest[strings.IndexByte(rest, 'm')+1:]
			continue
		}
		_, size := utf8.DecodeRuneInString(rest)
		rest, n = rest[size:], n+1
	}
	return n
}

// Years of logs are drawn in as many columns as there are, and every attempt is in one of them.
func TestAChartOfAnyLength(t *testing.T) {
	t.Parallel()
	for _, days := range []int{1, 2, 10, 60, 400, 4000} {
		p := &page{width: 80, zone: time.UTC}
		var hours []Hour
		start := time.Date(2020, 2, 28, 23, 0, 0, 0, time.FixedZone("", -3*3600-1800))
		for i := range days + 1 {
			hours = append(hours, Hour{start.AddDate(0, 0, i), 2})
		}
		columns, _, highest := p.columns(hours)
		sum := uint64(0)
		for _, c := range columns {
			sum += c.Attempts
		}
		if len(columns) > p.width || sum != uint64(2*len(hours)) || highest == 0 {
			t.Errorf("%d days: %d columns with %d attempts of %d", days, len(columns), sum, 2*len(hours))
		}
	}
}

// FuzzTheReport holds that no attacker's text reaches a terminal that controls it.
func FuzzTheReport(f *testing.F) {
	f.Add("root", "/\x1b[2J")
	f.Add("\xff\u202e\u009b", "\r\n\x00 ▁")
	engine := engineForReports(f)
	f.Fuzz(func(t *testing.T, user, target string) {
		tally := newTally()
		ev := attack.Event{Kind: attack.HTTPProbe, Severity: attack.Low, Count: 1, User: user, SourceHost: target, Detail: attack.HTTP{Target: target}}
		tally.add(&ev)
		tally.succeed(&ev)
		s := &scan{tally: tally, opts: Options{Now: time.Now, Files: []string{"-"}}, engine: engine}
		text := string(s.report().text(Look{}, time.UTC)) + string((&texter{zone: time.UTC}).event(nil, &ev, 1))
		for i, r := range text {
			if !unicode.IsPrint(r) && r != '\n' {
				t.Fatalf("%q at %d of %q", r, i, text)
			}
		}
	})
}

func engineForReports(t testing.TB) *detect.Engine {
	rules, err := detect.Load()
	if err != nil {
		t.Fatal(err)
	}
	engine, err := detect.New(detect.Options{Rules: rules, Emit: func(*attack.Event, uint64) {}})
	if err != nil {
		t.Fatal(err)
	}
	return engine
}
