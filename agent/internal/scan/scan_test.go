package scan

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/agent/internal/detect"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/escape"
	"github.com/pialert/pialert/pkg/eventjson"
)

const attacked = `Jan 31 12:00:00 host sshd[7]: Failed password for root from 192.0.2.7 port 51112 ssh2
Jan 31 12:00:01 host sshd[7]: Connection closed by authenticating user root 192.0.2.7 port 51112 [preauth]
Jan 31 12:00:02 host CRON[8]: pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)
Jan 31 12:00:03 host sshd[9]: message repeated 4 times: [ Failed password for invalid user <b> from 2001:db8::7 port 51113 ssh2]
Jan 31 12:00:04 host sshd[10]: Did not receive identification string from 192.0.2.8 port 51114
`

func run(t *testing.T, opts Options) (string, Result, error) {
	t.Helper()
	rules, err := detect.Load()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	opts.Detect.Rules, opts.Detect.Location = rules, time.UTC
	opts.Stdout = &out
	start := time.Date(2025, 2, 1, 0, 0, 0, 0, time.UTC)
	opts.Now = func() time.Time { start = start.Add(time.Second); return start }
	result, err := Run(t.Context(), opts)
	return out.String(), result, err
}

func write(t *testing.T, name string, text []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func zipped(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// event is a line of JSON output, as a reader of it would declare it.
type event struct {
	File       string
	Line       uint64
	Time       time.Time
	Kind       string
	Rule       string
	SourceIP   string `json:"source_ip"`
	SourcePort uint16 `json:"source_port"`
	User       string
	Count      uint64
	Severity   string
	Detail     struct{ Method, Reason string }
}

func TestJSON(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		text []byte
	}{{"auth.log", []byte(attacked)}, {"auth.log.2.gz", zipped(t, attacked)}, {"cut.log", []byte(strings.TrimSuffix(attacked, "\n"))}} {
		path := write(t, test.name, test.text)
		out, result, err := run(t, Options{Files: []string{path}, Format: JSON, Detect: detect.Options{Year: 2025}})
		if err != nil {
			t.Fatal(err)
		}
		var got []event
		decoder := json.NewDecoder(strings.NewReader(out))
		for decoder.More() {
			var ev event
			if err := decoder.Decode(&ev); err != nil {
				t.Fatal(err)
			}
			got = append(got, ev)
		}
		day := time.Date(2025, 1, 31, 12, 0, 0, 0, time.UTC)
		want := []event{
			{File: path, Line: 1, Time: day, Kind: "ssh_login", Rule: "sshd-failed-password", SourceIP: "192.0.2.7", SourcePort: 51112, User: "root", Count: 1, Severity: "medium"},
			{File: path, Line: 4, Time: day.Add(3 * time.Second), Kind: "ssh_login", Rule: "sshd-failed-password", SourceIP: "2001:db8::7", SourcePort: 51113, User: "<b>", Count: 4, Severity: "medium"},
			{File: path, Line: 5, Time: day.Add(4 * time.Second), Kind: "ssh_probe", Rule: "sshd-no-identification", SourceIP: "192.0.2.8", SourcePort: 51114, Count: 1, Severity: "low"},
		}
		want[0].Detail.Method, want[1].Detail.Method, want[2].Detail.Reason = "password", "password", "no identification string"
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: got\n%v\nwant\n%v", test.name, got, want)
		}
		if result.Lines != 5 || result.Attempts != 6 || result.Events != 3 {
			t.Errorf("%s: %+v", test.name, result)
		}
	}
}

func TestTextEndsWithAReport(t *testing.T) {
	t.Parallel()
	out, _, err := run(t, Options{Files: []string{"-"}, Stdin: strings.NewReader(attacked)})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"2025-01-31 12:00:00  ssh_login        192.0.2.7        root  sshd-failed-password, line 1\n",
		"2025-01-31 12:00:03  ssh_login        2001:db8::7      <b> ×4  sshd-failed-password, line 4\n",
		"\n6 attempts in 3 events from 3 addresses\nFri 31 Jan 2025 12:00:00 to 12:00:04 (4 seconds)\n5 lines of 1 file read in 1.0 s\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
}

