package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/test/daemon"
)

// truth is what a recording holds. It is written beside the recording.
type truth struct {
	Recorded string // what wrote the log
	Attempts uint64
	Totals   map[attack.Kind]uint64
	Sources  []daemon.Attempt // one per kind, source and user
}

func newTruth(recorded string, attempts []daemon.Attempt) truth {
	t := truth{Recorded: recorded, Totals: daemon.Total(attempts), Sources: []daemon.Attempt{}}
	merged := make(map[daemon.Attempt]uint64)
	for _, a := range attempts {
		t.Attempts += a.Count
		count := a.Count
		a.Count = 0
		merged[a] += count
	}
	for a, count := range merged {
		a.Count = count
		t.Sources = append(t.Sources, a)
	}
	slices.SortFunc(t.Sources, func(a, b daemon.Attempt) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), a.Source.Compare(b.Source), cmp.Compare(a.User, b.User))
	})
	return t
}

// seenIn keeps the attempts whose source a log mentions. It is exact where each attack came
// from a source of its own.
func seenIn(log []byte, attempts []daemon.Attempt) []daemon.Attempt {
	var seen []daemon.Attempt
	for _, a := range attempts {
		for _, after := range []string{" ", ":", "]"} {
			if bytes.Contains(log, []byte(a.Source.String()+after)) {
				seen = append(seen, a)
				break
			}
		}
	}
	return seen
}

// writeLog writes a recording. It refuses to write what would tell of the machine that it was
// made on.
func writeLog(path string, log []byte) error {
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	for _, secret := range []string{os.TempDir() + "/", " " + host + " ", `"` + host + `"`} {
		if bytes.Contains(log, []byte(secret)) {
			return fmt.Errorf("cannot publish %s: it holds %q", path, secret)
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, log, 0o644)
}

// writeBoth writes a recording and, beside it, its own truth.
func writeBoth(path string, log []byte, t truth) error {
	if err := writeLog(path, log); err != nil {
		return err
	}
	return writeTruth(strings.TrimSuffix(path, filepath.Ext(path))+".truth.json", t)
}

// writeTruth writes one source per line, so that a changed recording shows as a short diff.
func writeTruth(path string, t truth) error {
	var text bytes.Buffer
	head, err := json.Marshal(t.Totals)
	if err != nil {
		return err
	}
	fmt.Fprintf(&text, "{\n  \"recorded\": %q,\n  \"attempts\": %d,\n  \"totals\": %s,\n  \"sources\": [", t.Recorded, t.Attempts, head)
	for i, source := range t.Sources {
		line, err := json.Marshal(source)
		if err != nil {
			return err
		}
		if i > 0 {
			text.WriteByte(',')
		}
		fmt.Fprintf(&text, "\n    %s", line)
	}
	text.WriteString("\n  ]\n}\n")
	return os.WriteFile(path, text.Bytes(), 0o644)
}
