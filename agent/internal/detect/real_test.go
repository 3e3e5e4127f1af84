package detect

import (
	"bytes"
	"cmp"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// attempt is a line of a recording's truth: what one source did.
type attempt struct {
	Kind     string `json:"kind"`
	SourceIP string `json:"source_ip"`
	User     string `json:"user"`
	Count    uint64 `json:"count"`
}

// What was done to a real daemon is what its log counts: nothing more, nothing less, by nobody else.
func TestRealServers(t *testing.T) {
	t.Parallel()
	rules := builtinRules(t)
	recordings, err := filepath.Glob("testdata/real/[ot]*.truth.json") // openssh-*, tools-*; web_test.go has Apache's
	if err != nil || len(recordings) < 21 {
		t.Fatalf("%d recordings, error %v", len(recordings), err)
	}
	for _, path := range recordings {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".truth.json"), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var truth struct {
				Attempts uint64            `json:"attempts"`
				Totals   map[string]uint64 `json:"totals"`
				Sources  []attempt         `json:"sources"`
			}
			if err := json.Unmarshal(text, &truth); err != nil {
				t.Fatal(err)
			}
			r := newRestartable(t, rules)
			for _, line := range recording(t, strings.TrimSuffix(path, ".truth.json")) {
				r.engine.Feed(r.source, line, time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC))
			}
			r.engine.Finish()
			compare(t, truth.Sources, r.events)
		})
	}
}

// compare checks counts per kind, source and, where the truth names one, user.
func compare(t *testing.T, want []attempt, events []attack.Event) {
	t.Helper()
	named := map[attempt]bool{}
	for _, a := range want {
		named[attempt{Kind: a.Kind, SourceIP: a.SourceIP}] = a.User != ""
	}
	counts := map[attempt]uint64{}
	for _, ev := range events {
		if ev.Kind.Apart() { // somebody got in, which is no attack
			continue
		}
		key := attempt{Kind: ev.Kind.String(), SourceIP: ev.SourceIP.String()}
		if named[key] {
			key.User = ev.User
		}
		counts[key] += ev.Count
	}
	for _, a := range want {
		key := attempt{Kind: a.Kind, SourceIP: a.SourceIP, User: a.User}
		if counts[key] != a.Count {
			t.Errorf("%s from %s as %q: %d counted, want %d", a.Kind, a.SourceIP, a.User, counts[key], a.Count)
		}
		delete(counts, key)
	}
	rest := make([]attempt, 0, len(counts))
	for key, n := range counts {
		key.Count = n
		rest = append(rest, key)
	}
	slices.SortFunc(rest, func(a, b attempt) int { return cmp.Compare(a.SourceIP, b.SourceIP) })
	for _, a := range rest {
		t.Errorf("%s from %s as %q: %d counted, but it was not done", a.Kind, a.SourceIP, a.User, a.Count)
	}
}

// recording returns the lines of a log, or of a journal as syslog would have written them.
func recording(t *testing.T, name string) [][]byte {
	t.Helper()
	if text, err := os.ReadFile(name + ".log"); err == nil {
		return bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
	}
	text, err := os.ReadFile(name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var lines [][]byte
	for entry := range bytes.Lines(text) {
		var fields struct {
			Message any    `json:"MESSAGE"`
			Tag     string `json:"SYSLOG_IDENTIFIER"`
			PID     string `json:"_PID"`
		}
		if err := json.Unmarshal(entry, &fields); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, []byte("Jan  1 00:00:00 host "+fields.Tag+"["+fields.PID+"]: "+message8(fields.Message)))
	}
	return lines
}

// message8 returns the text of a journal's message, which is an array of bytes if it is no UTF-8.
func message8(message any) string {
	switch m := message.(type) {
	case string:
		return m
	case []any:
		var text []byte
		for _, b := range m {
			text = append(text, byte(b.(float64)))
		}
		return string(text)
	}
	return ""
}