// endless is a file of one line, then an attack.
func endless(length int) io.Reader {
	return io.MultiReader(strings.NewReader(attacked), strings.NewReader(strings.Repeat("x", length)),
		strings.NewReader("\n"+attacked))
}

func TestLinesOfAnyLength(t *testing.T) {
	t.Parallel()
	for _, length := range []int{0, blockSize - 1, blockSize, maxLine - 1, maxLine, maxLine + 1, 3 * maxLine, 5*maxLine + 17} {
		_, result, err := run(t, Options{Files: []string{"-"}, Stdin: endless(length), Detect: detect.Options{Year: 2025}})
		if err != nil {
			t.Fatal(err)
		}
		overLong := uint64(0)
		if length > maxLine {
			overLong = 1
		}
		if result.Lines != 11 || result.OverLong != overLong || result.Attempts < 11 {
			t.Errorf("a line of %d bytes: %+v", length, result)
		}
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	good := write(t, "auth.log", []byte(attacked))
	broken := write(t, "auth.log.gz", []byte("this is text, whatever its name says"))
	_, result, err := run(t, Options{Files: []string{"/does/not/exist", broken, good}})
	if !errors.Is(err, os.ErrNotExist) || !errors.Is(err, gzip.ErrHeader) || !strings.Contains(err.Error(), broken) {
		t.Errorf("error %v", err)
	}
	if result.Attempts != 6 {
		t.Errorf("%d attempts in the file that can be read, want 6", result.Attempts)
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestOutputThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	rules, err := detect.Load()
	if err != nil {
		t.Fatal(err)
	}
	_, err = Run(t.Context(), Options{Files: []string{"-"}, Stdin: strings.NewReader(strings.Repeat(attacked, 2000)), Stdout: brokenPipe{},
		Now: time.Now, Detect: detect.Options{Rules: rules}})
	if !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("error %v", err)
	}
}

// Whatever bytes an event holds, its line is valid JSON that gives them back, but for those that
// are no UTF-8.
func FuzzJSON(f *testing.F) {
	for _, text := range []string{"", "root", "\x00\x1f\x7f\"\\/<>&", "\xff\xfe", "a\u2028b", "\U0001f600", "é", "\u009b2J\x9b", "a\u202eb\u2066", "\U000e0041"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var p eventjson.Printer
		texts := texter{zone: time.UTC}
		ev := attack.Event{Kind: attack.HTTPProbe, Severity: attack.Low, User: text, SourceHost: text, Log: text, Count: 1,
			Detail: attack.HTTP{Target: text, UserAgent: text}}
		line := p.Append(nil, &ev, eventjson.Where{Line: 1})
		var got struct {
			User   string
			Detail struct{ Target string }
		}
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if strings.ToValidUTF8(text, "") == text && (got.User != text || got.Detail.Target != text) {
			t.Errorf("%q came back as %q", text, got.User)
		}
		if bytes.Count(line, []byte("\n")) != 1 || bytes.Count(texts.event(nil, &ev, 1), []byte("\n")) != 1 {
			t.Errorf("more than one line for %q", text)
		}
		for _, shown := range [][]byte{line, texts.event(nil, &ev, 1)} {
			if shown = bytes.TrimSuffix(shown, []byte("\n")); !escape.Printable(string(shown)) {
				t.Errorf("%+q is printed as %+q", text, shown)
			}
		}
	})
}

// A million sources are counted in bounded memory, and who attacks most is still at the top.
func TestManySources(t *testing.T) {
	t.Parallel()
	c := newCounter[int]()
	for i := range 200_000 {
		c.add(i+1, 1)
		if i%10 == 0 {
			c.add(0, 1)
		}
	}
	if len(c.counts) > maxNames || !c.lossy {
		t.Errorf("%d names are kept", len(c.counts))
	}
	if best := most(c.list(func(n int) string { return fmt.Sprint(n) }), 10); best[0] != (Count{"0", 20_000}) {
		t.Errorf("most is %v", best[0])
	}
}
